//! Guilds.

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, UserMarker},
    },
};

use super::{Caller, Path, Query, flag};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Guild, State as World},
};

#[derive(Deserialize)]
pub(super) struct Params {
    #[serde(default, deserialize_with = "flag")]
    with_counts: bool,
}

pub(super) async fn one(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<GuildMarker>>,
    Query(params): Query<Params>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        let guild = member_of(state, id, caller.user())?;
        let mut json = guild.to_json();
        if params.with_counts {
            json["approximate_member_count"] = json!(guild.members.len());
            json["approximate_presence_count"] = json!(guild.members.len());
        }
        Ok(Json(json))
    })
}

/// The guild, if `user` is in it: others are told that it does not exist.
pub(super) fn member_of(state: &World, id: Id<GuildMarker>, user: Id<UserMarker>) -> Result<&Guild, ApiError> {
    let guild =
        state.guilds.get(&id).filter(|guild| !guild.unavailable).ok_or_else(|| ApiError::unknown(10004, "Guild"))?;
    if guild.members.contains_key(&user) { Ok(guild) } else { Err(ApiError::missing_access()) }
}

/// The guild, if `user` has `needed` in it.
pub(super) fn with_permissions(
    state: &World,
    id: Id<GuildMarker>,
    user: Id<UserMarker>,
    needed: Permissions,
) -> Result<&Guild, ApiError> {
    let guild = member_of(state, id, user)?;
    if state.guild_permissions(guild, user).contains(needed) { Ok(guild) } else { Err(ApiError::missing_permissions()) }
}
