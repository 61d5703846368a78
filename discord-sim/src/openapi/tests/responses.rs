use axum::http::Method;
use serde_json::{Value, json};

use super::{super::Judge, answers, names};

#[test]
fn a_guild_is_answered_as_discord_does() {
    answers(Method::GET, "/guilds/1", 200, &guild());
    answers(
        Method::GET,
        "/users/@me/guilds",
        200,
        &json!([
            { "id": "1", "name": "Guild", "icon": null, "banner": null, "owner": true, "permissions": "2251799813685247", "features": ["COMMUNITY"] },
        ]),
    );
}

#[test]
fn channels_are_answered_as_discord_does() {
    answers(Method::GET, "/channels/5", 200, &channel());
    answers(Method::GET, "/guilds/1/channels", 200, &json!([channel()]));
    answers(Method::POST, "/guilds/1/channels", 201, &channel());
    answers(Method::PATCH, "/channels/5", 200, &channel());
    answers(Method::DELETE, "/channels/5", 200, &channel());
    answers(Method::GET, "/channels/6", 200, &thread());
    answers(Method::POST, "/channels/5/threads", 201, &thread());
    let dm = json!({ "id": "8", "type": 1, "last_message_id": null, "flags": 0, "recipients": [user()] });
    answers(Method::POST, "/users/@me/channels", 200, &dm);
    answers(Method::GET, "/channels/8", 200, &dm);
}

#[test]
fn members_and_roles_are_answered_as_discord_does() {
    answers(Method::GET, "/guilds/1/members/2", 200, &member());
    answers(Method::GET, "/guilds/1/members", 200, &json!([member()]));
    answers(Method::GET, "/guilds/1/roles", 200, &json!([role()]));
    answers(Method::GET, "/users/2", 200, &user());
    let mut me = user();
    me["bot"] = json!(true);
    me["mfa_enabled"] = json!(true);
    me["locale"] = json!("en-US");
    me["verified"] = json!(true);
    me["email"] = Value::Null;
    answers(Method::GET, "/users/@me", 200, &me);
}

#[test]
fn messages_are_answered_as_discord_does() {
    answers(Method::POST, "/channels/5/messages", 200, &message());
    answers(Method::PATCH, "/channels/5/messages/10", 200, &message());
    answers(Method::GET, "/channels/5/messages/10", 200, &message());
    answers(Method::GET, "/channels/5/messages", 200, &json!([message(), message()]));
    answers(Method::PATCH, "/webhooks/1/token/messages/@original", 200, &message());
    answers(Method::POST, "/webhooks/1/token", 200, &message());
    let callback = json!({
        "interaction": { "id": "20", "type": 2, "response_message_id": "10", "response_message_loading": false,
                         "response_message_ephemeral": true, "channel_id": "5", "guild_id": "1" },
        "resource": { "type": 4, "message": message() },
    });
    answers(Method::POST, "/interactions/20/token/callback", 200, &callback);
}

#[test]
fn the_gateway_and_the_application_are_answered_as_discord_does() {
    let bot = json!({
        "url": "ws://127.0.0.1:18080",
        "shards": 1,
        "session_start_limit": { "total": 1000, "remaining": 999, "reset_after": 14400000, "max_concurrency": 1 },
    });
    answers(Method::GET, "/gateway/bot", 200, &bot);
    answers(Method::GET, "/gateway", 200, &json!({ "url": "wss://gateway.discord.gg" }));
}

#[test]
fn commands_are_answered_as_discord_does() {
    let command = json!({
        "id": "30", "application_id": "1", "version": "31", "default_member_permissions": "8", "type": 1, "name": "close",
        "name_localizations": null, "description": "Close", "description_localizations": null, "dm_permission": true,
        "contexts": null, "integration_types": [0], "nsfw": false,
        "options": [{ "type": 3, "name": "reason", "description": "Why", "autocomplete": true }],
    });
    answers(Method::POST, "/applications/1/commands", 200, &command);
    answers(Method::POST, "/applications/1/commands", 201, &command);
    answers(Method::PUT, "/applications/1/commands", 200, &json!([command]));
    answers(Method::GET, "/applications/1/commands", 200, &json!([]));
}

#[test]
fn a_rate_limit_may_lack_a_code() {
    let path = "/channels/1/messages";
    let limited = |body: Value| answers(Method::POST, path, 429, &body);
    limited(json!({ "message": "You are being rate limited.", "retry_after": 0.753, "global": false }));
    limited(json!({ "message": "You are being rate limited.", "retry_after": 64.57, "global": true, "code": 40062 }));
    assert_eq!(Judge::shared().response(&Method::POST, path, 429, None), [], "the page of Cloudflare");
    let body = json!({ "message": "x", "global": false });
    names(&Judge::shared().response(&Method::POST, path, 429, Some(&body)), "", "retry_after is missing");
}

