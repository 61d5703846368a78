use axum::http::Method;
use serde_json::{Value, json};

use super::{
    super::{Judge, Side},
    names, request,
};

const MESSAGES: &str = "/channels/1/messages";

#[test]
fn a_missing_name_is_named() {
    names(&request(Method::POST, "/guilds/1/channels", &json!({ "type": 0 })), "", "name is missing");
    names(&request(Method::PUT, "/applications/1/commands", &json!([{ "description": "x" }])), "/0", "name is missing");
}

#[test]
fn a_wrong_type_is_named() {
    names(&request(Method::POST, MESSAGES, &json!({ "content": 5 })), "/content", "5 is not string");
    names(&request(Method::POST, MESSAGES, &json!({ "embeds": "x" })), "/embeds", "\"x\" is not array");
    names(&request(Method::POST, MESSAGES, &json!({ "components": [5] })), "/components/0", "5 is not object");
    names(&request(Method::POST, MESSAGES, &json!([])), "", "an array of 0 is not object");
    names(&request(Method::PUT, "/applications/1/commands", &json!({ "name": "x" })), "", "is not array");
}

#[test]
fn an_unknown_value_of_an_enumeration_is_named() {
    let overwrite = json!({ "name": "x", "permission_overwrites": [{ "id": "1", "type": 2 }] });
    names(
        &request(Method::POST, "/guilds/1/channels", &overwrite),
        "/permission_overwrites/0/type",
        "2 is none of 0, 1",
    );
    let style = json!({ "components": [{ "type": 1, "components": [{ "type": 2, "style": 9, "custom_id": "x" }] }] });
    names(
        &request(Method::POST, MESSAGES, &style),
        "/components/0/components/0/style",
        "9 is none of 1, 2, 3, 4, 5, 6",
    );
    let component = json!({ "components": [{ "type": 1, "components": [{ "type": 99 }] }] });
    names(
        &request(Method::POST, MESSAGES, &component),
        "/components/0/components/0/type",
        "99 is none of 2, 8, 7, 6, 3, 5",
    );
    let mention = json!({ "allowed_mentions": { "parse": ["admins"] } });
    names(&request(Method::POST, MESSAGES, &mention), "/allowed_mentions/parse/0", "\"admins\" is none of");
    let option =
        json!([{ "name": "x", "description": "x", "options": [{ "type": 12, "name": "x", "description": "x" }] }]);
    names(&request(Method::PUT, "/applications/1/commands", &option), "/0/options/0/type", "12 is none of");
}

#[test]
fn a_broken_change_of_a_channel_does_not_pass_as_one_of_another_kind() {
    names(&request(Method::PATCH, "/channels/1", &json!({ "name": "x", "topic": 5 })), "/topic", "5 is not string");
    names(
        &request(Method::PATCH, "/channels/1", &json!({ "parent_id": "no id" })),
        "/parent_id",
        "\"no id\" is no snowflake",
    );
    names(&request(Method::PATCH, "/channels/1", &json!({ "nmae": "x" })), "", "unknown here: nmae");
    names(
        &request(Method::POST, "/webhooks/1/token", &json!({ "username": "x", "content": true })),
        "/content",
        "true is not string",
    );
}

#[test]
fn permissions_must_be_digits() {
    let body = json!({ "name": "x", "permission_overwrites": [{ "id": "1", "allow": "VIEW_CHANNEL" }] });
    names(
        &request(Method::POST, "/guilds/1/channels", &body),
        "/permission_overwrites/0/allow",
        "\"VIEW_CHANNEL\" does not match",
    );
    let body = json!({ "name": "x", "permission_overwrites": [{ "id": "1", "allow": 1.5 }] });
    names(
        &request(Method::POST, "/guilds/1/channels", &body),
        "/permission_overwrites/0/allow",
        "1.5 is not integer or string",
    );
}

