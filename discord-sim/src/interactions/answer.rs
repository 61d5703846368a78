//! The first answer to an interaction, by the endpoint's reply or by a callback.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_model::id::{Id, marker::InteractionMarker};

use super::{create::tell_client, kind};
use crate::{
    check,
    error::ApiError,
    rest::{Body, Draft, Path, Query, components, flag},
    sim::Sim,
    state::{Acknowledgement, Interaction, Message, State as World, flags},
};

#[derive(Deserialize)]
pub(super) struct Params {
    #[serde(default, deserialize_with = "flag")]
    with_response: bool,
}

/// `POST /interactions/{id}/{token}/callback`.
pub(super) async fn callback(
    State(sim): State<Sim>,
    Path((id, token)): Path<(Id<InteractionMarker>, String)>,
    Query(params): Query<Params>,
    body: Body,
) -> Result<Response, ApiError> {
    let answered = sim.write(|state| {
        state
            .interactions
            .get(&id)
            .filter(|interaction| interaction.token == token)
            .ok_or_else(|| ApiError::unknown(10062, "interaction"))?;
        let message = apply(state, id, &body)?;
        let interaction = state.interactions.get(&id).ok_or_else(|| ApiError::unknown(10062, "interaction"))?;
        let answer_kind = interaction.acknowledged.as_ref().map_or(0, |answer| answer.kind);
        let mut json =
            json!({ "interaction": { "id": id, "type": interaction.kind, "channel_id": interaction.channel_id } });
        if let Some(guild) = interaction.guild_id {
            json["interaction"]["guild_id"] = json!(guild);
        }
        if let Some(message) = message {
            json["interaction"]["response_message_id"] = json!(message.id);
            json["interaction"]["response_message_loading"] = json!(message.flags & flags::LOADING != 0);
            json["interaction"]["response_message_ephemeral"] = json!(message.flags & flags::EPHEMERAL != 0);
            // A deferred answer has no message to show yet.
            if matches!(answer_kind, 4 | 7) {
                json["resource"] = json!({ "type": answer_kind, "message": state.message_json(&message) });
            }
        }
        Ok::<_, ApiError>(json)
    })?;
    Ok(if params.with_response { Json(answered).into_response() } else { StatusCode::NO_CONTENT.into_response() })
}

/// Carries out an answer, and returns the message that it made or changed. A second one is refused with 40060, one after the deadline with 10062.
pub(super) fn apply(state: &mut World, id: Id<InteractionMarker>, body: &Body) -> Result<Option<Message>, ApiError> {
    let interaction = state.interactions.get(&id).cloned().ok_or_else(|| ApiError::unknown(10062, "interaction"))?;
    if interaction.acknowledged.is_some() {
        return Err(ApiError::bad(40060, "Interaction has already been acknowledged."));
    }
    if interaction.failed {
        return Err(ApiError::unknown(10062, "interaction"));
    }
    let answer = body.json["type"].as_u64().and_then(|kind| u8::try_from(kind).ok()).unwrap_or_default();
    let data = body.json.get("data").filter(|data| !data.is_null()).cloned().unwrap_or_else(|| json!({}));
    let fits = match answer {
        4 | 5 => interaction.kind != kind::AUTOCOMPLETE,
        6 | 7 => interaction.message_id.is_some(),
        8 => interaction.kind == kind::AUTOCOMPLETE,
        9 => matches!(interaction.kind, kind::COMMAND | kind::COMPONENT),
        _ => false,
    };
    if !fits {
        return Err(ApiError::field("type", "BASE_TYPE_CHOICES", "This callback type does not fit the interaction."));
    }
    let content = Body { json: data.clone(), files: body.files.clone() };
    let mut made = None;
    let mut stored = data.clone();
    match answer {
        4 => made = Some(response(state, &interaction, &content)?),
        5 => made = Some(thinking(state, &interaction, &data)),
        7 => {
            if let Some(message) = interaction.message_id {
                Draft::edit(state, interaction.channel_id, message, &content)?;
            }
        }
        8 => {
            check::choices(&data)?;
            tell_client(
                state,
                &interaction,
                "APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE",
                json!({ "choices": data["choices"] }),
            );
        }
        9 => {
            check::modal(&data)?;
            stored["components"] = json!(components(&data, &[]));
        }
        _ => {}
    }
    if let Some(message) = &made {
        state.insert_message(message.clone());
    }
    let touched = match answer {
        7 => interaction.message_id.and_then(|id| state.message(interaction.channel_id, id)).cloned(),
        _ => made.clone(),
    };
    let at = state.now();
    if let Some(stored_interaction) = state.interactions.get_mut(&id) {
        stored_interaction.acknowledged = Some(Acknowledgement { kind: answer, data: stored.clone(), at });
        stored_interaction.response_message_id = match answer {
            6 | 7 => interaction.message_id,
            _ => made.as_ref().map(|message| message.id),
        };
    }
    match answer {
        8 => {}
        9 => {
            let application = state
                .applications
                .get(&interaction.application_id)
                .map(|found| json!({ "id": found.id, "name": found.name, "icon": null }));
            let modal = json!({
                "application": application, "channel_id": interaction.channel_id, "custom_id": stored["custom_id"], "title": stored["title"],
                "components": stored["components"],
            });
            tell_client(state, &interaction, "INTERACTION_MODAL_CREATE", modal);
        }
        _ => tell_client(state, &interaction, "INTERACTION_SUCCESS", json!({})),
    }
    Ok(touched)
}

