//! Where the description differs from Discord itself, and what makes it quicker and clearer to judge by.

use serde_json::{Map, Value, json};

/// Properties that hold a set of permissions.
const PERMISSIONS: [&str; 4] = ["allow", "deny", "permissions", "default_member_permissions"];

/// Corrects the named schemas where Discord's documentation and Discord's answers contradict them.
pub(super) fn widen(schemas: &mut Map<String, Value>) {
    // Discord's documentation numbers the attachments of a form as `"id": 0`.
    if let Some(id) =
        schemas.get_mut("MessageAttachmentRequest").and_then(|schema| schema.pointer_mut("/properties/id"))
    {
        *id = json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, id.clone()] });
    }
    // The documented body of a 429 often has no `code`.
    schemas.insert(
        "RatelimitedResponse".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "message": { "type": "string" },
                "retry_after": { "type": "number" },
                "global": { "type": "boolean" },
                "code": { "type": "integer" },
            },
            "required": ["message", "retry_after", "global"],
        }),
    );
    // A form error has a text as its code: `BASE_TYPE_REQUIRED`.
    schemas.insert(
        "InnerErrors".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "_errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": { "code": { "type": ["string", "integer"] }, "message": { "type": "string" } },
                        "required": ["code", "message"],
                    },
                },
            },
            "required": ["_errors"],
            "additionalProperties": false,
        }),
    );
}

/// The schema of a request body, with a choice between partial objects made strict.
///
/// `PATCH /channels/{channel_id}` takes the changes of a DM, a group, a guild channel or a thread. Every one of these leaves everything
/// out but what it knows, so a broken topic would pass as the harmless change of a DM. A branch may therefore hold nothing that it
/// does not describe, unless its `type` already tells it from the others.
pub(super) fn request(mut schema: Value, schemas: &Map<String, Value>) -> Value {
    if schema.get("x-discord-union").is_none() {
        return schema;
    }
    for branch in schema["anyOf"].as_array_mut().into_iter().flatten() {
        let named = branch["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next())
            .and_then(|name| schemas.get(name));
        if let Some(named) =
            named.filter(|named| named["properties"].is_object() && named["properties"]["type"]["enum"].is_null())
        {
            *branch = named.clone();
            branch["additionalProperties"] = json!(false);
        }
    }
    schema
}

/// Rewrites `schema` and everything in it so that it is quicker to check and its errors are clearer.
pub(super) fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(fields) => {
            drop_notes(fields);
            merge_constants(fields);
            bound_integers(fields);
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for (name, property) in properties.iter_mut() {
                    if PERMISSIONS.contains(&name.as_str()) {
                        accept_text(property);
                    }
                }
            }
            // The enum says all that the type it comes from says.
            if fields.get("enum").and_then(Value::as_array).is_some_and(|options| !options.is_empty()) {
                fields.remove("allOf");
            } else {
                fields.remove("enum");
            }
            // Where a body meets two branches Discord takes it too; only the description is ambiguous then.
            if let Some(branches) = fields.remove("oneOf") {
                fields.insert("anyOf".to_owned(), branches);
            }
            fields.values_mut().for_each(simplify);
        }
        _ => {}
    }
}

/// Removes what no validator reads.
fn drop_notes(fields: &mut Map<String, Value>) {
    // A property may be called `title`; its value is then an object.
    fields.retain(|key, value| {
        !(value.is_string() && matches!(key.as_str(), "description" | "title" | "contentEncoding" | "x-discord-union"))
    });
    // A regular expression costs more than the check of the format, which also knows the range.
    if fields.get("format").is_some_and(|format| format == "snowflake") {
        fields.remove("pattern");
    }
}

/// Turns a choice between constants into an `enum`.
fn merge_constants(fields: &mut Map<String, Value>) {
    let constants =
        |branches: &Vec<Value>| branches.iter().map(|branch| branch.get("const").cloned()).collect::<Option<Vec<_>>>();
    if let Some(constants) = fields.get("oneOf").and_then(Value::as_array).and_then(constants) {
        fields.remove("oneOf");
        fields.insert("enum".to_owned(), Value::Array(constants));
    }
}

/// Turns the width of an integer, an annotation only, into bounds.
fn bound_integers(fields: &mut Map<String, Value>) {
    let (minimum, maximum) = match fields.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64") => (i64::MIN, i64::MAX),
        _ => return,
    };
    fields.remove("format");
    if fields.get("enum").is_none() {
        fields.entry("minimum").or_insert_with(|| minimum.into());
        fields.entry("maximum").or_insert_with(|| maximum.into());
    }
}

/// Lets a set of permissions be written as text, as the documentation does; the description allows only numbers in requests.
fn accept_text(property: &mut Value) {
    let Some(types) = property.get_mut("type").and_then(Value::as_array_mut) else {
        return;
    };
    if types.iter().any(|kind| kind == "integer") {
        types.push(json!("string"));
        property["pattern"] = json!("^[0-9]{1,20}$");
    }
}
