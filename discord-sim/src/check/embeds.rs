use serde_json::Value;

use super::form::{Form, Place};

/// The most characters of all embeds of a message together.
const MAX_TOTAL: usize = 6000;

/// Checks the embeds of a message.
pub(super) fn embeds(body: &Value, form: &mut Form) {
    let place = Place::default().at("embeds");
    let embeds = form.list(body, &Place::default(), "embeds");
    form.length(&place, embeds.len(), 0..=10);
    let mut total = 0;
    for (index, embed) in embeds.iter().enumerate() {
        total += embed_characters(embed, &place.at(index), form);
    }
    if total > MAX_TOTAL {
        form.add(&place, "MAX_EMBED_SIZE_EXCEEDED", format!("Embed size exceeds maximum size of {MAX_TOTAL}"));
    }
}

/// Checks one embed and counts the characters that go into the total.
fn embed_characters(embed: &Value, place: &Place, form: &mut Form) -> usize {
    let mut total = 0;
    let mut text = |object: &Value, place: &Place, key: &str, max: usize, form: &mut Form| {
        // Discord counts what is left when the blanks at both ends are cut off.
        let length = object[key].as_str().map_or(0, |text| text.trim().chars().count());
        form.length(&place.at(key), length, 0..=max);
        total += length;
        length
    };
    text(embed, place, "title", 256, form);
    text(embed, place, "description", 4096, form);
    text(&embed["footer"], &place.at("footer"), "text", 2048, form);
    text(&embed["author"], &place.at("author"), "name", 256, form);
    let fields = form.list(embed, place, "fields");
    form.length(&place.at("fields"), fields.len(), 0..=25);
    for (index, field) in fields.iter().enumerate() {
        let place = place.at("fields").at(index);
        for (key, max) in [("name", 256), ("value", 1024)] {
            if text(field, &place, key, max, form) == 0 {
                form.required(&place.at(key));
            }
        }
    }
    let pictures = ["image", "thumbnail", "video"].iter().any(|key| embed[key].is_object());
    if total == 0 && !pictures {
        form.required(&place.at("description"));
    }
    total
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{form::assert_refused, message};

    #[track_caller]
    fn refused(embeds: Value, path: &str, code: &str) {
        assert_refused(message(&json!({ "embeds": embeds }), false), path, code);
    }

    #[test]
    fn every_text_of_an_embed_has_its_limit() {
        let check =
            |embed: Value, path: &str| refused(json!([embed]), &format!("embeds.0.{path}"), "BASE_TYPE_MAX_LENGTH");
        check(json!({ "title": "x".repeat(257) }), "title");
        check(json!({ "description": "x".repeat(4097) }), "description");
        check(json!({ "footer": { "text": "x".repeat(2049) } }), "footer.text");
        check(json!({ "author": { "name": "x".repeat(257) } }), "author.name");
        check(json!({ "fields": [{ "name": "x".repeat(257), "value": "x" }] }), "fields.0.name");
        check(json!({ "fields": [{ "name": "x", "value": "x".repeat(1025) }] }), "fields.0.value");
        check(json!({ "title": "x", "fields": vec![json!({ "name": "x", "value": "x" }); 26] }), "fields");
    }

    #[test]
    fn a_message_has_at_most_ten_embeds() {
        refused(json!(vec![json!({ "title": "x" }); 11]), "embeds", "BASE_TYPE_MAX_LENGTH");
    }

    #[test]
    fn all_embeds_together_have_at_most_6000_characters() {
        let embed = |length: usize| json!({ "description": "x".repeat(length) });
        refused(json!([embed(4096), embed(1905)]), "embeds", "MAX_EMBED_SIZE_EXCEEDED");
        assert_eq!(message(&json!({ "embeds": [embed(4096), embed(1904)] }), false), Ok(()));
    }

    #[test]
    fn fields_and_embeds_must_not_be_empty() {
        refused(json!([{}]), "embeds.0.description", "BASE_TYPE_REQUIRED");
        refused(json!([{ "color": 5 }]), "embeds.0.description", "BASE_TYPE_REQUIRED");
        refused(json!([{ "fields": [{ "name": " ", "value": "x" }] }]), "embeds.0.fields.0.name", "BASE_TYPE_REQUIRED");
        assert_eq!(message(&json!({ "embeds": [{ "image": { "url": "https://example.com/a.png" } }] }), false), Ok(()));
    }

    #[test]
    fn blanks_at_the_ends_do_not_count() {
        let title = format!("  {}  ", "ä".repeat(256));
        assert_eq!(message(&json!({ "embeds": [{ "title": title }] }), false), Ok(()));
    }
}