#[test]
fn errors_are_answered_as_discord_does() {
    let error = |status: u16, body: Value| answers(Method::POST, "/channels/1/messages", status, &body);
    error(401, json!({ "message": "401: Unauthorized", "code": 0 }));
    error(404, json!({ "message": "Unknown Channel", "code": 10003 }));
    error(400, json!({ "message": "Cannot send an empty message", "code": 50006 }));
    error(
        400,
        json!({
            "code": 50035,
            "message": "Invalid Form Body",
            "errors": {
                "content": { "_errors": [{ "code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length." }] },
                "components": { "0": { "components": { "2": { "_errors": [{ "code": "COMPONENT_CUSTOM_ID_DUPLICATED", "message": "x" }] } } } },
            },
        }),
    );
    let body = json!({ "code": 50035, "message": "x", "errors": { "content": { "_errors": [{ "message": "x" }] } } });
    names(
        &Judge::shared().response(&Method::POST, "/channels/1/messages", 400, Some(&body)),
        "/errors/content/_errors/0",
        "code is missing",
    );
}

#[test]
fn a_choice_between_object_and_nothing_follows_the_query() {
    let judge =
        |path: &str, status: u16, body: Option<&Value>| Judge::shared().response(&Method::POST, path, status, body);
    assert_eq!(judge("/webhooks/1/token?wait=true", 200, Some(&message())), []);
    assert_eq!(judge("/webhooks/1/token", 204, None), []);
    assert_eq!(judge("/interactions/1/token/callback", 204, None), []);
    names(&judge("/webhooks/1/token?wait=true", 204, None), "", "status 204 though wait asks for the object");
    names(
        &judge("/webhooks/1/token?wait=false", 200, Some(&message())),
        "",
        "status 200 though wait does not ask for the object",
    );
    names(
        &judge("/interactions/1/token/callback?with_response=true", 204, None),
        "",
        "with_response asks for the object",
    );
}

#[test]
fn broken_answers_are_named() {
    let judge = |method: Method, path: &str, status: u16, body: Option<&Value>| {
        Judge::shared().response(&method, path, status, body)
    };
    let mut broken = message();
    broken["author"]["id"] = json!(5);
    names(&judge(Method::GET, "/channels/5/messages/10", 200, Some(&broken)), "/author/id", "5 is not string");
    let mut broken = message();
    broken["timestamp"] = json!("yesterday");
    names(
        &judge(Method::GET, "/channels/5/messages", 200, Some(&json!([message(), broken]))),
        "/1/timestamp",
        "\"yesterday\" is no date-time",
    );
    let mut broken = channel();
    broken["permission_overwrites"][0]["allow"] = json!(1024);
    names(
        &judge(Method::GET, "/channels/5", 200, Some(&broken)),
        "/permission_overwrites/0/allow",
        "1024 is not string",
    );
    broken["type"] = json!(99);
    names(&judge(Method::GET, "/channels/5", 200, Some(&broken)), "/type", "99 is none of");
    names(
        &judge(Method::POST, "/guilds/1/channels", 200, Some(&channel())),
        "",
        "status 200, where Discord answers 201, 429, 4XX",
    );
    names(
        &judge(Method::PUT, "/channels/1/permissions/2", 204, Some(&json!({}))),
        "",
        "a body, where Discord sends none",
    );
    names(&judge(Method::GET, "/channels/5", 200, None), "", "no body, where Discord sends one");
    names(&judge(Method::GET, "/channels/5", 404, None), "", "no body, where Discord sends one");
}

#[test]
fn faults_and_unknown_routes_are_not_blamed_on_the_answer() {
    let judge = |path: &str, status: u16| Judge::shared().response(&Method::GET, path, status, None);
    assert_eq!(judge("/channels/5", 502), []);
    assert_eq!(judge("/no/such/route", 404), []);
    names(&judge("/no/such/route", 200), "", "Discord describes no such route");
}

fn user() -> Value {
    json!({
        "id": "1100000000000000009", "username": "someone", "discriminator": "0", "global_name": "Some One", "avatar": null, "banner": null,
        "accent_color": null, "public_flags": 0, "flags": 0, "avatar_decoration_data": null, "collectibles": null, "primary_guild": null,
    })
}

fn member() -> Value {
    json!({
        "user": user(), "nick": null, "avatar": null, "banner": null, "roles": ["3"], "joined_at": "2024-05-06T07:08:09.123000+00:00",
        "premium_since": null, "deaf": false, "mute": false, "flags": 0, "pending": false, "communication_disabled_until": null,
        "avatar_decoration_data": null, "collectibles": null,
    })
}

