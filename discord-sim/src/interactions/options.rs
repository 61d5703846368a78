//! `data` of an interaction: the client's wish checked against the command, component or form, and completed.

use serde_json::{Value, json};

use super::{
    NewInteraction, kind,
    resolve::{Of, Resolved},
};
use crate::{
    error::ApiError,
    state::{Command, State},
};

/// `data` of a command or of an autocomplete query.
pub(super) fn command_data(state: &State, command: &Command, wish: &NewInteraction) -> Result<Value, ApiError> {
    let mut resolved = Resolved::default();
    let mut data = json!({ "id": command.id, "name": command.name, "type": command.kind });
    if let Some(guild) = command.guild_id {
        data["guild_id"] = json!(guild);
    }
    if command.kind == 1 {
        let options = options(state, &command.definition["options"], &wish.data["options"], wish, &mut resolved)?;
        if !options.is_empty() {
            data["options"] = json!(options);
        }
    } else {
        let target = wish.data["target_id"].as_str().unwrap_or_default();
        data["target_id"] = json!(target);
        let known = if command.kind == 2 {
            resolved.add(state, wish.guild_id, wish.user_id, Of::User, target)
        } else {
            let message = target.parse().ok().and_then(|id| state.message(wish.channel_id, id));
            data["resolved"] = json!({ "messages": { target: message.map(|message| state.message_json(message)) } });
            message.is_some()
        };
        if !known {
            return Err(ApiError::field("data.target_id", "INTERACTION_TARGET_INVALID", "Unknown target"));
        }
    }
    if let Some(resolved) = resolved.into_json() {
        data["resolved"] = resolved;
    }
    Ok(data)
}

fn options(
    state: &State,
    definitions: &Value,
    given: &Value,
    wish: &NewInteraction,
    resolved: &mut Resolved,
) -> Result<Vec<Value>, ApiError> {
    let definitions = definitions.as_array().map(Vec::as_slice).unwrap_or_default();
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    let bad = |name: &str, why: &str| {
        ApiError::field(&format!("data.options.{name}"), "APPLICATION_COMMAND_OPTION_INVALID", why)
    };
    for definition in definitions {
        let name = definition["name"].as_str().unwrap_or_default();
        let required = definition["required"].as_bool() == Some(true) && wish.kind == kind::COMMAND;
        if required && !given.iter().any(|option| option["name"] == name) {
            return Err(bad(name, "This option is required"));
        }
    }
    given
        .iter()
        .map(|option| {
            let name = option["name"].as_str().unwrap_or_default();
            let definition = definitions
                .iter()
                .find(|definition| definition["name"] == name)
                .ok_or_else(|| bad(name, "Unknown option"))?;
            let of_type = definition["type"].as_u64().unwrap_or_default();
            if matches!(of_type, 1 | 2) {
                let inner = options(state, &definition["options"], &option["options"], wish, resolved)?;
                return Ok(json!({ "name": name, "type": of_type, "options": inner }));
            }
            let value = &option["value"];
            let focused = option["focused"].as_bool() == Some(true);
            if !focused {
                check_value(definition, of_type, value).map_err(|why| bad(name, why))?;
            }
            let of = match of_type {
                6 => Some(Of::User),
                7 => Some(Of::Channel),
                8 => Some(Of::Role),
                9 => Some(Of::Mentionable),
                11 => Some(Of::Attachment),
                _ => None,
            };
            if let Some(of) = of
                && !resolved.add(state, wish.guild_id, wish.user_id, of, value.as_str().unwrap_or_default())
            {
                return Err(bad(name, "Unknown object"));
            }
            let mut option = json!({ "name": name, "type": of_type, "value": value });
            if focused {
                option["focused"] = json!(true);
            }
            Ok(option)
        })
        .collect()
}

fn check_value(definition: &Value, of_type: u64, value: &Value) -> Result<(), &'static str> {
    let fits = match of_type {
        3 | 6 | 7 | 8 | 9 | 11 => value.is_string(),
        4 => value.is_i64() || value.is_u64(),
        5 => value.is_boolean(),
        10 => value.is_number(),
        _ => false,
    };
    if !fits {
        return Err("Value is of the wrong type");
    }
    if let Some(choices) = definition["choices"].as_array().filter(|choices| !choices.is_empty())
        && !choices.iter().any(|choice| choice["value"] == *value)
    {
        return Err("Value is none of the choices");
    }
    if let Some(number) = value.as_f64()
        && (definition["min_value"].as_f64().is_some_and(|min| number < min)
            || definition["max_value"].as_f64().is_some_and(|max| number > max))
    {
        return Err("Value is out of range");
    }
    if let Some(text) = value.as_str().filter(|_| of_type == 3) {
        let length = text.chars().count() as u64;
        if definition["min_length"].as_u64().is_some_and(|min| length < min)
            || length > definition["max_length"].as_u64().unwrap_or(6000)
        {
            return Err("Text is too short or too long");
        }
    }
    Ok(())
}

