use serde_json::Value;

use super::{
    components::{ACTION_ROW, BUTTON, CustomIds, button, expect_type, kind, row},
    form::{Form, Place},
};

const SECTION: u64 = 9;
const TEXT_DISPLAY: u64 = 10;
const THUMBNAIL: u64 = 11;
const MEDIA_GALLERY: u64 = 12;
const FILE: u64 = 13;
const SEPARATOR: u64 = 14;
const CONTAINER: u64 = 17;

/// What may stand in a container.
const INNER: [u64; 6] = [ACTION_ROW, SECTION, TEXT_DISPLAY, MEDIA_GALLERY, FILE, SEPARATOR];
/// What may stand at the top of a message.
const OUTER: [u64; 7] = [ACTION_ROW, SECTION, TEXT_DISPLAY, MEDIA_GALLERY, FILE, SEPARATOR, CONTAINER];

/// The most components of a message, those inside others included.
const MAX_COMPONENTS: usize = 40;
/// The most characters of all texts of a message together.
const MAX_TEXT: usize = 4000;

/// Checks the components of a message with the flag `IS_COMPONENTS_V2`.
pub(super) fn layout(components: &[Value], place: &Place, form: &mut Form) {
    let mut layout = Layout::default();
    for (index, component) in components.iter().enumerate() {
        layout.component(component, &place.at(index), &OUTER, form);
    }
    if layout.components > MAX_COMPONENTS {
        let text = format!("Total number of components cannot exceed {MAX_COMPONENTS}");
        form.add(place, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", text);
    }
    if layout.characters > MAX_TEXT {
        let text = format!("Components displayable text size exceeds maximum size of {MAX_TEXT}");
        form.add(place, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text);
    }
}

/// What is counted over the whole message.
#[derive(Default)]
struct Layout<'a> {
    components: usize,
    characters: usize,
    ids: CustomIds<'a>,
}

