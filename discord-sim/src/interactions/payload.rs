//! The interaction object that an application receives.

use serde_json::{Value, json};

use crate::state::{Interaction, State};

/// Bytes that an answer may upload: what a guild without boosts allows.
const ATTACHMENT_SIZE_LIMIT: u64 = 10 * 1024 * 1024;

/// The whole object with every field that Discord sends.
pub(super) fn payload(state: &State, interaction: &Interaction, data: Value) -> Value {
    let channel = state.channels.get(&interaction.channel_id);
    let mut payload = json!({
        "id": interaction.id, "application_id": interaction.application_id, "type": interaction.kind, "data": data, "token": interaction.token,
        "version": 1, "channel_id": interaction.channel_id, "entitlements": [], "locale": "en-US", "attachment_size_limit": ATTACHMENT_SIZE_LIMIT,
    });
    if let Some(channel) = channel {
        payload["channel"] = state.channel_json(channel, Some(interaction.user_id));
        payload["channel"]["permissions"] =
            json!(state.channel_permissions(channel, interaction.user_id).bits().to_string());
        let of_application = state.channel_permissions(channel, interaction.application_id.cast());
        payload["app_permissions"] = json!(of_application.bits().to_string());
    }
    match interaction.guild_id {
        Some(guild) => {
            payload["guild_id"] = json!(guild);
            payload["guild"] = json!({ "id": guild, "locale": "en-US", "features": [] });
            payload["guild_locale"] = json!("en-US");
            payload["context"] = json!(0);
            payload["authorizing_integration_owners"] = json!({ "0": guild });
            if let Some(mut member) = state.member_json(guild, interaction.user_id) {
                member["permissions"] =
                    json!(state.permissions_in(interaction.channel_id, interaction.user_id).bits().to_string());
                payload["member"] = member;
            }
        }
        None => {
            payload["user"] = state.user_json(interaction.user_id);
            payload["context"] = json!(1);
            payload["authorizing_integration_owners"] = json!({ "0": "0" });
        }
    }
    if let Some(message) = interaction.message_id.and_then(|id| state.message(interaction.channel_id, id)) {
        payload["message"] = state.message_json(message);
    }
    payload
}
