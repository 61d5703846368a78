//! Users, the caller's guilds and direct messages, applications, and where the gateway is.

use std::time::Instant;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{GuildMarker, UserMarker},
};

use super::{Body, Caller, Path};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Event, Principal, User, kind},
};

pub(super) async fn gateway(State(sim): State<Sim>) -> Json<Value> {
    Json(json!({ "url": sim.gateway_url() }))
}

pub(super) async fn gateway_bot(State(sim): State<Sim>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let id = caller.application()?;
    sim.read(|state| {
        let application = state.applications.get(&id).ok_or_else(ApiError::unauthorized)?;
        let limit = application.start_limit(Instant::now());
        let reset_after = u64::try_from(limit.reset_after.as_millis()).unwrap_or(u64::MAX);
        Ok(Json(json!({
            "url": sim.gateway_url(), "shards": application.shards,
            "session_start_limit": {
                "total": limit.total, "remaining": limit.remaining, "reset_after": reset_after, "max_concurrency": application.max_concurrency,
            },
        })))
    })
}

pub(super) async fn me(State(sim): State<Sim>, caller: Caller) -> Result<Json<Value>, ApiError> {
    sim.read(|state| state.users.get(&caller.user()).map(User::to_own_json))
        .map(Json)
        .ok_or_else(ApiError::unauthorized)
}

pub(super) async fn one(
    State(sim): State<Sim>,
    _: Caller,
    Path(user): Path<Id<UserMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| state.users.get(&user).map(User::to_json))
        .map(Json)
        .ok_or_else(|| ApiError::unknown(10013, "User"))
}

pub(super) async fn my_guilds(State(sim): State<Sim>, caller: Caller) -> Json<Value> {
    let me = caller.user();
    Json(sim.read(|state| {
        let mine = state.guilds.values().filter(|guild| guild.members.contains_key(&me));
        mine.map(|guild| {
            json!({
                "id": guild.id, "name": guild.name, "icon": null, "banner": null, "owner": guild.owner_id == me, "features": [],
                "permissions": state.guild_permissions(guild, me).bits().to_string(),
            })
        })
        .collect()
    }))
}

pub(super) async fn leave(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| state.remove_member(guild, caller.user()))
        .map(|()| StatusCode::NO_CONTENT)
        .ok_or_else(|| ApiError::unknown(10004, "Guild"))
}

pub(super) async fn direct_channels(State(sim): State<Sim>, caller: Caller) -> Json<Value> {
    let me = caller.user();
    // Bots have no list.
    if matches!(caller.0, Principal::Bot(_)) {
        return Json(json!([]));
    }
    Json(sim.read(|state| {
        let mine =
            state.channels.values().filter(|channel| channel.kind == kind::DM && channel.recipients.contains(&me));
        mine.map(|channel| state.channel_json(channel, Some(me))).collect()
    }))
}

pub(super) async fn open_direct(State(sim): State<Sim>, caller: Caller, body: Body) -> Result<Json<Value>, ApiError> {
    let me = caller.user();
    let wanted =
        body.fields()?.get("recipient_id").and_then(Value::as_str).and_then(|id| id.parse::<Id<UserMarker>>().ok());
    let other =
        wanted.ok_or_else(|| ApiError::field("recipient_id", "BASE_TYPE_REQUIRED", "This field is required"))?;
    sim.write(|state| {
        if other == me || !state.users.contains_key(&other) {
            return Err(ApiError::bad(50033, "Invalid Recipient(s)"));
        }
        let id = state.direct_channel(me, other);
        let channel = state.channels.get(&id).ok_or_else(|| ApiError::unknown(10003, "Channel"))?;
        Ok(Json(state.channel_json(channel, Some(me))))
    })
}

pub(super) async fn application(State(sim): State<Sim>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let id = caller.application()?;
    sim.read(|state| {
        let application = state.applications.get(&id).ok_or_else(ApiError::unauthorized)?;
        let owner = application.owner.and_then(|owner| state.users.get(&owner));
        let owner = owner.or_else(|| state.users.values().find(|user| !user.bot)).map_or(Value::Null, User::to_json);
        let guilds = state.guilds.values().filter(|guild| guild.members.contains_key(&id.cast())).count();
        Ok(Json(application.to_json(owner, state.user_json(id.cast()), guilds)))
    })
}

/// Changes the interactions endpoint. Discord asks it with a PING and with a forged signature first, and so do we.
pub(super) async fn edit_application(
    State(sim): State<Sim>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let id = caller.application()?;
    if let Some(endpoint) = body.fields()?.get("interactions_endpoint_url") {
        match endpoint.as_str().filter(|url| !url.is_empty()) {
            None => sim.write(|state| {
                if let Some(application) = state.applications.get_mut(&id) {
                    application.interactions_endpoint_url = None;
                }
            }),
            Some(url) => sim.set_interactions_endpoint(id, url).await.map_err(|why| {
                ApiError::field("interactions_endpoint_url", "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID", &why)
            })?,
        }
    }
    application(State(sim), Caller(Principal::Bot(id))).await
}

impl crate::state::State {
    /// Takes a user out of a guild, as leaving and kicking do; `None` when not a member.
    pub fn remove_member(&mut self, guild: Id<GuildMarker>, user: Id<UserMarker>) -> Option<()> {
        let found = self.guilds.get_mut(&guild)?;
        found.members.remove(&user)?;
        // The role that an invitation made goes with its bot.
        let own_role = found.roles.values().find(|role| role.bot_id == Some(user)).map(|role| role.id);
        found.roles.retain(|id, _| Some(*id) != own_role);
        // Without `unavailable`: that would be an outage.
        let data = json!({ "id": guild });
        self.emit(Event { kind: "GUILD_DELETE", data, audience: Audience::Member(user, guild) });
        let data = json!({ "guild_id": guild, "user": self.user_json(user) });
        self.emit(Event { kind: "GUILD_MEMBER_REMOVE", data, audience: Audience::Guild(guild) });
        if let Some(role) = own_role {
            let data = json!({ "guild_id": guild, "role_id": role });
            self.emit(Event { kind: "GUILD_ROLE_DELETE", data, audience: Audience::Guild(guild) });
        }
        Some(())
    }
}
