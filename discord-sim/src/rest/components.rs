//! Components as Discord stores them: numbered, with its defaults filled in and their media found.

use serde_json::{Value, json};

use crate::state::Attachment;

/// The components of a body with the running ids that Discord gives those without one. `attachment://` addresses are looked up in
/// `attachments`.
pub(crate) fn components(body: &Value, attachments: &[Attachment]) -> Vec<Value> {
    let mut list = body["components"].as_array().cloned().unwrap_or_default();
    let mut next = 1;
    for component in &mut list {
        complete(component, &mut next, attachments);
    }
    list
}

fn complete(component: &mut Value, next: &mut u64, attachments: &[Attachment]) {
    if !component.is_object() {
        return;
    }
    default(component, "id", json!(*next));
    *next += 1;
    drop_null_emoji_id(component);
    for option in component.get_mut("options").and_then(Value::as_array_mut).into_iter().flatten() {
        drop_null_emoji_id(option);
    }
    match component["type"].as_u64() {
        Some(3 | 5..=8 | 19) => {
            default(component, "min_values", json!(1));
            default(component, "max_values", json!(1));
        }
        Some(11) => media(component, "media", attachments),
        Some(12) => {
            let items = component.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten();
            for item in items.filter(|item| item.is_object()) {
                media(item, "media", attachments);
            }
        }
        Some(13) => {
            media(component, "file", attachments);
            let file = attachments.iter().find(|file| component["file"]["url"] == file.url.as_str());
            component["name"] = json!(file.map(|file| &file.filename));
            component["size"] = json!(file.map(|file| file.size));
        }
        Some(14) => {
            default(component, "divider", json!(true));
            default(component, "spacing", json!(1));
        }
        Some(17) => {
            default(component, "accent_color", Value::Null);
            default(component, "spoiler", json!(false));
        }
        _ => {}
    }
    for child in component.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten() {
        complete(child, next, attachments);
    }
    for single in ["accessory", "component"] {
        if let Some(child) = component.get_mut(single) {
            complete(child, next, attachments);
        }
    }
}

/// An emoji of Unicode has no id; libraries send null.
fn drop_null_emoji_id(holder: &mut Value) {
    if let Some(emoji) = holder.get_mut("emoji").and_then(Value::as_object_mut) {
        emoji.retain(|_, value| !value.is_null());
    }
}

fn default(component: &mut Value, field: &str, value: Value) {
    if component[field].is_null() {
        component[field] = value;
    }
}

fn media(holder: &mut Value, field: &str, attachments: &[Attachment]) {
    default(holder, "description", Value::Null);
    default(holder, "spoiler", json!(false));
    let url = holder[field]["url"].as_str().unwrap_or_default().to_owned();
    let file = url.strip_prefix("attachment://").and_then(|name| attachments.iter().find(|file| file.filename == name));
    holder[field] = match file {
        Some(file) => json!({
            "id": file.id, "url": file.url, "proxy_url": file.url, "content_type": file.content_type, "attachment_id": file.id,
        }),
        None => json!({ "id": "0", "url": url, "proxy_url": url }),
    };
}

#[cfg(test)]
mod tests {
    use twilight_model::id::Id;

    use super::*;

    #[test]
    fn components_are_numbered_and_completed() {
        let row = json!({ "type": 1, "components": [{ "type": 5, "custom_id": "who", "max_values": 3 }] });
        let container = json!({ "type": 17, "components": [{ "type": 10, "content": "x", "id": 40 }, { "type": 14 }] });
        let list = components(&json!({ "components": [row, container] }), &[]);
        assert_eq!(
            list[0]["components"][0],
            json!({ "type": 5, "id": 2, "custom_id": "who", "min_values": 1, "max_values": 3 })
        );
        assert_eq!(list[1]["components"][0]["id"], 40);
        assert_eq!(list[1]["components"][1], json!({ "type": 14, "id": 5, "divider": true, "spacing": 1 }));
    }

    #[test]
    fn an_attachment_is_found_by_its_name() {
        let file = Attachment {
            id: Id::new(7),
            filename: "log.txt".into(),
            description: None,
            content_type: "text/plain".into(),
            size: 3,
            url: "http://host/attachments/7/log.txt".into(),
        };
        let body = json!({ "components": [{ "type": 13, "file": { "url": "attachment://log.txt" } }] });
        let list = components(&body, &[file]);
        assert_eq!(list[0]["file"]["url"], "http://host/attachments/7/log.txt");
        assert_eq!((&list[0]["name"], &list[0]["size"]), (&json!("log.txt"), &json!(3)));
    }
}
