//! Permission overwrites of channels.

use axum::{extract::State, http::StatusCode};
use serde_json::Value;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GenericMarker},
    },
};

use super::{Body, Caller, Path, channels};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Guild, Overwrite, OverwriteKind, State as World},
};

const MAX_OVERWRITES: usize = 1000;

pub(super) async fn put(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel_id, id)): Path<(Id<ChannelMarker>, Id<GenericMarker>)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let channel = channels::allowed(state, channel_id, caller.user(), Permissions::MANAGE_ROLES)?;
        let guild = channel
            .guild_id
            .and_then(|id| state.guilds.get(&id))
            .ok_or_else(|| ApiError::bad(50003, "Cannot execute action on a DM channel"))?;
        let mut own = state.channel_permissions(channel, caller.user());
        // An overwrite that lets one manage them lets one set everything.
        let granted = |overwrite: &&Overwrite| overwrite.allow.contains(Permissions::MANAGE_ROLES);
        if channel.overwrites.iter().filter(granted).any(|overwrite| is_for(guild, overwrite, caller)) {
            own = Permissions::all();
        }
        let mut fields = body.fields()?.clone();
        fields.insert("id".to_owned(), serde_json::json!(id));
        let overwrite = parse(state, guild, &Value::Object(fields), own)?;
        let Some(channel) = state.channels.get_mut(&channel_id) else {
            return Err(ApiError::unknown(10003, "Channel"));
        };
        channel.overwrites.retain(|existing| existing.id != id);
        if channel.overwrites.len() >= MAX_OVERWRITES {
            return Err(ApiError::bad(30060, "Maximum number of channel permission overwrites reached (1000)"));
        }
        channel.overwrites.push(overwrite);
        state.channel_changed(channel_id);
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel_id, id)): Path<(Id<ChannelMarker>, Id<GenericMarker>)>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        channels::allowed(state, channel_id, caller.user(), Permissions::MANAGE_ROLES)?;
        let Some(channel) = state.channels.get_mut(&channel_id) else {
            return Err(ApiError::unknown(10003, "Channel"));
        };
        let before = channel.overwrites.len();
        channel.overwrites.retain(|overwrite| overwrite.id != id);
        if channel.overwrites.len() == before {
            return Err(ApiError::unknown(10009, "Overwrite"));
        }
        state.channel_changed(channel_id);
        Ok(StatusCode::NO_CONTENT)
    })
}

fn is_for(guild: &Guild, overwrite: &Overwrite, caller: Caller) -> bool {
    match overwrite.kind {
        OverwriteKind::Member => overwrite.id == caller.user().cast(),
        OverwriteKind::Role => {
            guild.members.get(&caller.user()).is_some_and(|member| member.roles.contains(&overwrite.id.cast()))
        }
    }
}

/// The overwrites of a create or edit body; `None` when the body has none.
pub(super) fn parse_all(
    state: &World,
    guild: &Guild,
    list: Option<&Value>,
    own: Permissions,
) -> Result<Option<Vec<Overwrite>>, ApiError> {
    let Some(list) = list.and_then(Value::as_array) else { return Ok(None) };
    list.iter().map(|overwrite| parse(state, guild, overwrite, own)).collect::<Result<_, _>>().map(Some)
}

/// One overwrite. Nobody may allow or deny what they do not have themselves (Discord's documentation, "Edit Channel Permissions").
fn parse(state: &World, guild: &Guild, json: &Value, own: Permissions) -> Result<Overwrite, ApiError> {
    let id: Id<GenericMarker> = json["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| ApiError::field("permission_overwrites", "BASE_TYPE_REQUIRED", "This field is required"))?;
    let kind = match &json["type"] {
        Value::String(text) if text == "role" || text == "0" => OverwriteKind::Role,
        Value::String(_) => OverwriteKind::Member,
        Value::Number(number) if number.as_u64() == Some(1) => OverwriteKind::Member,
        _ => OverwriteKind::Role,
    };
    let known = match kind {
        OverwriteKind::Role => guild.roles.contains_key(&id.cast()),
        OverwriteKind::Member => state.users.contains_key(&id.cast()),
    };
    if !known {
        return Err(ApiError::unknown(10009, "Overwrite"));
    }
    let bits = |name: &str| {
        let bits = json[name].as_str().and_then(|bits| bits.parse().ok()).or_else(|| json[name].as_u64()).unwrap_or(0);
        Permissions::from_bits_truncate(bits)
    };
    let overwrite = Overwrite { id, kind, allow: bits("allow"), deny: bits("deny") };
    if own.contains(overwrite.allow | overwrite.deny) { Ok(overwrite) } else { Err(ApiError::missing_permissions()) }
}
