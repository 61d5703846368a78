//! Roles.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Map, Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker},
    },
};

use super::{Body, Caller, Path, guilds};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Event, Guild, Role, State as World},
};

const MAX_ROLES: usize = 250;

pub(super) async fn list(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        Ok(Json(guilds::member_of(state, guild, caller.user())?.roles.values().map(Role::to_json).collect()))
    })
}

pub(super) async fn one(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild, role)): Path<(Id<GuildMarker>, Id<RoleMarker>)>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        let guild = guilds::member_of(state, guild, caller.user())?;
        guild.roles.get(&role).map(|role| Json(role.to_json())).ok_or_else(|| ApiError::unknown(10011, "Role"))
    })
}

pub(super) async fn create(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild_id): Path<Id<GuildMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let fields = body.fields()?;
    sim.write(|state| {
        let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_ROLES)?;
        if guild.roles.len() >= MAX_ROLES {
            return Err(ApiError::bad(30005, "Maximum number of guild roles reached (250)"));
        }
        let own = state.guild_permissions(guild, caller.user());
        let everyone = guild.roles.get(&guild_id.cast()).map_or(Permissions::empty(), |role| role.permissions);
        let mut role = Role {
            id: state.new_id(),
            name: "new role".into(),
            permissions: everyone,
            position: 1,
            color: 0,
            hoist: false,
            managed: false,
            mentionable: false,
            bot_id: None,
        };
        apply(&mut role, fields, own)?;
        let json = role.to_json();
        let guild = state.guilds.get_mut(&guild_id).ok_or_else(|| ApiError::unknown(10004, "Guild"))?;
        // A new role stands just above @everyone; the others make room.
        let mut moved = Vec::new();
        for other in guild.roles.values_mut().filter(|other| other.position >= 1) {
            other.position += 1;
            moved.push(other.to_json());
        }
        guild.roles.insert(role.id, role);
        tell(state, guild_id, "GUILD_ROLE_CREATE", &json);
        moved.iter().for_each(|role| tell(state, guild_id, "GUILD_ROLE_UPDATE", role));
        Ok(Json(json))
    })
}

pub(super) async fn edit(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild_id, role_id)): Path<(Id<GuildMarker>, Id<RoleMarker>)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let fields = body.fields()?;
    sim.write(|state| {
        let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_ROLES)?;
        let own = state.guild_permissions(guild, caller.user());
        let mut role = below(state, guild, caller, role_id)?.clone();
        apply(&mut role, fields, own)?;
        let json = role.to_json();
        if let Some(guild) = state.guilds.get_mut(&guild_id) {
            guild.roles.insert(role_id, role);
        }
        tell(state, guild_id, "GUILD_ROLE_UPDATE", &json);
        Ok(Json(json))
    })
}

pub(super) async fn reorder(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild_id): Path<Id<GuildMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let moves = body.json.as_array().cloned().unwrap_or_default();
    sim.write(|state| {
        let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_ROLES)?;
        let mut moved = Vec::new();
        for entry in &moves {
            let id =
                entry["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(|| ApiError::unknown(10011, "Role"))?;
            let role = below(state, guild, caller, id)?;
            if let Some(position) = entry["position"].as_i64() {
                moved.push(Role { position, ..role.clone() });
            }
        }
        for role in moved {
            let json = role.to_json();
            if let Some(guild) = state.guilds.get_mut(&guild_id) {
                guild.roles.insert(role.id, role);
            }
            tell(state, guild_id, "GUILD_ROLE_UPDATE", &json);
        }
        let guild = guilds::member_of(state, guild_id, caller.user())?;
        Ok(Json(guild.roles.values().map(Role::to_json).collect()))
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path((guild_id, role_id)): Path<(Id<GuildMarker>, Id<RoleMarker>)>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_ROLES)?;
        if below(state, guild, caller, role_id)?.managed || role_id == guild_id.cast() {
            return Err(ApiError::bad(50028, "Invalid role"));
        }
        if let Some(guild) = state.guilds.get_mut(&guild_id) {
            guild.roles.remove(&role_id);
            for member in guild.members.values_mut() {
                member.roles.retain(|role| *role != role_id);
            }
        }
        let data = json!({ "guild_id": guild_id, "role_id": role_id });
        state.emit(Event { kind: "GUILD_ROLE_DELETE", data, audience: Audience::Guild(guild_id) });
        let touched: Vec<_> = state
            .channels
            .values_mut()
            .filter(|channel| {
                channel.guild_id == Some(guild_id)
                    && channel.overwrites.iter().any(|overwrite| overwrite.id == role_id.cast())
            })
            .map(|channel| {
                channel.overwrites.retain(|overwrite| overwrite.id != role_id.cast());
                channel.id
            })
            .collect();
        for channel in touched {
            state.channel_changed(channel);
        }
        Ok(StatusCode::NO_CONTENT)
    })
}

/// The role, if it stands below the caller's highest.
pub(super) fn below<'a>(
    state: &World,
    guild: &'a Guild,
    caller: Caller,
    role: Id<RoleMarker>,
) -> Result<&'a Role, ApiError> {
    let role = guild.roles.get(&role).ok_or_else(|| ApiError::unknown(10011, "Role"))?;
    if role.position < state.top_role(guild, caller.user()) { Ok(role) } else { Err(ApiError::missing_permissions()) }
}

fn apply(role: &mut Role, fields: &Map<String, Value>, own: Permissions) -> Result<(), ApiError> {
    if let Some(name) = fields.get("name").and_then(Value::as_str) {
        if name.is_empty() || name.chars().count() > 100 {
            return Err(ApiError::field("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length."));
        }
        name.clone_into(&mut role.name);
    }
    if let Some(bits) = fields.get("permissions").filter(|bits| !bits.is_null()) {
        let bits = bits.as_str().and_then(|bits| bits.parse().ok()).or_else(|| bits.as_u64());
        let wanted = Permissions::from_bits_truncate(
            bits.ok_or_else(|| ApiError::field("permissions", "NUMBER_TYPE_COERCE", "Value is not a number."))?,
        );
        if !own.contains(wanted - role.permissions) {
            return Err(ApiError::missing_permissions());
        }
        role.permissions = wanted;
    }
    let primary = fields.get("colors").and_then(|colors| colors["primary_color"].as_u64());
    if let Some(color) = fields.get("color").and_then(Value::as_u64).or(primary) {
        role.color = u32::try_from(color).unwrap_or_default();
    }
    if let Some(hoist) = fields.get("hoist").and_then(Value::as_bool) {
        role.hoist = hoist;
    }
    if let Some(mentionable) = fields.get("mentionable").and_then(Value::as_bool) {
        role.mentionable = mentionable;
    }
    Ok(())
}

fn tell(state: &mut World, guild: Id<GuildMarker>, kind: &'static str, role: &Value) {
    state.emit(Event { kind, data: json!({ "guild_id": guild, "role": role }), audience: Audience::Guild(guild) });
}
