use serde_json::Value;

use super::{
    components::{ACTION_ROW, CustomIds, SELECTS, TEXT_INPUT, expect_type, kind, options, require_custom_id, select},
    form::{Form, FormError, Place},
};

const TEXT_DISPLAY: u64 = 10;
const LABEL: u64 = 18;
const FILE_UPLOAD: u64 = 19;
const RADIO_GROUP: u64 = 21;
const CHECKBOX_GROUP: u64 = 22;
const CHECKBOX: u64 = 23;

/// Checks a modal, the `data` of an interaction's answer of type 9.
///
/// # Errors
///
/// 50035 when a field breaks a rule.
pub fn modal(data: &Value) -> Result<(), FormError> {
    let mut form = Form::default();
    let root = Place::default();
    form.required_text(data, &root, "custom_id", 1..=100);
    form.required_text(data, &root, "title", 1..=45);
    let list = form.list(data, &root, "components");
    let place = root.at("components");
    form.length(&place, list.len(), 1..=5);
    let mut ids = CustomIds::default();
    for (index, component) in list.iter().enumerate() {
        let place = place.at(index);
        if expect_type(component, &place, &[ACTION_ROW, TEXT_DISPLAY, LABEL], &mut form) {
            match kind(component) {
                ACTION_ROW => row(component, &place, &mut ids, &mut form),
                LABEL => label(component, &place, &mut ids, &mut form),
                _ => {
                    form.required_text(component, &place, "content", 1..=4000);
                }
            }
        }
    }
    form.finish()
}

/// An action row of a modal, the older form, holds one text input that names itself.
fn row<'a>(row: &'a Value, place: &Place, ids: &mut CustomIds<'a>, form: &mut Form) {
    let list = form.list(row, place, "components");
    let place = place.at("components");
    form.length(&place, list.len(), 1..=1);
    for (index, component) in list.iter().enumerate() {
        let place = place.at(index);
        if expect_type(component, &place, &[TEXT_INPUT], form) {
            form.required_text(component, &place, "label", 1..=45);
            text_input(component, &place, ids, form);
        }
    }
}

fn label<'a>(label: &'a Value, place: &Place, ids: &mut CustomIds<'a>, form: &mut Form) {
    form.required_text(label, place, "label", 1..=45);
    form.text(label, place, "description", 1..=100);
    let (component, place) = (&label["component"], place.at("component"));
    if component.is_null() {
        return form.required(&place);
    }
    let allowed: Vec<_> =
        SELECTS.into_iter().chain([TEXT_INPUT, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX]).collect();
    if !expect_type(component, &place, &allowed, form) {
        return;
    }
    if component["disabled"] == true {
        form.add(&place.at("disabled"), "COMPONENT_DISABLED_IN_MODAL", "Components in a modal cannot be disabled");
    }
    match kind(component) {
        TEXT_INPUT => {
            if !component["label"].is_null() {
                form.add(
                    &place.at("label"),
                    "COMPONENT_LABEL_IN_LABEL",
                    "A text input within a label cannot have a label",
                );
            }
            text_input(component, &place, ids, form);
        }
        kind => {
            if SELECTS.contains(&kind) {
                return select(component, &place, ids, form);
            }
            require_custom_id(component, &place, form);
            ids.check(component, &place, form);
            match kind {
                FILE_UPLOAD => {
                    form.number(component, &place, "min_values", 0..=10);
                    form.number(component, &place, "max_values", 1..=10);
                    form.ordered(component, &place, "min_values", "max_values");
                }
                RADIO_GROUP => {
                    options(component, &place, 2..=10, form);
                }
                CHECKBOX_GROUP => {
                    options(component, &place, 1..=10, form);
                    form.ordered(component, &place, "min_values", "max_values");
                }
                _ => {}
            }
        }
    }
}