/// `data` of a click on a button or of a choice in a select menu.
pub(super) fn component_data(state: &State, components: &[Value], wish: &NewInteraction) -> Result<Value, ApiError> {
    let custom_id = wish.data["custom_id"].as_str().unwrap_or_default();
    let component = find(components, custom_id).ok_or_else(|| {
        ApiError::field("data.custom_id", "COMPONENT_VALIDATION_FAILED", "Component validation failed")
    })?;
    if component["disabled"].as_bool() == Some(true) {
        return Err(ApiError::field("data.custom_id", "COMPONENT_VALIDATION_FAILED", "Component is disabled"));
    }
    let of_type = component["type"].as_u64().unwrap_or_default();
    let mut data = json!({ "custom_id": custom_id, "component_type": of_type, "id": component["id"] });
    if of_type != 2 {
        let values: Vec<&str> =
            wish.data["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        check_choice(component, &values)?;
        let mut resolved = Resolved::default();
        if let Some(of) = select_of(of_type) {
            for value in &values {
                resolved.add(state, wish.guild_id, wish.user_id, of, value);
            }
        }
        data["values"] = json!(values);
        if let Some(resolved) = resolved.into_json() {
            data["resolved"] = resolved;
        }
    }
    Ok(data)
}

fn select_of(component: u64) -> Option<Of> {
    match component {
        5 => Some(Of::User),
        6 => Some(Of::Role),
        7 => Some(Of::Mentionable),
        8 => Some(Of::Channel),
        _ => None,
    }
}

fn check_choice(component: &Value, values: &[&str]) -> Result<(), ApiError> {
    let failed = |why: &str| ApiError::field("data.values", "COMPONENT_VALIDATION_FAILED", why);
    let count = values.len() as u64;
    let optional = component["required"].as_bool() == Some(false) && count == 0;
    if !optional
        && (count < component["min_values"].as_u64().unwrap_or(1)
            || count > component["max_values"].as_u64().unwrap_or(1))
    {
        return Err(failed("Wrong number of values"));
    }
    match component["options"].as_array() {
        Some(options) if values.iter().any(|value| !options.iter().any(|option| option["value"] == *value)) => {
            Err(failed("Unknown value"))
        }
        _ => Ok(()),
    }
}

/// A component by its custom id, however deep it stands.
pub(super) fn find<'a>(components: &'a [Value], custom_id: &str) -> Option<&'a Value> {
    components.iter().find_map(|component| {
        if component["custom_id"] == custom_id {
            return Some(component);
        }
        let children = component["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        let single = ["accessory", "component"]
            .into_iter()
            .filter_map(|name| component.get(name))
            .find_map(|child| find(std::slice::from_ref(child), custom_id));
        single.or_else(|| find(children, custom_id))
    })
}

/// `data` of a form: every field of the modal with the client's value.
pub(super) fn modal_data(state: &State, modal: &Value, wish: &NewInteraction) -> Result<Value, ApiError> {
    let sent = wish.data["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut resolved = Resolved::default();
    let mut rows = Vec::new();
    for row in modal["components"].as_array().into_iter().flatten() {
        let mut out = json!({ "type": row["type"], "id": row["id"] });
        if row["type"] == 1 {
            let fields = row["components"].as_array().into_iter().flatten();
            out["components"] =
                fields.map(|field| filled(state, field, sent, wish, &mut resolved)).collect::<Result<_, _>>()?;
        } else if row.get("component").is_some() {
            out["component"] = filled(state, &row["component"], sent, wish, &mut resolved)?;
        }
        rows.push(out);
    }
    let mut data = json!({ "custom_id": modal["custom_id"], "components": rows });
    if let Some(resolved) = resolved.into_json() {
        data["resolved"] = resolved;
    }
    Ok(data)
}

fn filled(
    state: &State,
    field: &Value,
    sent: &[Value],
    wish: &NewInteraction,
    resolved: &mut Resolved,
) -> Result<Value, ApiError> {
    let custom_id = field["custom_id"].as_str().unwrap_or_default();
    let given = find(sent, custom_id).cloned().unwrap_or_default();
    let mut out = json!({ "type": field["type"], "id": field["id"], "custom_id": custom_id });
    let bad = |why: &str| ApiError::field(&format!("data.components.{custom_id}"), "COMPONENT_VALIDATION_FAILED", why);
    match field["type"].as_u64() {
        Some(4) => {
            let value = given["value"].as_str().unwrap_or_default();
            let length = value.chars().count() as u64;
            let required = field["required"].as_bool().unwrap_or(true);
            if required && length == 0 {
                return Err(bad("This field is required"));
            }
            if length > field["max_length"].as_u64().unwrap_or(4000)
                || (length > 0 && length < field["min_length"].as_u64().unwrap_or(0))
            {
                return Err(bad("Text is too short or too long"));
            }
            out["value"] = json!(value);
        }
        Some(of_type @ (3 | 5..=8 | 19 | 22)) => {
            let values: Vec<&str> =
                given["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            check_choice(field, &values)?;
            let of = if of_type == 19 { Some(Of::Attachment) } else { select_of(of_type) };
            for value in &values {
                if of.is_some_and(|of| !resolved.add(state, wish.guild_id, wish.user_id, of, value)) {
                    return Err(bad("Unknown object"));
                }
            }
            out["values"] = json!(values);
        }
        _ => out["value"] = given["value"].clone(),
    }
    Ok(out)
}
