use std::collections::HashSet;

use serde_json::Value;

use super::form::{Form, Place};

pub(super) const ACTION_ROW: u64 = 1;
pub(super) const BUTTON: u64 = 2;
pub(super) const STRING_SELECT: u64 = 3;
pub(super) const TEXT_INPUT: u64 = 4;

/// Selects fill a row: of texts, users, roles, both, channels.
pub(super) const SELECTS: [u64; 5] = [STRING_SELECT, 5, 6, 7, 8];

/// How wide a row is; a button is one wide, a select five.
const ROW_WIDTH: usize = 5;

/// The `custom_id`s of one message or modal, which must differ.
#[derive(Default)]
pub(super) struct CustomIds<'a>(HashSet<&'a str>);

impl<'a> CustomIds<'a> {
    /// Checks the length of the component's `custom_id` and that it is the first of its kind.
    pub(super) fn check(&mut self, component: &'a Value, place: &Place, form: &mut Form) {
        let id = form.text(component, place, "custom_id", 1..=100);
        if id.is_some_and(|id| !self.0.insert(id)) {
            form.add(
                &place.at("custom_id"),
                "COMPONENT_CUSTOM_ID_DUPLICATED",
                "Component custom id cannot be duplicated",
            );
        }
    }
}

/// Checks the components of a message without the flag for more: up to five action rows.
pub(super) fn rows(components: &[Value], place: &Place, form: &mut Form) {
    form.length(place, components.len(), 0..=5);
    let mut ids = CustomIds::default();
    for (index, component) in components.iter().enumerate() {
        let place = place.at(index);
        if expect_type(component, &place, &[ACTION_ROW], form) {
            row(component, &place, &mut ids, form);
        }
    }
}

/// Checks an action row of a message.
pub(super) fn row<'a>(row: &'a Value, place: &Place, ids: &mut CustomIds<'a>, form: &mut Form) {
    let list = form.list(row, place, "components");
    let place = place.at("components");
    form.length(&place, list.len(), 1..=ROW_WIDTH);
    let mut width = 0;
    for (index, component) in list.iter().enumerate() {
        let place = place.at(index);
        if !expect_type(component, &place, &[BUTTON, 3, 5, 6, 7, 8], form) {
            continue;
        }
        if kind(component) == BUTTON {
            width += 1;
            button(component, &place, ids, form);
        } else {
            width += ROW_WIDTH;
            select(component, &place, ids, form);
        }
        if width > ROW_WIDTH {
            form.add(&place, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width");
        }
    }
}

