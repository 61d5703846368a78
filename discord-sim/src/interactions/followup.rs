//! `/webhooks/{id}/{token}`: follow-ups of interactions (id = application) and posts of incoming webhooks.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GenericMarker, InteractionMarker, MessageMarker, UserMarker},
};

use super::{TOKEN_LIFE, answer};
use crate::{
    error::ApiError,
    rest::{Body, Draft, Path, Query, flag},
    sim::Sim,
    state::{Interaction, State as World, Webhook, flags},
};

type Address = Path<(Id<GenericMarker>, String)>;
type MessageAddress = Path<(Id<GenericMarker>, String, String)>;

#[derive(Deserialize)]
pub(super) struct Params {
    #[serde(default, deserialize_with = "flag")]
    wait: bool,
    thread_id: Option<Id<ChannelMarker>>,
}

/// What stands behind an address.
enum Behind {
    Interaction(Box<Interaction>),
    Webhook(Webhook),
}

/// The webhook for whom its token stands; the user that made it is not told.
pub(super) async fn describe(State(sim): State<Sim>, Path((id, token)): Address) -> Result<Json<Value>, ApiError> {
    sim.read(|state| match behind(state, id, &token)? {
        Behind::Webhook(webhook) => Ok(Json(webhook.to_json(&state.base_url))),
        Behind::Interaction(_) => Err(ApiError::unknown(10015, "Webhook")),
    })
}

pub(super) async fn forget(State(sim): State<Sim>, Path((id, token)): Address) -> Result<StatusCode, ApiError> {
    sim.write(|state| match behind(state, id, &token)? {
        Behind::Webhook(webhook) => {
            state.webhooks.remove(&webhook.id);
            Ok(StatusCode::NO_CONTENT)
        }
        Behind::Interaction(_) => Err(ApiError::unknown(10015, "Webhook")),
    })
}

pub(super) async fn create(
    State(sim): State<Sim>,
    Path((id, token)): Address,
    Query(params): Query<Params>,
    body: Body,
) -> Result<Response, ApiError> {
    sim.write(|state| match behind(state, id, &token)? {
        Behind::Interaction(interaction) => {
            follow_up(state, &interaction, &body).map(|json| Json(json).into_response())
        }
        Behind::Webhook(webhook) => {
            let channel = place_of(state, &webhook, params.thread_id)?;
            let mut message = Draft::new(state, channel, webhook.id.cast(), &body)?.message;
            message.webhook_id = Some(webhook.id);
            message.webhook_name = Some(body.json["username"].as_str().unwrap_or(&webhook.name).to_owned());
            message.application_id = webhook.application_id;
            let json = state.message_json(&message);
            state.insert_message(message);
            Ok(if params.wait { Json(json).into_response() } else { StatusCode::NO_CONTENT.into_response() })
        }
    })
}

/// The webhook's channel, or the thread of it that the query names.
fn place_of(
    state: &World,
    webhook: &Webhook,
    thread: Option<Id<ChannelMarker>>,
) -> Result<Id<ChannelMarker>, ApiError> {
    let Some(thread) = thread else { return Ok(webhook.channel_id) };
    let known = state
        .channels
        .get(&thread)
        .is_some_and(|found| found.parent_id == Some(webhook.channel_id) && found.is_thread());
    if known { Ok(thread) } else { Err(ApiError::unknown(10003, "Channel")) }
}

/// The first follow-up of a deferred answer fills that answer; later ones are messages of their own.
fn follow_up(state: &mut World, interaction: &Interaction, body: &Body) -> Result<Value, ApiError> {
    let loading = interaction.response_message_id.filter(|id| {
        state.message(interaction.channel_id, *id).is_some_and(|message| message.flags & flags::LOADING != 0)
    });
    if let Some(id) = loading {
        return Draft::edit(state, interaction.channel_id, id, body);
    }
    let message = answer::response(state, interaction, body)?;
    let json = state.message_json(&message);
    state.insert_message(message);
    Ok(json)
}

pub(super) async fn one(
    State(sim): State<Sim>,
    Path((id, token, message)): MessageAddress,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        let (channel, message) = message_of(state, &behind(state, id, &token)?, &message)?;
        state
            .message(channel, message)
            .map(|message| Json(state.message_json(message)))
            .ok_or_else(|| ApiError::unknown(10008, "Message"))
    })
}

pub(super) async fn edit(
    State(sim): State<Sim>,
    Path((id, token, message)): MessageAddress,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    sim.write(|state| {
        let (channel, message) = message_of(state, &behind(state, id, &token)?, &message)?;
        Draft::edit(state, channel, message, &body).map(Json)
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    Path((id, token, message)): MessageAddress,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let (channel, message) = message_of(state, &behind(state, id, &token)?, &message)?;
        state
            .remove_message(channel, message)
            .map(|_| StatusCode::NO_CONTENT)
            .ok_or_else(|| ApiError::unknown(10008, "Message"))
    })
}

fn behind(state: &World, id: Id<GenericMarker>, token: &str) -> Result<Behind, ApiError> {
    if let Some(webhook) = state.webhooks.get(&id.cast()) {
        let good = webhook.token == token;
        return if good {
            Ok(Behind::Webhook(webhook.clone()))
        } else {
            Err(ApiError::new(StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token"))
        };
    }
    let interaction = state
        .interactions
        .values()
        .find(|interaction| interaction.token == token && interaction.application_id == id.cast());
    // Before the first answer Discord knows no such webhook yet.
    let interaction = interaction
        .filter(|interaction| interaction.acknowledged.is_some())
        .ok_or_else(|| ApiError::unknown(10015, "Webhook"))?;
    if state.now() - interaction.created_at > TOKEN_LIFE {
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token"));
    }
    Ok(Behind::Interaction(Box::new(interaction.clone())))
}

fn message_of(state: &World, behind: &Behind, name: &str) -> Result<(Id<ChannelMarker>, Id<MessageMarker>), ApiError> {
    let unknown = || ApiError::unknown(10008, "Message");
    let named = || name.parse::<Id<MessageMarker>>().map_err(|_| unknown());
    match behind {
        Behind::Interaction(interaction) => {
            let id = if name == "@original" { interaction.response_message_id.ok_or_else(unknown)? } else { named()? };
            let message = state.message(interaction.channel_id, id).ok_or_else(unknown)?;
            let own = message.author_id == interaction.application_id.cast::<UserMarker>()
                && (message.webhook_id.is_some() || Some(id) == interaction.message_id);
            if own { Ok((interaction.channel_id, id)) } else { Err(unknown()) }
        }
        Behind::Webhook(webhook) => {
            let id = named()?;
            let own = |channel: &Id<ChannelMarker>| {
                state.message(*channel, id).is_some_and(|message| message.webhook_id == Some(webhook.id))
            };
            state.messages.keys().copied().find(own).map(|channel| (channel, id)).ok_or_else(unknown)
        }
    }
}

impl Sim {
    /// An interaction as it stands now.
    pub fn interaction(&self, id: Id<InteractionMarker>) -> Option<Interaction> {
        self.read(|state| state.interactions.get(&id).cloned())
    }
}