/// A message of the application that answers `interaction`.
pub(super) fn response(state: &mut World, interaction: &Interaction, body: &Body) -> Result<Message, ApiError> {
    let message = Draft::new(state, interaction.channel_id, interaction.application_id.cast(), body)?.message;
    Ok(belonging(state, interaction, message))
}

fn thinking(state: &mut World, interaction: &Interaction, data: &Value) -> Message {
    let ephemeral = data["flags"].as_u64().unwrap_or(0) & flags::EPHEMERAL;
    let message = Message {
        id: state.new_id(),
        channel_id: interaction.channel_id,
        author_id: interaction.application_id.cast(),
        kind: 0,
        content: String::new(),
        embeds: Vec::new(),
        components: Vec::new(),
        attachments: Vec::new(),
        flags: ephemeral | flags::LOADING,
        created_at: state.now(),
        edited_at: None,
        pinned: false,
        nonce: None,
        reference: None,
        webhook_id: None,
        webhook_name: None,
        application_id: None,
        interaction: None,
        only_for: None,
        mentions: Vec::new(),
        mention_roles: Vec::new(),
        mention_everyone: false,
        reactions: Vec::new(),
    };
    belonging(state, interaction, message)
}

/// Marks a message as the interaction's: type, reference, metadata, and its one reader when ephemeral.
fn belonging(state: &World, interaction: &Interaction, mut message: Message) -> Message {
    let mut metadata = json!({
        "id": interaction.id, "type": interaction.kind, "user": state.user_json(interaction.user_id),
        "authorizing_integration_owners": interaction.payload["authorizing_integration_owners"],
    });
    match interaction.kind {
        kind::COMMAND => {
            message.kind = if interaction.payload["data"]["type"] == 1 { 20 } else { 23 };
            metadata["name"] = interaction.payload["data"]["name"].clone();
            metadata["command_type"] = interaction.payload["data"]["type"].clone();
        }
        kind::COMPONENT => {
            metadata["interacted_message_id"] = json!(interaction.message_id);
            if let Some(source) = interaction.message_id {
                message.kind = 19;
                message.reference = Some((interaction.channel_id, source));
            }
        }
        _ => {
            metadata["triggering_interaction_metadata"] = json!({
                "id": interaction.id, "type": kind::COMPONENT, "user": state.user_json(interaction.user_id),
                "authorizing_integration_owners": interaction.payload["authorizing_integration_owners"], "interacted_message_id": interaction.message_id.map_or_else(|| json!(interaction.id), |id| json!(id)),
            });
        }
    }
    message.webhook_id = Some(interaction.application_id.cast());
    message.application_id = Some(interaction.application_id);
    message.interaction = Some((interaction.id, metadata));
    message.only_for = (message.flags & flags::EPHEMERAL != 0).then_some(interaction.user_id);
    message
}