/// Checks a button: ordinary ones have a `custom_id`, links a `url`, premium ones a `sku_id`.
pub(super) fn button<'a>(button: &'a Value, place: &Place, ids: &mut CustomIds<'a>, form: &mut Form) {
    let has = |key: &str| !matches!(&button[key], Value::Null) && button[key] != "";
    let style = button["style"].as_u64().unwrap_or(0);
    form.text(button, place, "label", 0..=80);
    ids.check(button, place, form);
    match style {
        1..=4 => {
            if !has("custom_id") {
                form.add(&place.at("custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required");
            }
            if has("url") {
                let text = "A custom id and url cannot both be specified";
                form.add(&place.at("custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", text);
            }
        }
        5 => {
            if !has("url") {
                form.add(&place.at("url"), "BUTTON_COMPONENT_URL_REQUIRED", "A url is required");
            }
            if has("custom_id") {
                let text = "A custom id and url cannot both be specified";
                form.add(&place.at("custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", text);
            }
            form.text(button, place, "url", 1..=512);
        }
        6 => {
            if !has("sku_id") {
                form.required(&place.at("sku_id"));
            }
            for key in ["custom_id", "label", "url", "emoji"].into_iter().filter(|key| has(key)) {
                form.add(&place.at(key), "BUTTON_COMPONENT_PREMIUM_INVALID", "A premium button has only a sku");
            }
            return;
        }
        _ => form.add(&place.at("style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6)."),
    }
    if !has("label") && !has("emoji") {
        form.add(&place.at("label"), "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A label or emoji is required");
    }
}

/// Checks a select of a message or of a modal.
pub(super) fn select<'a>(select: &'a Value, place: &Place, ids: &mut CustomIds<'a>, form: &mut Form) {
    require_custom_id(select, place, form);
    ids.check(select, place, form);
    form.text(select, place, "placeholder", 0..=150);
    form.number(select, place, "min_values", 0..=25);
    form.number(select, place, "max_values", 1..=25);
    form.ordered(select, place, "min_values", "max_values");
    let most = select["max_values"].as_u64().unwrap_or(1);
    if kind(select) == STRING_SELECT {
        let defaults = options(select, place, 1..=25, form);
        too_many_defaults(defaults, most, &place.at("options"), form);
    } else {
        let defaults = form.list(select, place, "default_values").len();
        too_many_defaults(defaults, most, &place.at("default_values"), form);
    }
}

fn too_many_defaults(defaults: usize, most: u64, place: &Place, form: &mut Form) {
    if u64::try_from(defaults).is_ok_and(|defaults| defaults > most) {
        let text = "The specified number of default values exceeds the specified maximum values";
        form.add(place, "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES", text);
    }
}

/// Checks the options of a select or of a group of boxes, and counts those chosen beforehand.
pub(super) fn options(
    component: &Value,
    place: &Place,
    allowed: std::ops::RangeInclusive<usize>,
    form: &mut Form,
) -> usize {
    let list = form.list(component, place, "options");
    let place = place.at("options");
    form.length(&place, list.len(), allowed);
    let mut values = HashSet::new();
    for (index, option) in list.iter().enumerate() {
        let place = place.at(index);
        form.required_text(option, &place, "label", 1..=100);
        form.text(option, &place, "description", 0..=100);
        let value = form.required_text(option, &place, "value", 1..=100);
        if value.is_some_and(|value| !values.insert(value)) {
            form.add(&place, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used");
        }
    }
    list.iter().filter(|option| option["default"] == true).count()
}

pub(super) fn require_custom_id(component: &Value, place: &Place, form: &mut Form) {
    if component["custom_id"].is_null() {
        form.required(&place.at("custom_id"));
    }
}

/// Whether the component is of one of the types; enters an error when it is not.
pub(super) fn expect_type(component: &Value, place: &Place, allowed: &[u64], form: &mut Form) -> bool {
    let fits = allowed.contains(&kind(component));
    if !fits {
        let names = allowed.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        form.add(place, "UNION_TYPE_CHOICES", format!("Value of field \"type\" must be one of ({names})."));
    }
    fits
}

/// The type of a component; 0, which Discord does not use, when it has none.
pub(super) fn kind(component: &Value) -> u64 {
    component["type"].as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{form::assert_refused, message};

    fn rows(rows: &Value) -> Value {
        json!({ "content": "x", "components": rows })
    }

    fn row(components: &Value) -> Value {
        rows(&json!([{ "type": 1, "components": components }]))
    }

    fn button(id: &str) -> Value {
        json!({ "type": 2, "style": 1, "label": "x", "custom_id": id })
    }

    #[track_caller]
    fn refused(body: &Value, path: &str, code: &str) {
        assert_refused(message(body, false), path, code);
    }

    #[track_caller]
    fn refused_alone(component: &Value, path: &str, code: &str) {
        let path = format!("components.0.components.0.{path}");
        refused(&row(&json!([component])), path.trim_end_matches('.'), code);
    }

    #[test]
    fn five_rows_of_five_buttons_pass_and_no_more() {
        let full = |index: usize| json!({ "type": 1, "components": (0..5).map(|n| button(&format!("{index}-{n}"))).collect::<Vec<_>>() });
        assert_eq!(message(&rows(&(0..5).map(full).collect()), false), Ok(()));
        refused(&rows(&(0..6).map(full).collect()), "components", "BASE_TYPE_MAX_LENGTH");
        let six = row(&(0..6).map(|n| button(&n.to_string())).collect());
        refused(&six, "components.0.components", "BASE_TYPE_BAD_LENGTH");
        refused(&six, "components.0.components.5", "COMPONENT_LAYOUT_WIDTH_EXCEEDED");
        refused(&row(&json!([])), "components.0.components", "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn a_select_is_alone_in_its_row() {
        let select = json!({ "type": 5, "custom_id": "s" });
        assert_eq!(message(&row(&json!([select])), false), Ok(()));
        refused(&row(&json!([button("a"), select])), "components.0.components.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED");
        refused(&row(&json!([select, button("a")])), "components.0.components.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED");
    }

    #[test]
    fn custom_ids_differ_over_all_rows() {
        let body = rows(
            &json!([{ "type": 1, "components": [button("a")] }, { "type": 1, "components": [button("b"), button("a")] }]),
        );
        refused(&body, "components.1.components.1.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED");
    }

    #[test]
    fn a_custom_id_has_1_to_100_characters() {
        refused_alone(&button(&"x".repeat(101)), "custom_id", "BASE_TYPE_BAD_LENGTH");
        refused_alone(&button(""), "custom_id", "BASE_TYPE_BAD_LENGTH");
        assert_eq!(message(&row(&json!([button(&"x".repeat(100))])), false), Ok(()));
    }

    #[test]
    fn an_ordinary_button_has_a_custom_id_and_a_link_has_a_url() {
        refused_alone(
            &json!({ "type": 2, "style": 1, "label": "x" }),
            "custom_id",
            "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
        );
        let both = "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE";
        let url = "https://example.com";
        refused_alone(&json!({ "type": 2, "style": 1, "label": "x", "custom_id": "a", "url": url }), "custom_id", both);
        refused_alone(&json!({ "type": 2, "style": 5, "label": "x", "custom_id": "a", "url": url }), "custom_id", both);
        refused_alone(&json!({ "type": 2, "style": 5, "label": "x" }), "url", "BUTTON_COMPONENT_URL_REQUIRED");
        assert_eq!(message(&row(&json!([{ "type": 2, "style": 5, "label": "x", "url": url }])), false), Ok(()));
    }

    #[test]
    fn a_premium_button_has_only_a_sku() {
        assert_eq!(message(&row(&json!([{ "type": 2, "style": 6, "sku_id": "5" }])), false), Ok(()));
        refused_alone(&json!({ "type": 2, "style": 6 }), "sku_id", "BASE_TYPE_REQUIRED");
        refused_alone(
            &json!({ "type": 2, "style": 6, "sku_id": "5", "label": "x" }),
            "label",
            "BUTTON_COMPONENT_PREMIUM_INVALID",
        );
    }

    #[test]
    fn a_button_has_a_style_and_a_label_of_80_characters_or_an_emoji() {
        refused_alone(&json!({ "type": 2, "style": 9, "label": "x", "custom_id": "a" }), "style", "BASE_TYPE_CHOICES");
        refused_alone(
            &json!({ "type": 2, "style": 1, "label": "x".repeat(81), "custom_id": "a" }),
            "label",
            "BASE_TYPE_MAX_LENGTH",
        );
        refused_alone(
            &json!({ "type": 2, "style": 1, "custom_id": "a" }),
            "label",
            "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED",
        );
        assert_eq!(
            message(&row(&json!([{ "type": 2, "style": 1, "custom_id": "a", "emoji": { "name": "🔒" } }])), false),
            Ok(())
        );
    }

    #[test]
    fn a_select_has_1_to_25_options_with_values_that_differ() {
        let select = |options: Value| json!({ "type": 3, "custom_id": "s", "options": options });
        let option = |value: String| json!({ "label": "x", "value": value });
        let many = |count: usize| (0..count).map(|n| option(n.to_string())).collect::<Value>();
        assert_eq!(message(&row(&json!([select(many(25))])), false), Ok(()));
        refused_alone(&select(many(26)), "options", "BASE_TYPE_BAD_LENGTH");
        refused_alone(&select(json!([])), "options", "BASE_TYPE_BAD_LENGTH");
        let twice = json!([option("a".into()), option("a".into())]);
        refused_alone(&select(twice), "options.1", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED");
        refused_alone(
            &select(json!([{ "label": "x".repeat(101), "value": "a" }])),
            "options.0.label",
            "BASE_TYPE_BAD_LENGTH",
        );
        let both =
            json!([{ "label": "a", "value": "a", "default": true }, { "label": "b", "value": "b", "default": true }]);
        refused_alone(&select(both), "options", "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES");
    }

    #[test]
    fn a_select_has_a_custom_id_and_bounds_in_order() {
        refused_alone(&json!({ "type": 5 }), "custom_id", "BASE_TYPE_REQUIRED");
        refused_alone(&json!({ "type": 5, "custom_id": "s", "max_values": 26 }), "max_values", "NUMBER_TYPE_MAX");
        refused_alone(&json!({ "type": 5, "custom_id": "s", "max_values": 0 }), "max_values", "NUMBER_TYPE_MIN");
        refused_alone(
            &json!({ "type": 5, "custom_id": "s", "min_values": 3, "max_values": 2 }),
            "min_values",
            "NUMBER_TYPE_MAX",
        );
        refused_alone(
            &json!({ "type": 5, "custom_id": "s", "placeholder": "x".repeat(151) }),
            "placeholder",
            "BASE_TYPE_MAX_LENGTH",
        );
    }

    #[test]
    fn newer_components_need_the_flag() {
        refused(&rows(&json!([{ "type": 10, "content": "x" }])), "components.0", "UNION_TYPE_CHOICES");
        refused_alone(&json!({ "type": 4, "custom_id": "x", "style": 1 }), "", "UNION_TYPE_CHOICES");
    }
}
