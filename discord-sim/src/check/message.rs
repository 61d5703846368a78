use serde_json::Value;

use super::{
    components,
    embeds::embeds,
    form::{Form, FormError, Place},
    layout,
};

/// The flag of a message that consists of components only.
const IS_COMPONENTS_V2: u64 = 1 << 15;

/// What a message of components must not have beside them.
const LEGACY_FIELDS: [&str; 4] = ["content", "embeds", "poll", "sticker_ids"];

/// Checks a message that is about to be created: by a channel, a webhook, a follow-up or an interaction's answer.
///
/// # Errors
///
/// 50035 when a field breaks a rule, 50006 when nothing would be shown.
pub fn message(body: &Value, has_files: bool) -> Result<(), FormError> {
    let mut form = Form::default();
    parts(body, flags(body) & IS_COMPONENTS_V2 != 0, &mut form);
    form.finish()?;
    if is_empty(body) && !has_files {
        return Err(empty());
    }
    Ok(())
}

/// Checks the change of a message, which was one of components before if `was_v2`; a change cannot take that flag away.
///
/// # Errors
///
/// 50035 when a field breaks a rule, 50006 when the change itself clears all that a message can show.
pub fn message_edit(body: &Value, was_v2: bool) -> Result<(), FormError> {
    let mut form = Form::default();
    parts(body, was_v2 || flags(body) & IS_COMPONENTS_V2 != 0, &mut form);
    form.finish()?;
    let clears = |key: &str| body.get(key).is_some_and(|value| is_blank(Some(value)));
    if ["content", "embeds", "components", "attachments"].into_iter().all(clears) {
        return Err(empty());
    }
    Ok(())
}

fn parts(body: &Value, v2: bool, form: &mut Form) {
    let root = Place::default();
    form.text(body, &root, "content", 0..=2000);
    embeds(body, form);
    let attachments = form.list(body, &root, "attachments");
    form.length(&root.at("attachments"), attachments.len(), 0..=10);
    let stickers = form.list(body, &root, "sticker_ids");
    form.length(&root.at("sticker_ids"), stickers.len(), 0..=3);
    mentions(&body["allowed_mentions"], &root.at("allowed_mentions"), form);

    let list = form.list(body, &root, "components");
    if v2 {
        for key in LEGACY_FIELDS.into_iter().filter(|key| !is_blank(body.get(key))) {
            let text = format!("The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
            form.add(&root.at(key), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text);
        }
        layout::layout(list, &root.at("components"), form);
    } else {
        components::rows(list, &root.at("components"), form);
    }
}

fn mentions(allowed: &Value, place: &Place, form: &mut Form) {
    for kind in ["users", "roles"] {
        let named = form.list(allowed, place, kind);
        form.length(&place.at(kind), named.len(), 0..=100);
        let all = allowed["parse"].as_array().is_some_and(|parse| parse.iter().any(|entry| entry == kind));
        if all && !named.is_empty() {
            let text = format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
            form.add(place, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text);
        }
    }
}

fn is_empty(body: &Value) -> bool {
    let forwards = body["message_reference"]["type"] == 1;
    !forwards && LEGACY_FIELDS.iter().chain(&["components"]).all(|key| is_blank(body.get(key)))
}

/// Whether a field holds nothing that could be shown.
fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn flags(body: &Value) -> u64 {
    body["flags"].as_u64().unwrap_or(0)
}

fn empty() -> FormError {
    FormError::plain(50006, "Cannot send an empty message")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::form::assert_refused, *};

    #[test]
    fn a_message_needs_something_to_show() {
        let check = |body: Value| {
            assert_eq!(
                message(&body, false).unwrap_err().body(),
                json!({ "code": 50006, "message": "Cannot send an empty message" })
            );
        };
        check(json!({}));
        check(Value::Null);
        check(json!({ "content": "  \n", "embeds": [], "components": null }));
        check(json!({ "flags": 1 << 15, "components": [] }));
        for body in
            [json!({ "content": "x" }), json!({ "embeds": [{ "title": "x" }] }), json!({ "sticker_ids": ["1"] })]
        {
            assert_eq!(message(&body, false), Ok(()));
        }
        assert_eq!(message(&json!({}), true), Ok(()));
        assert_eq!(
            message(&json!({ "message_reference": { "type": 1, "message_id": "1", "channel_id": "2" } }), false),
            Ok(())
        );
    }

    #[test]
    fn content_has_at_most_2000_characters_not_bytes() {
        assert_eq!(message(&json!({ "content": "ä".repeat(2000) }), false), Ok(()));
        assert_refused(message(&json!({ "content": "x".repeat(2001) }), false), "content", "BASE_TYPE_MAX_LENGTH");
    }

    #[test]
    fn a_change_may_leave_things_out_but_not_clear_everything() {
        assert_eq!(message_edit(&json!({}), false), Ok(()));
        assert_eq!(message_edit(&json!({ "content": "" }), false), Ok(()));
        let cleared = json!({ "content": null, "embeds": [], "components": [], "attachments": [] });
        assert_eq!(message_edit(&cleared, false).unwrap_err().code, 50006);
        assert_refused(message_edit(&json!({ "content": "x".repeat(2001) }), false), "content", "BASE_TYPE_MAX_LENGTH");
    }

    #[test]
    fn a_message_of_components_has_nothing_beside_them() {
        let code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2";
        let text = json!([{ "type": 10, "content": "x" }]);
        let body = json!({ "flags": 1 << 15, "content": "x", "components": text });
        assert_refused(message(&body, false), "content", code);
        let body = json!({ "flags": 1 << 15, "embeds": [{ "title": "x" }], "components": text });
        assert_refused(message(&body, false), "embeds", code);
        let body = json!({ "flags": 1 << 15, "content": "", "embeds": [], "components": text });
        assert_eq!(message(&body, false), Ok(()));
    }

    #[test]
    fn a_change_cannot_take_the_flag_away() {
        let code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2";
        assert_refused(message_edit(&json!({ "content": "x", "flags": 0 }), true), "content", code);
        assert_eq!(message_edit(&json!({ "components": [{ "type": 10, "content": "x" }] }), true), Ok(()));
    }

    #[test]
    fn mentions_are_allowed_by_kind_or_by_id() {
        let body = json!({ "content": "x", "allowed_mentions": { "parse": ["users"], "users": ["1"] } });
        assert_refused(message(&body, false), "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE");
        let body = json!({ "content": "x", "allowed_mentions": { "parse": ["roles"], "users": ["1"] } });
        assert_eq!(message(&body, false), Ok(()));
    }

    #[test]
    fn a_message_has_at_most_ten_attachments_and_three_stickers() {
        let body =
            json!({ "content": "x", "attachments": vec![json!({ "id": 0 }); 11], "sticker_ids": ["1", "2", "3", "4"] });
        assert_refused(message(&body, false), "attachments", "BASE_TYPE_MAX_LENGTH");
        assert_refused(message(&body, false), "sticker_ids", "BASE_TYPE_MAX_LENGTH");
    }
}
