use serde_json::Value;

use super::form::{Form, FormError, Place};

/// Checks a channel that is about to be created.
///
/// # Errors
///
/// 50035 when a field breaks a rule.
pub fn channel(body: &Value) -> Result<(), FormError> {
    let mut form = Form::default();
    form.required_text(body, &Place::default(), "name", 1..=100);
    settings(body, &mut form);
    form.finish()
}

/// Checks the change of a channel or thread.
///
/// # Errors
///
/// 50035 when a field breaks a rule.
pub fn channel_edit(body: &Value) -> Result<(), FormError> {
    let mut form = Form::default();
    form.text(body, &Place::default(), "name", 1..=100);
    settings(body, &mut form);
    form.finish()
}

fn settings(body: &Value, form: &mut Form) {
    let root = Place::default();
    // Forum (15) and media (16) channels show their topic as guidelines, which may be longer.
    let is_forum = matches!(body["type"].as_u64(), Some(15 | 16)) || !body["available_tags"].is_null();
    form.text(body, &root, "topic", 0..=if is_forum { 4096 } else { 1024 });
    form.number(body, &root, "rate_limit_per_user", 0..=21_600);
    let overwrites = form.list(body, &root, "permission_overwrites");
    form.length(&root.at("permission_overwrites"), overwrites.len(), 0..=100);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::form::assert_refused, *};

    #[test]
    fn a_channel_has_a_name_of_1_to_100_characters() {
        assert_eq!(channel(&json!({ "name": "ä".repeat(100) })), Ok(()));
        assert_refused(channel(&json!({})), "name", "BASE_TYPE_REQUIRED");
        assert_refused(channel(&json!({ "name": "" })), "name", "BASE_TYPE_BAD_LENGTH");
        assert_refused(channel(&json!({ "name": "x".repeat(101) })), "name", "BASE_TYPE_BAD_LENGTH");
        assert_eq!(channel_edit(&json!({})), Ok(()));
        assert_refused(channel_edit(&json!({ "name": "x".repeat(101) })), "name", "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn a_topic_has_1024_characters_and_4096_in_a_forum() {
        assert_refused(channel_edit(&json!({ "topic": "x".repeat(1025) })), "topic", "BASE_TYPE_MAX_LENGTH");
        assert_eq!(channel(&json!({ "name": "x", "type": 15, "topic": "x".repeat(4096) })), Ok(()));
        assert_eq!(channel_edit(&json!({ "topic": null })), Ok(()));
    }

    #[test]
    fn slow_mode_and_overwrites_have_limits() {
        assert_refused(
            channel_edit(&json!({ "rate_limit_per_user": 21_601 })),
            "rate_limit_per_user",
            "NUMBER_TYPE_MAX",
        );
        let many = vec![json!({ "id": "1" }); 101];
        assert_refused(
            channel(&json!({ "name": "x", "permission_overwrites": many })),
            "permission_overwrites",
            "BASE_TYPE_MAX_LENGTH",
        );
    }
}
