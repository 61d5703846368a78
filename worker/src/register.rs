//! Tells Discord our commands, when it does not know them as they are.

use common::discord;
use serde_json::{Map, Value};
use tracing::info;
use twilight_model::application::command::Command as Spec;

use crate::{commands, context::Context};

/// Compares the commands that Discord has with ours, and replaces them all when one differs.
///
/// Discord counts new commands (200 a day) and takes up to an hour to show a change everywhere, so a start changes nothing
/// without need.
///
/// # Errors
///
/// As Discord refuses.
pub async fn register(cx: &Context) -> Result<(), discord::Error> {
    let ours: Vec<Spec> = commands::ALL.iter().map(|command| (command.spec)()).collect();
    let path = format!("applications/{}/commands", cx.bot);
    let theirs: Vec<Value> = cx.discord.get_json(&path).await?;
    if is_current(&ours, &theirs) {
        info!("discord knows our {} commands", ours.len());
        return Ok(());
    }
    let client = cx.discord.requests().interaction(cx.bot);
    cx.send(client.set_global_commands(&ours)).await?;
    info!("told discord our {} commands", ours.len());
    Ok(())
}

fn is_current(ours: &[Spec], theirs: &[Value]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().all(|spec| {
            let Ok(spec) = serde_json::to_value(spec) else {
                return false;
            };
            let spec = essence(&spec);
            theirs.iter().any(|known| essence(known) == spec)
        })
}

/// What we decide of a command: without what Discord adds, and without what means the same as being absent.
fn essence(command: &Value) -> Value {
    const DISCORDS: &[&str] =
        &["id", "application_id", "guild_id", "version", "dm_permission", "integration_types", "handler"];
    fn strip(value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .iter()
                .filter(|(_, value)| !is_absent(value))
                .map(|(name, value)| (name.clone(), strip(value)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(strip).collect(),
            other => other.clone(),
        }
    }
    let mut command = strip(command);
    if let Value::Object(fields) = &mut command {
        fields.retain(|name, _| !DISCORDS.contains(&name.as_str()));
    }
    command
}

fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn specs() -> Vec<Spec> {
        commands::ALL.iter().map(|command| (command.spec)()).collect()
    }

    /// As Discord gives a command back.
    fn known(spec: &Spec) -> Value {
        let mut known = serde_json::to_value(spec).unwrap();
        let fields = known.as_object_mut().unwrap();
        fields.insert("id".to_owned(), json!("77"));
        fields.insert("application_id".to_owned(), json!("1"));
        fields.insert("version".to_owned(), json!("78"));
        fields.insert("nsfw".to_owned(), json!(false));
        fields.insert("name_localizations".to_owned(), Value::Null);
        fields.insert("integration_types".to_owned(), json!([0]));
        known
    }

    #[test]
    fn commands_as_discord_gives_them_back_are_current_in_any_order() {
        let ours = specs();
        let theirs: Vec<_> = ours.iter().rev().map(known).collect();
        assert!(is_current(&ours, &theirs));
    }

    #[test]
    fn a_changed_missing_or_foreign_command_is_noticed() {
        let ours = specs();
        let theirs: Vec<_> = ours.iter().map(known).collect();
        let mut changed = theirs.clone();
        changed[0]["description"] = json!("other");
        assert!(!is_current(&ours, &changed));
        assert!(!is_current(&ours, &theirs[1..]));
        let mut more = theirs;
        more.push(json!({"name": "old", "type": 1, "description": "x"}));
        assert!(!is_current(&ours, &more));
    }
}