impl<'a> Layout<'a> {
    fn component(&mut self, component: &'a Value, place: &Place, allowed: &[u64], form: &mut Form) {
        self.components += 1;
        if !expect_type(component, place, allowed, form) {
            return;
        }
        match kind(component) {
            ACTION_ROW => {
                self.components += component["components"].as_array().map_or(0, Vec::len);
                row(component, place, &mut self.ids, form);
            }
            CONTAINER => {
                form.number(component, place, "accent_color", 0..=0xFF_FFFF);
                self.children(component, place, 1..=MAX_COMPONENTS, &INNER, form);
            }
            SECTION => {
                self.children(component, place, 1..=3, &[TEXT_DISPLAY], form);
                if component["accessory"].is_null() {
                    form.required(&place.at("accessory"));
                } else {
                    self.component(&component["accessory"], &place.at("accessory"), &[BUTTON, THUMBNAIL], form);
                }
            }
            BUTTON => button(component, place, &mut self.ids, form),
            TEXT_DISPLAY => {
                let text = form.required_text(component, place, "content", 1..=MAX_TEXT);
                self.characters += text.map_or(0, |text| text.chars().count());
            }
            THUMBNAIL => media(component, "media", place, form),
            MEDIA_GALLERY => {
                let items = form.list(component, place, "items");
                form.length(&place.at("items"), items.len(), 1..=10);
                for (index, item) in items.iter().enumerate() {
                    media(item, "media", &place.at("items").at(index), form);
                }
            }
            FILE => {
                media(component, "file", place, form);
                let url = component["file"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("attachment://") {
                    let text = "File components only support attachment:// references";
                    form.add(&place.at("file").at("url"), "UNFURLED_MEDIA_ITEM_ATTACHMENT_REQUIRED", text);
                }
            }
            _ => {}
        }
    }

    fn children(
        &mut self,
        parent: &'a Value,
        place: &Place,
        count: std::ops::RangeInclusive<usize>,
        allowed: &[u64],
        form: &mut Form,
    ) {
        let list = form.list(parent, place, "components");
        let place = place.at("components");
        form.length(&place, list.len(), count);
        for (index, component) in list.iter().enumerate() {
            self.component(component, &place.at(index), allowed, form);
        }
    }
}

/// Checks a picture or file: an address, and a description.
fn media(item: &Value, key: &str, place: &Place, form: &mut Form) {
    form.text(item, place, "description", 0..=1024);
    form.required_text(&item[key], &place.at(key), "url", 1..=2048);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{form::assert_refused, message};

    fn v2(components: &Value) -> Value {
        json!({ "flags": 1 << 15, "components": components })
    }

    fn text(content: &str) -> Value {
        json!({ "type": 10, "content": content })
    }

    #[track_caller]
    fn refused(components: &Value, path: &str, code: &str) {
        assert_refused(message(&v2(components), false), path, code);
    }

    #[test]
    fn a_whole_layout_passes() {
        let body = v2(&json!([{ "type": 17, "accent_color": 0xFF_FFFF, "components": [
            text("# Ticket"),
            { "type": 14 },
            { "type": 9, "components": [text("a"), text("b")], "accessory": { "type": 2, "style": 4, "label": "x", "custom_id": "c" } },
            { "type": 9, "components": [text("a")], "accessory": { "type": 11, "media": { "url": "https://example.com/a.png" } } },
            { "type": 12, "items": [{ "media": { "url": "attachment://a.png" } }] },
            { "type": 13, "file": { "url": "attachment://a.html" } },
            { "type": 1, "components": [{ "type": 2, "style": 1, "label": "x", "custom_id": "d" }] },
        ] }]));
        assert_eq!(message(&body, false), Ok(()));
    }

    #[test]
    fn forty_components_pass_and_no_more_with_those_inside_others() {
        let texts = |count: usize| (0..count).map(|_| text("x")).collect::<Vec<_>>();
        assert_eq!(message(&v2(&json!(texts(40))), false), Ok(()));
        refused(&json!(texts(41)), "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED");
        refused(
            &json!([{ "type": 17, "components": texts(40) }]),
            "components",
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
        );
        let section = |n: usize| json!({ "type": 9, "components": [text("x")], "accessory": { "type": 2, "style": 1, "label": "x", "custom_id": n.to_string() } });
        refused(&(0..14).map(section).collect(), "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED");
        assert_eq!(message(&v2(&(0..13).map(section).collect()), false), Ok(()));
    }

    #[test]
    fn all_texts_together_have_at_most_4000_characters() {
        assert_eq!(message(&v2(&json!([text(&"x".repeat(4000))])), false), Ok(()));
        refused(
            &json!([text(&"x".repeat(3000)), text(&"x".repeat(1001))]),
            "components",
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
        );
        refused(&json!([text("")]), "components.0.content", "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn components_stand_only_where_they_may() {
        refused(
            &json!([{ "type": 2, "style": 1, "label": "x", "custom_id": "a" }]),
            "components.0",
            "UNION_TYPE_CHOICES",
        );
        let nested = json!([{ "type": 17, "components": [{ "type": 17, "components": [text("x")] }] }]);
        refused(&nested, "components.0.components.0", "UNION_TYPE_CHOICES");
        let section = json!([{ "type": 9, "components": [text("x")], "accessory": text("x") }]);
        refused(&section, "components.0.accessory", "UNION_TYPE_CHOICES");
    }

    #[test]
    fn a_section_has_1_to_3_texts_and_an_accessory() {
        let button = json!({ "type": 2, "style": 1, "label": "x", "custom_id": "a" });
        let texts = vec![text("x"); 4];
        refused(
            &json!([{ "type": 9, "components": texts, "accessory": button }]),
            "components.0.components",
            "BASE_TYPE_BAD_LENGTH",
        );
        refused(&json!([{ "type": 9, "components": [text("x")] }]), "components.0.accessory", "BASE_TYPE_REQUIRED");
    }

    #[test]
    fn galleries_and_files_name_their_media() {
        let item = json!({ "media": { "url": "https://example.com/a.png" } });
        refused(&json!([{ "type": 12, "items": vec![item; 11] }]), "components.0.items", "BASE_TYPE_BAD_LENGTH");
        refused(&json!([{ "type": 12, "items": [{}] }]), "components.0.items.0.media.url", "BASE_TYPE_REQUIRED");
        let file = json!([{ "type": 13, "file": { "url": "https://example.com/a.html" } }]);
        refused(&file, "components.0.file.url", "UNFURLED_MEDIA_ITEM_ATTACHMENT_REQUIRED");
    }

    #[test]
    fn custom_ids_differ_over_rows_and_accessories() {
        let button = json!({ "type": 2, "style": 1, "label": "x", "custom_id": "a" });
        let body = json!([
            { "type": 1, "components": [button] },
            { "type": 9, "components": [text("x")], "accessory": button },
        ]);
        refused(&body, "components.1.accessory.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED");
    }
}
