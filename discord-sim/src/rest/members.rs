//! Members and their roles.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker, UserMarker},
    },
};

use super::{Body, Caller, Path, Query, guilds, roles};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Event, Principal, State as World},
};

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    after: Option<Id<UserMarker>>,
    query: Option<String>,
}

pub(super) async fn list(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        // Bots need the privileged intent for the list.
        if let Principal::Bot(id) = caller.0
            && state.applications.get(&id).is_some_and(|application| application.privileged_intents & (1 << 1) == 0)
        {
            return Err(ApiError::missing_access());
        }
        let members = guilds::member_of(state, guild, caller.user())?
            .members
            .keys()
            .filter(|id| page.after.is_none_or(|after| **id > after));
        Ok(Json(
            members
                .take(page.limit.unwrap_or(1).clamp(1, 1000))
                .filter_map(|id| state.member_json(guild, *id))
                .collect(),
        ))
    })
}

pub(super) async fn search(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let wanted = page.query.unwrap_or_default().to_lowercase();
    sim.read(|state| {
        let members = guilds::member_of(state, guild, caller.user())?.members.values().filter(|member| {
            let user = state.users.get(&member.user_id);
            let names = [
                member.nick.as_deref(),
                user.map(|user| user.username.as_str()),
                user.and_then(|user| user.global_name.as_deref()),
            ];
            names.into_iter().flatten().any(|name| name.to_lowercase().starts_with(&wanted))
        });
        Ok(Json(
            members
                .take(page.limit.unwrap_or(1).clamp(1, 1000))
                .filter_map(|member| state.member_json(guild, member.user_id))
                .collect(),
        ))
    })
}

pub(super) async fn one(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild, user)): Path<(Id<GuildMarker>, Id<UserMarker>)>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        guilds::member_of(state, guild, caller.user())?;
        state.member_json(guild, user).map(Json).ok_or_else(|| ApiError::unknown(10007, "Member"))
    })
}

pub(super) async fn edit_own(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let nick = body.fields()?.get("nick").and_then(Value::as_str).filter(|nick| !nick.is_empty()).map(str::to_owned);
    sim.write(|state| {
        guilds::with_permissions(state, guild, caller.user(), Permissions::CHANGE_NICKNAME)?;
        changed(state, guild, caller.user(), |member| member.nick = nick)
    })
}

pub(super) async fn edit(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild_id, user)): Path<(Id<GuildMarker>, Id<UserMarker>)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let fields = body.fields()?;
    sim.write(|state| {
        if let Some(nick) = fields.get("nick") {
            guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_NICKNAMES)?;
            let nick = nick.as_str().filter(|nick| !nick.is_empty()).map(str::to_owned);
            drop(changed(state, guild_id, user, |member| member.nick = nick)?);
        }
        if let Some(wanted) = fields.get("roles").and_then(Value::as_array) {
            let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_ROLES)?;
            let wanted: Vec<Id<RoleMarker>> = wanted.iter().filter_map(|role| role.as_str()?.parse().ok()).collect();
            let current = guild
                .members
                .get(&user)
                .map(|member| member.roles.clone())
                .ok_or_else(|| ApiError::unknown(10007, "Member"))?;
            for role in wanted
                .iter()
                .filter(|role| !current.contains(role))
                .chain(current.iter().filter(|role| !wanted.contains(role)))
            {
                roles::below(state, guild, caller, *role)?;
            }
            drop(changed(state, guild_id, user, |member| member.roles = wanted)?);
        }
        state.member_json(guild_id, user).map(Json).ok_or_else(|| ApiError::unknown(10007, "Member"))
    })
}

pub(super) async fn kick(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild_id, user)): Path<(Id<GuildMarker>, Id<UserMarker>)>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::KICK_MEMBERS)?;
        if state.top_role(guild, user) >= state.top_role(guild, caller.user()) {
            return Err(ApiError::missing_permissions());
        }
        state
            .remove_member(guild_id, user)
            .map(|()| StatusCode::NO_CONTENT)
            .ok_or_else(|| ApiError::unknown(10007, "Member"))
    })
}

type MemberRole = (Id<GuildMarker>, Id<UserMarker>, Id<RoleMarker>);

pub(super) async fn add_role(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild, user, role)): Path<MemberRole>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        roles::below(
            state,
            guilds::with_permissions(state, guild, caller.user(), Permissions::MANAGE_ROLES)?,
            caller,
            role,
        )?;
        changed(state, guild, user, |member| {
            if !member.roles.contains(&role) {
                member.roles.push(role);
            }
        })
        .map(|_| StatusCode::NO_CONTENT)
    })
}

pub(super) async fn remove_role(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild, user, role)): Path<MemberRole>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        roles::below(
            state,
            guilds::with_permissions(state, guild, caller.user(), Permissions::MANAGE_ROLES)?,
            caller,
            role,
        )?;
        changed(state, guild, user, |member| member.roles.retain(|held| *held != role)).map(|_| StatusCode::NO_CONTENT)
    })
}

fn changed(
    state: &mut World,
    guild: Id<GuildMarker>,
    user: Id<UserMarker>,
    change: impl FnOnce(&mut crate::state::Member),
) -> Result<Json<Value>, ApiError> {
    let member = state.guilds.get_mut(&guild).and_then(|guild| guild.members.get_mut(&user));
    change(member.ok_or_else(|| ApiError::unknown(10007, "Member"))?);
    let json = state.member_json(guild, user).unwrap_or_default();
    let mut data = json.clone();
    data["guild_id"] = json!(guild);
    state.emit(Event { kind: "GUILD_MEMBER_UPDATE", data, audience: Audience::Guild(guild) });
    Ok(Json(json))
}
