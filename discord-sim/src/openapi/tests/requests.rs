use axum::http::Method;
use serde_json::{Value, json};

use super::{super::Judge, accepts};

#[test]
fn a_ticket_channel_with_overwrites_as_text_is_accepted() {
    let body = json!({
        "name": "ticket-0042",
        "type": 0,
        "topic": "Ticket #42, opened by someone",
        "parent_id": "1100000000000000003",
        "nsfw": false,
        "permission_overwrites": [
            { "id": "1100000000000000001", "type": 0, "allow": "0", "deny": "1024" },
            { "id": "1100000000000000009", "type": 1, "allow": "18014398509481983", "deny": "0" },
            { "id": "1100000000000000010", "type": 1, "allow": 68608, "deny": null },
        ],
    });
    accepts(Method::POST, "/guilds/1100000000000000001/channels", &body);
    accepts(Method::PATCH, "/channels/1100000000000000004", &body);
}

#[test]
fn an_overwrite_of_its_own_is_accepted_as_text_and_as_number() {
    let path = "/channels/1/permissions/2";
    accepts(Method::PUT, path, &json!({ "type": 1, "allow": "1024", "deny": "0" }));
    accepts(Method::PUT, path, &json!({ "type": 0, "allow": 1024, "deny": 2048 }));
    accepts(Method::POST, "/guilds/1/roles", &json!({ "name": "Support", "permissions": "68608", "color": 255 }));
}

#[test]
fn changes_of_channels_and_threads_are_accepted() {
    accepts(Method::PATCH, "/channels/1", &json!({ "name": "closed-0042" }));
    accepts(Method::PATCH, "/channels/1", &json!({ "topic": "Claimed", "parent_id": null }));
    accepts(Method::PATCH, "/channels/1", &json!({ "archived": true, "locked": true, "auto_archive_duration": 1440 }));
    accepts(Method::PATCH, "/guilds/1/channels", &json!([{ "id": "5", "position": 3 }]));
    accepts(
        Method::POST,
        "/channels/1/threads",
        &json!({ "name": "notes", "type": 12, "invitable": false, "auto_archive_duration": 1440 }),
    );
    accepts(
        Method::POST,
        "/channels/1/threads",
        &json!({ "name": "post", "message": { "content": "first" }, "applied_tags": ["7"] }),
    );
}

#[test]
fn a_message_with_embeds_and_components_is_accepted() {
    accepts(Method::POST, "/channels/1/messages", &welcome());
    accepts(Method::PATCH, "/channels/1/messages/2", &welcome());
    accepts(Method::POST, "/webhooks/1/token", &welcome());
    accepts(Method::POST, "/webhooks/1/token?wait=true&thread_id=5", &welcome());
    accepts(Method::PATCH, "/webhooks/1/token/messages/@original", &welcome());
    accepts(Method::PATCH, "/webhooks/1/token/messages/2", &json!({ "content": null, "components": [] }));
}

#[test]
fn a_message_of_components_v2_is_accepted() {
    let body = json!({
        "flags": 1 << 15,
        "components": [
            { "type": 17, "accent_color": 5793266, "spoiler": false, "components": [
                { "type": 10, "content": "# Ticket 42" },
                { "type": 14, "divider": true, "spacing": 1 },
                { "type": 9, "components": [{ "type": 10, "content": "Press to close" }],
                  "accessory": { "type": 2, "style": 4, "label": "Close", "custom_id": "t1:close:42" } },
                { "type": 9, "components": [{ "type": 10, "content": "With a picture" }],
                  "accessory": { "type": 11, "media": { "url": "attachment://picture.png" }, "description": "a picture" } },
                { "type": 12, "items": [{ "media": { "url": "https://example.com/a.png" }, "spoiler": true }] },
                { "type": 13, "file": { "url": "attachment://transcript.html" } },
                { "type": 1, "components": [{ "type": 5, "custom_id": "who", "placeholder": "Who?", "min_values": 1, "max_values": 3 }] },
            ] },
        ],
    });
    accepts(Method::POST, "/channels/1/messages", &body);
    accepts(Method::POST, "/webhooks/1/token?with_components=true", &body);
}

#[test]
fn a_form_is_judged_by_its_payload_json() {
    let judge = |body: Option<&Value>| {
        let form = Some("multipart/form-data; boundary=----x");
        Judge::shared().request(&Method::POST, "/channels/1/messages", None, form, body)
    };
    assert_eq!(
        judge(Some(&json!({ "content": "see", "attachments": [{ "id": 0, "filename": "transcript.html" }] }))),
        []
    );
    assert_eq!(judge(None), []);
    super::names(&judge(Some(&json!({ "content": 5 }))), "/content", "5 is not string");
}