fn text_input<'a>(input: &'a Value, place: &Place, ids: &mut CustomIds<'a>, form: &mut Form) {
    require_custom_id(input, place, form);
    ids.check(input, place, form);
    if !matches!(input["style"].as_u64(), Some(1 | 2)) {
        form.add(&place.at("style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2).");
    }
    form.number(input, place, "min_length", 0..=4000);
    form.number(input, place, "max_length", 1..=4000);
    form.ordered(input, place, "min_length", "max_length");
    form.text(input, place, "value", 0..=4000);
    form.text(input, place, "placeholder", 0..=100);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::form::assert_refused, *};

    fn of(components: Value) -> Value {
        json!({ "custom_id": "m", "title": "Close", "components": components })
    }

    fn field(component: Value) -> Value {
        json!({ "type": 18, "label": "Reason", "component": component })
    }

    fn input() -> Value {
        json!({ "type": 4, "custom_id": "reason", "style": 2, "max_length": 4000 })
    }

    #[track_caller]
    fn refused(modal_data: &Value, path: &str, code: &str) {
        assert_refused(modal(modal_data), path, code);
    }

    #[track_caller]
    fn refused_input(key: &str, value: Value, code: &str) {
        let mut input = input();
        input[key] = value;
        refused(&of(json!([field(input)])), &format!("components.0.component.{key}"), code);
    }

    #[test]
    fn a_modal_of_labels_or_rows_passes() {
        assert_eq!(modal(&of(json!([{ "type": 10, "content": "x" }, field(input())]))), Ok(()));
        let old = json!([{ "type": 1, "components": [{ "type": 4, "custom_id": "a", "style": 1, "label": "x" }] }]);
        assert_eq!(modal(&of(old)), Ok(()));
        let more = json!([
            field(json!({ "type": 3, "custom_id": "a", "options": [{ "label": "x", "value": "x" }] })),
            field(json!({ "type": 19, "custom_id": "b", "min_values": 0, "max_values": 10 })),
            field(json!({ "type": 23, "custom_id": "c" })),
        ]);
        assert_eq!(modal(&of(more)), Ok(()));
    }

    #[test]
    fn a_modal_has_a_title_and_a_custom_id() {
        refused(
            &json!({ "custom_id": "m", "title": "x".repeat(46), "components": [field(input())] }),
            "title",
            "BASE_TYPE_BAD_LENGTH",
        );
        refused(&json!({ "custom_id": "m", "components": [field(input())] }), "title", "BASE_TYPE_REQUIRED");
        refused(&json!({ "title": "x", "components": [field(input())] }), "custom_id", "BASE_TYPE_REQUIRED");
    }

    #[test]
    fn a_modal_has_1_to_5_components() {
        refused(&of(json!([])), "components", "BASE_TYPE_BAD_LENGTH");
        refused(&of(json!(vec![json!({ "type": 10, "content": "x" }); 6])), "components", "BASE_TYPE_BAD_LENGTH");
        refused(&of(json!([{ "type": 17, "components": [] }])), "components.0", "UNION_TYPE_CHOICES");
        refused(&of(json!([input()])), "components.0", "UNION_TYPE_CHOICES");
    }

    #[test]
    fn a_label_has_a_text_a_description_and_a_component() {
        let code = "BASE_TYPE_BAD_LENGTH";
        refused(
            &of(json!([{ "type": 18, "label": "x".repeat(46), "component": input() }])),
            "components.0.label",
            code,
        );
        let described = json!([{ "type": 18, "label": "x", "description": "x".repeat(101), "component": input() }]);
        refused(&of(described), "components.0.description", code);
        refused(&of(json!([{ "type": 18, "label": "x" }])), "components.0.component", "BASE_TYPE_REQUIRED");
        refused(&of(json!([field(json!({ "type": 2, "style": 1 }))])), "components.0.component", "UNION_TYPE_CHOICES");
    }

    #[test]
    fn a_text_input_has_limits() {
        refused_input("max_length", json!(4001), "NUMBER_TYPE_MAX");
        refused_input("max_length", json!(0), "NUMBER_TYPE_MIN");
        refused_input("min_length", json!(4001), "NUMBER_TYPE_MAX");
        refused_input("value", json!("x".repeat(4001)), "BASE_TYPE_MAX_LENGTH");
        refused_input("placeholder", json!("x".repeat(101)), "BASE_TYPE_MAX_LENGTH");
        refused_input("style", json!(3), "BASE_TYPE_CHOICES");
        refused_input("custom_id", Value::Null, "BASE_TYPE_REQUIRED");
        refused_input("label", json!("x"), "COMPONENT_LABEL_IN_LABEL");
        refused_input("disabled", json!(true), "COMPONENT_DISABLED_IN_MODAL");
    }

    #[test]
    fn a_row_of_a_modal_holds_one_text_input_with_a_label() {
        let named = json!({ "type": 4, "custom_id": "a", "style": 1, "label": "x" });
        let other = json!({ "type": 4, "custom_id": "b", "style": 1, "label": "x" });
        refused(
            &of(json!([{ "type": 1, "components": [named, other] }])),
            "components.0.components",
            "BASE_TYPE_BAD_LENGTH",
        );
        let nameless = json!([{ "type": 1, "components": [{ "type": 4, "custom_id": "a", "style": 1 }] }]);
        refused(&of(nameless), "components.0.components.0.label", "BASE_TYPE_REQUIRED");
    }

    #[test]
    fn custom_ids_differ() {
        let path = "components.1.component.custom_id";
        refused(&of(json!([field(input()), field(input())])), path, "COMPONENT_CUSTOM_ID_DUPLICATED");
    }

    #[test]
    fn groups_have_options() {
        let one = json!([{ "label": "x", "value": "x" }]);
        let radio = field(json!({ "type": 21, "custom_id": "a", "options": one }));
        refused(&of(json!([radio])), "components.0.component.options", "BASE_TYPE_BAD_LENGTH");
        let upload = field(json!({ "type": 19, "custom_id": "a", "max_values": 11 }));
        refused(&of(json!([upload])), "components.0.component.max_values", "NUMBER_TYPE_MAX");
    }
}
