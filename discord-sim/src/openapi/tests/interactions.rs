use axum::http::Method;
use serde_json::{Value, json};

use super::{super::Judge, accepts, names, request};

const CALLBACK: &str = "/interactions/1100000000000000020/aW50ZXJhY3Rpb246token/callback";

#[test]
fn every_type_of_callback_is_accepted() {
    for body in [
        json!({ "type": 1 }),
        json!({ "type": 4, "data": { "content": "Opened <#5>", "flags": 64, "embeds": [{ "description": "done" }], "components": [] } }),
        json!({ "type": 5 }),
        json!({ "type": 5, "data": { "flags": 64 } }),
        json!({ "type": 6 }),
        json!({ "type": 7, "data": { "content": "Closed", "components": [] } }),
        json!({ "type": 8, "data": { "choices": [{ "name": "Solved", "value": "solved" }, { "name": "Solved 2", "value": "x" }] } }),
        json!({ "type": 8, "data": { "choices": [{ "name": "one", "value": 1 }] } }),
        json!({ "type": 8, "data": { "choices": [] } }),
        json!({ "type": 9, "data": modal() }),
        json!({ "type": 12 }),
    ] {
        accepts(Method::POST, CALLBACK, &body);
        accepts(Method::POST, &format!("{CALLBACK}?with_response=true"), &body);
    }
}

#[test]
fn a_callback_may_come_as_a_form() {
    let body = json!({ "type": 4, "data": { "content": "see", "attachments": [{ "id": "0", "filename": "a.txt" }] } });
    let mismatches =
        Judge::shared().request(&Method::POST, CALLBACK, None, Some("multipart/form-data; boundary=x"), Some(&body));
    assert_eq!(mismatches, []);
}

#[test]
fn a_modal_of_action_rows_is_accepted() {
    let row = json!({ "type": 1, "components": [{ "type": 4, "custom_id": "reason", "style": 1, "label": "Reason" }] });
    accepts(
        Method::POST,
        CALLBACK,
        &json!({ "type": 9, "data": { "custom_id": "t1:close-form:42", "title": "Close", "components": [row] } }),
    );
}

#[test]
fn an_unknown_type_of_callback_is_named() {
    names(&request(Method::POST, CALLBACK, &json!({ "type": 99 })), "/type", "99 is none of 8, 4, 5, 12, 9");
    names(&request(Method::POST, CALLBACK, &json!({ "data": {} })), "", "type is missing");
}

#[test]
fn an_error_in_a_callback_is_shown_where_it_stands() {
    let broken = json!({ "type": 4, "data": { "embeds": [{ "fields": [{ "name": "a", "value": 5 }] }] } });
    names(&request(Method::POST, CALLBACK, &broken), "/data/embeds/0/fields/0/value", "5 is not string");
    names(
        &request(Method::POST, CALLBACK, &json!({ "type": 9, "data": { "custom_id": "x", "title": "t" } })),
        "/data",
        "components is missing",
    );

    let mut broken = modal();
    broken["components"][1]["component"]["style"] = json!(7);
    names(
        &request(Method::POST, CALLBACK, &json!({ "type": 9, "data": broken })),
        "/data/components/1/component/style",
        "7 is none of 1, 2",
    );
}

fn modal() -> Value {
    json!({
        "custom_id": "t1:close-form:42",
        "title": "Close ticket 42",
        "components": [
            { "type": 10, "content": "Tell us how it went." },
            { "type": 18, "label": "Reason", "description": "Anybody in the ticket sees it",
              "component": { "type": 4, "custom_id": "reason", "style": 2, "required": false, "max_length": 1024, "placeholder": "Solved" } },
            { "type": 18, "label": "Topic",
              "component": { "type": 3, "custom_id": "topic", "required": true, "options": [{ "label": "Billing", "value": "b" }] } },
            { "type": 18, "label": "Proof", "component": { "type": 19, "custom_id": "proof", "min_values": 0, "max_values": 10 } },
            { "type": 18, "label": "Who", "component": { "type": 5, "custom_id": "who", "max_values": 1 } },
        ],
    })
}