#[test]
fn lengths_and_ranges_are_judged() {
    names(
        &request(Method::POST, "/guilds/1/channels", &json!({ "name": "x".repeat(101) })),
        "/name",
        "101 characters, at most 100",
    );
    names(
        &request(Method::POST, MESSAGES, &json!({ "embeds": vec![json!({}); 11] })),
        "/embeds",
        "11 items, at most 10",
    );
    names(
        &request(Method::POST, MESSAGES, &json!({ "embeds": [{ "color": 0x100_0000 }] })),
        "/embeds/0/color",
        "is greater than 16777215",
    );
    let position = json!({ "name": "x", "position": 1_u64 << 40 });
    names(&request(Method::POST, "/guilds/1/channels", &position), "/position", "is greater than 2147483647");
    let button =
        json!({ "components": [{ "type": 1, "components": [{ "type": 2, "style": 5, "url": "no address" }] }] });
    names(&request(Method::POST, MESSAGES, &button), "/components/0/components/0/url", "\"no address\" is no uri");
}

#[test]
fn every_error_is_told_but_no_more_than_a_few() {
    let body = json!({ "embeds": vec![json!({ "color": "red" }); 9] });
    let mismatches = request(Method::POST, MESSAGES, &body);
    assert_eq!(mismatches.len(), 5);
    assert_eq!(mismatches[4].pointer, "/embeds/4/color");
}

#[test]
fn a_long_value_does_not_make_a_long_line() {
    let mismatches = request(Method::POST, MESSAGES, &json!({ "flags": "ä\n".repeat(5_000) }));
    names(&mismatches, "/flags", "is not integer");
    assert!(!mismatches[0].to_string().contains('\n'));
}

#[test]
fn a_line_says_who_did_what_where() {
    let [mismatch] = request(Method::POST, MESSAGES, &json!({ "content": 5 })).try_into().unwrap();
    assert_eq!(mismatch.to_string(), "POST /channels/{channel_id}/messages request at /content: 5 is not string");
    assert_eq!(mismatch.side, Side::Request);
    let [mismatch] = Judge::shared().response(&Method::GET, "/gateway", 200, Some(&json!({}))).try_into().unwrap();
    assert_eq!(mismatch.to_string(), "GET /gateway response 200: url is missing");
}

#[test]
fn a_route_that_discord_does_not_have_is_one_mismatch() {
    names(&request(Method::POST, "/channels/1/massages", &json!({})), "", "Discord describes no such route");
    let mismatches = Judge::shared().request(&Method::POST, "/gateway/bot", None, None, None);
    names(&mismatches, "", "Discord describes only GET here");
}

#[test]
fn path_and_query_are_judged() {
    let judge = Judge::shared();
    let check = |path: &str, query: &str, words: &str| {
        names(&judge.request(&Method::GET, path, Some(query), None, None), "", words);
    };
    check("/channels/general/messages", "", "path parameter channel_id is \"general\", not a snowflake");
    check("/channels/99999999999999999999999/messages", "", "not a snowflake");
    check("/channels/1/messages", "limit=101", "query parameter limit: 101 is greater than 100");
    check("/channels/1/messages", "limit=many", "query parameter limit: \"many\" is not integer");
    check("/channels/1/messages", "befor=5", "Discord knows no query parameter \"befor\" here");
    check("/guilds/1", "with_counts=yes", "query parameter with_counts: \"yes\" is not boolean");
    check("/guilds/1/members/search", "limit=5", "query parameter query is missing");
}

#[test]
fn the_form_of_a_body_is_judged() {
    let judge = |method: Method, path: &str, content_type: Option<&str>, body: Option<&Value>| {
        Judge::shared().request(&method, path, None, content_type, body)
    };
    let body = json!({ "content": "x" });
    names(&judge(Method::POST, MESSAGES, Some("application/json"), None), "", "no body, where Discord demands one");
    names(&judge(Method::POST, MESSAGES, None, Some(&body)), "", "a body without a content type");
    names(
        &judge(Method::POST, MESSAGES, Some("text/plain"), Some(&body)),
        "",
        "content type text/plain, where Discord takes application/json",
    );
    names(&judge(Method::GET, MESSAGES, Some("application/json"), Some(&body)), "", "a body, where Discord takes none");
    assert_eq!(judge(Method::POST, MESSAGES, Some("Application/JSON; charset=utf-8"), Some(&body)), []);
}
