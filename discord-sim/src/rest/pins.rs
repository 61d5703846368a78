//! Pins, by the routes of today and by those of before.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker},
    },
};

use super::{Caller, Path, channels, messages};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Event, State as World},
};

const MAX_PINS: usize = 250;

type Place = (Id<ChannelMarker>, Id<MessageMarker>);

pub(super) async fn pin(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id)): Path<Place>,
) -> Result<StatusCode, ApiError> {
    set_pinned(&sim, caller, channel, id, true)
}

pub(super) async fn unpin(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id)): Path<Place>,
) -> Result<StatusCode, ApiError> {
    set_pinned(&sim, caller, channel, id, false)
}

fn set_pinned(
    sim: &Sim,
    caller: Caller,
    channel: Id<ChannelMarker>,
    id: Id<MessageMarker>,
    pinned: bool,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let guild = channels::allowed(state, channel, caller.user(), Permissions::MANAGE_MESSAGES)?.guild_id;
        messages::seen(state, channel, id, caller)?;
        let count = state
            .messages
            .get(&channel)
            .map_or(0, |messages| messages.values().filter(|message| message.pinned).count());
        if pinned && count >= MAX_PINS {
            return Err(ApiError::bad(30003, "Maximum number of pins reached for the channel (250)"));
        }
        state
            .update_message(channel, id, |message| message.pinned = pinned)
            .ok_or_else(|| ApiError::unknown(10008, "Message"))?;
        let mut data = json!({ "channel_id": channel, "last_pin_timestamp": null });
        if let Some(guild) = guild {
            data["guild_id"] = json!(guild);
        }
        state.emit(Event { kind: "CHANNEL_PINS_UPDATE", data, audience: Audience::Channel(channel) });
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn list(
    State(sim): State<Sim>,
    caller: Caller,
    Path(channel): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        let items: Vec<Value> = pinned(state, channel, caller)?
            .into_iter()
            .map(|message| json!({ "pinned_at": message["timestamp"], "message": message }))
            .collect();
        Ok(Json(json!({ "items": items, "has_more": false })))
    })
}

pub(super) async fn list_plain(
    State(sim): State<Sim>,
    caller: Caller,
    Path(channel): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| pinned(state, channel, caller).map(|messages| Json(json!(messages))))
}

fn pinned(state: &World, channel: Id<ChannelMarker>, caller: Caller) -> Result<Vec<Value>, ApiError> {
    channels::visible(state, channel, caller.user())?;
    Ok(state
        .messages
        .get(&channel)
        .into_iter()
        .flatten()
        .filter(|(_, message)| message.pinned)
        .map(|(_, message)| messages::as_seen(state, message, caller))
        .collect())
}
