//! Incoming webhooks of channels. Posting by them stands with the interactions' follow-ups, which share the route.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, WebhookMarker},
    },
};

use super::{Body, Caller, Path, channels, guilds};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Event, Principal, State as World, Webhook},
};

const MAX_WEBHOOKS: usize = 15;

pub(super) async fn create(
    State(sim): State<Sim>,
    caller: Caller,
    Path(channel_id): Path<Id<ChannelMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let name = name_of(body.fields()?.get("name").and_then(Value::as_str).unwrap_or_default())?;
    sim.write(|state| {
        let channel = channels::allowed(state, channel_id, caller.user(), Permissions::MANAGE_WEBHOOKS)?;
        let guild_id = channel.guild_id.ok_or_else(|| ApiError::bad(50003, "Cannot execute action on a DM channel"))?;
        if state.webhooks.values().filter(|webhook| webhook.channel_id == channel_id).count() >= MAX_WEBHOOKS {
            return Err(ApiError::bad(30007, "Maximum number of webhooks reached (15)"));
        }
        let application_id = match caller.0 {
            Principal::Bot(id) => Some(id),
            Principal::Person(_) => None,
        };
        let token = hex::encode(rand::random::<[u8; 34]>());
        let webhook =
            Webhook { id: state.new_id(), token, channel_id, guild_id, name, application_id, user_id: caller.user() };
        let json = describe(state, &webhook);
        state.webhooks.insert(webhook.id, webhook);
        tell(state, channel_id, guild_id);
        Ok(Json(json))
    })
}

pub(super) async fn of_channel(
    State(sim): State<Sim>,
    caller: Caller,
    Path(channel): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        channels::allowed(state, channel, caller.user(), Permissions::MANAGE_WEBHOOKS)?;
        Ok(Json(
            state
                .webhooks
                .values()
                .filter(|webhook| webhook.channel_id == channel)
                .map(|webhook| describe(state, webhook))
                .collect(),
        ))
    })
}

pub(super) async fn of_guild(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        guilds::with_permissions(state, guild, caller.user(), Permissions::MANAGE_WEBHOOKS)?;
        Ok(Json(
            state
                .webhooks
                .values()
                .filter(|webhook| webhook.guild_id == guild)
                .map(|webhook| describe(state, webhook))
                .collect(),
        ))
    })
}

pub(super) async fn one(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<WebhookMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| manageable(state, id, caller).map(|webhook| Json(describe(state, webhook))))
}

pub(super) async fn edit(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<WebhookMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let name = body.fields()?.get("name").map(|name| name_of(name.as_str().unwrap_or_default())).transpose()?;
    sim.write(|state| {
        manageable(state, id, caller)?;
        if let (Some(name), Some(webhook)) = (name, state.webhooks.get_mut(&id)) {
            webhook.name = name;
        }
        manageable(state, id, caller).map(|webhook| Json(describe(state, webhook)))
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<WebhookMarker>>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let (channel, guild) = manageable(state, id, caller).map(|webhook| (webhook.channel_id, webhook.guild_id))?;
        state.webhooks.remove(&id);
        tell(state, channel, guild);
        Ok(StatusCode::NO_CONTENT)
    })
}

fn manageable(state: &World, id: Id<WebhookMarker>, caller: Caller) -> Result<&Webhook, ApiError> {
    let webhook = state.webhooks.get(&id).ok_or_else(|| ApiError::unknown(10015, "Webhook"))?;
    channels::allowed(state, webhook.channel_id, caller.user(), Permissions::MANAGE_WEBHOOKS)?;
    Ok(webhook)
}

fn name_of(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 80 {
        return Err(ApiError::field("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 80 in length."));
    }
    Ok(name.to_owned())
}

fn tell(state: &mut World, channel: Id<ChannelMarker>, guild: Id<GuildMarker>) {
    let data = json!({ "guild_id": guild, "channel_id": channel });
    state.emit(Event { kind: "WEBHOOKS_UPDATE", data, audience: Audience::Channel(channel) });
}

fn describe(state: &World, webhook: &Webhook) -> Value {
    let mut json = webhook.to_json(&state.base_url);
    json["user"] = state.user_json(webhook.user_id);
    json
}