#[test]
fn commands_with_options_and_localisations_are_accepted() {
    let commands = json!([
        {
            "name": "close",
            "name_localizations": { "de": "schließen", "pt-BR": "fechar" },
            "description": "Close this ticket",
            "description_localizations": { "de": "Schließt dieses Ticket" },
            "type": 1,
            "default_member_permissions": "8",
            "dm_permission": false,
            "nsfw": false,
            "contexts": [0],
            "integration_types": [0],
            "options": [
                { "type": 3, "name": "reason", "description": "Why", "required": false, "autocomplete": true, "max_length": 1024 },
                { "type": 7, "name": "to", "description": "Where", "channel_types": [0, 4] },
                { "type": 4, "name": "days", "description": "How long", "min_value": 1, "max_value": 30,
                  "choices": [{ "name": "a week", "name_localizations": { "de": "eine Woche" }, "value": 7 }] },
                { "type": 10, "name": "part", "description": "Number", "min_value": 0.5 },
                { "type": 11, "name": "proof", "description": "A file" },
            ],
        },
        { "name": "panel", "description": "Panels", "options": [
            { "type": 2, "name": "edit", "description": "Edit", "options": [
                { "type": 1, "name": "title", "description": "Title", "options": [
                    { "type": 3, "name": "text", "description": "Text", "required": true } ] } ] },
            { "type": 1, "name": "list", "description": "List" } ] },
        { "name": "Open ticket for", "type": 2, "default_member_permissions": null },
        { "name": "Start ticket", "type": 3 },
    ]);
    accepts(Method::PUT, "/applications/1/commands", &commands);
    accepts(Method::PUT, "/applications/1/guilds/2/commands", &commands);
    accepts(Method::POST, "/applications/1/commands", &commands[0]);
    accepts(Method::PATCH, "/applications/1/commands/3", &json!({ "default_member_permissions": "0" }));
}

#[test]
fn requests_without_a_body_are_accepted() {
    let judge = Judge::shared();
    for (method, path, query) in [
        (Method::GET, "/gateway/bot", None),
        (Method::GET, "/guilds/1", Some("with_counts=true")),
        (Method::GET, "/channels/1/messages", Some("limit=100&before=5")),
        (Method::GET, "/guilds/1/members/search", Some("query=some%20one&limit=10")),
        (Method::GET, "/guilds/1/audit-logs", Some("action_type=12&limit=1")),
        (Method::DELETE, "/channels/1", None),
        (Method::PUT, "/channels/1/thread-members/@me", None),
        (Method::PUT, "/guilds/1/members/2/roles/3", None),
        (Method::PUT, "/channels/1/messages/2/reactions/%F0%9F%91%8D/@me", None),
        (Method::POST, "/channels/1/typing", None),
        (Method::GET, "/oauth2/applications/@me", None),
        // Routes of Discord's own client and of OAuth2.
        (Method::POST, "/interactions", None),
        (Method::POST, "/oauth2/token", None),
    ] {
        assert_eq!(judge.request(&method, path, query, None, None), [], "{method} {path}");
    }
}

/// A message with all that a welcome message of a ticket may have.
fn welcome() -> Value {
    json!({
        "content": "<@1100000000000000009>",
        "tts": false,
        "flags": 0,
        "allowed_mentions": { "parse": [], "users": ["1100000000000000009"] },
        "embeds": [{
            "title": "Ticket 42",
            "description": "Somebody will be with you shortly.",
            "url": "https://example.com/ü",
            "color": 5793266,
            "timestamp": "2026-01-02T03:04:05.678Z",
            "footer": { "text": "Tickets", "icon_url": "https://example.com/icon.png" },
            "author": { "name": "someone" },
            "thumbnail": { "url": "attachment://picture.png" },
            "fields": [{ "name": "Subject", "value": "Help", "inline": true }],
        }],
        "components": [
            { "type": 1, "components": [
                { "type": 2, "style": 4, "label": "Close", "custom_id": "t1:close:42", "emoji": { "name": "🔒" } },
                { "type": 2, "style": 3, "label": "Claim", "custom_id": "t1:claim:42", "emoji": { "id": "5", "name": "hand" }, "disabled": true },
                { "type": 2, "style": 5, "label": "Rules", "url": "https://example.com" },
            ] },
            { "type": 1, "components": [
                { "type": 3, "custom_id": "topic", "placeholder": "Topic", "min_values": 1, "max_values": 1,
                  "options": [{ "label": "Billing", "value": "billing", "description": "Money", "default": false, "emoji": { "name": "💶" } }] },
            ] },
        ],
    })
}