fn role() -> Value {
    json!({
        "id": "3", "name": "Support", "permissions": "2248473465835073", "position": 1, "color": 255,
        "colors": { "primary_color": 255, "secondary_color": null, "tertiary_color": null }, "hoist": true, "managed": true,
        "mentionable": false, "icon": null, "unicode_emoji": null, "flags": 0, "tags": { "bot_id": "1" },
    })
}

fn channel() -> Value {
    json!({
        "id": "5", "type": 0, "guild_id": "1", "name": "ticket-0042", "position": 4, "flags": 0, "parent_id": "4", "topic": null, "nsfw": false,
        "last_message_id": null, "rate_limit_per_user": 0, "default_auto_archive_duration": 1440,
        "permission_overwrites": [{ "id": "1", "type": 0, "allow": "0", "deny": "1024" }],
    })
}

fn thread() -> Value {
    json!({
        "id": "6", "type": 12, "guild_id": "1", "parent_id": "5", "owner_id": "1100000000000000009", "name": "notes", "flags": 0,
        "last_message_id": null, "rate_limit_per_user": 0, "bitrate": 64000, "user_limit": 0, "rtc_region": null,
        "message_count": 0, "member_count": 1, "total_message_sent": 0,
        "thread_metadata": { "archived": false, "archive_timestamp": "2026-01-02T03:04:05.678000+00:00", "auto_archive_duration": 1440,
                             "locked": false, "create_timestamp": "2026-01-02T03:04:05.678000+00:00", "invitable": false },
        "member": { "id": "6", "user_id": "1100000000000000009", "join_timestamp": "2026-01-02T03:04:05.678000+00:00", "flags": 1 },
    })
}

fn message() -> Value {
    json!({
        "id": "10", "type": 0, "channel_id": "5", "author": user(), "content": "hello", "timestamp": "2026-01-02T03:04:05.678000+00:00",
        "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [user()], "mention_roles": ["3"], "pinned": false,
        "flags": 0, "application_id": "1", "webhook_id": "1",
        "attachments": [{
            "id": "11", "filename": "a.png", "size": 120, "url": "https://cdn.discordapp.com/attachments/5/11/a.png?ex=1&is=2&hm=3&",
            "proxy_url": "https://media.discordapp.net/attachments/5/11/a.png", "width": 10, "height": 20, "content_type": "image/png",
        }],
        "embeds": [{ "type": "rich", "title": "Ticket 42", "description": "Welcome", "color": 5793266,
                     "fields": [{ "name": "a", "value": "b", "inline": false }], "footer": { "text": "Tickets" } }],
        "components": [
            { "type": 1, "id": 1, "components": [
                { "type": 2, "id": 2, "style": 4, "label": "Close", "custom_id": "t1:close:42", "emoji": { "name": "🔒" } },
                { "type": 2, "id": 3, "style": 5, "label": "Rules", "url": "https://example.com/" } ] },
            { "type": 1, "id": 4, "components": [
                { "type": 3, "id": 5, "custom_id": "topic", "placeholder": "Topic", "min_values": 1, "max_values": 1, "disabled": false,
                  "options": [{ "label": "Billing", "value": "b" }] } ] },
        ],
        "interaction_metadata": { "id": "20", "type": 2, "user": user(), "authorizing_integration_owners": { "0": "1" }, "name": "open",
                                  "command_type": 1 },
        "message_reference": { "type": 0, "channel_id": "5", "message_id": "9", "guild_id": "1" },
        "referenced_message": null,
    })
}

fn guild() -> Value {
    // Text, because `json!` recurses once for every field.
    let mut guild: Value = serde_json::from_str(
        r#"{
        "id": "1", "name": "Guild", "icon": null, "description": null, "home_header": null, "splash": null, "discovery_splash": null,
        "features": ["COMMUNITY", "NEWS"], "banner": null, "owner_id": "1100000000000000009", "application_id": null, "region": "deprecated",
        "afk_channel_id": null, "afk_timeout": 300, "system_channel_id": null, "system_channel_flags": 0, "widget_enabled": false,
        "widget_channel_id": null, "verification_level": 1, "roles": [], "default_message_notifications": 1, "mfa_level": 0,
        "explicit_content_filter": 0, "max_presences": null, "max_members": 500000, "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25, "vanity_url_code": null, "premium_tier": 0, "premium_subscription_count": 0,
        "preferred_locale": "en-US", "rules_channel_id": null, "safety_alerts_channel_id": null, "public_updates_channel_id": null,
        "premium_progress_bar_enabled": false, "premium_progress_bar_enabled_user_updated_at": null, "nsfw": false, "nsfw_level": 0,
        "emojis": [{ "id": "40", "name": "hand", "roles": [], "require_colons": true, "managed": false, "animated": false,
                     "available": true }],
        "stickers": [], "incidents_data": null, "inventory_settings": null
    }"#,
    )
    .unwrap();
    guild["roles"] = json!([role()]);
    guild
}
