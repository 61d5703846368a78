//! Channels of guilds; `overwrites.rs` and `threads.rs` hold what they have of their own.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Map, Value};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, UserMarker},
    },
};

use super::{Body, Caller, Path, guilds, overwrites};
use crate::{
    check,
    error::ApiError,
    sim::Sim,
    state::{Channel, State as World, kind},
};

const MAX_CHANNELS: usize = 500;
const MAX_IN_CATEGORY: usize = 50;

pub(super) async fn list(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        guilds::member_of(state, guild, caller.user())?;
        Ok(Json(
            state
                .guild_channels(guild)
                .into_iter()
                .map(|channel| state.channel_json(channel, Some(caller.user())))
                .collect(),
        ))
    })
}

pub(super) async fn create(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild_id): Path<Id<GuildMarker>>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let fields = body.fields()?;
    check::channel(&body.json)?;
    sim.write(|state| {
        let guild = guilds::with_permissions(state, guild_id, caller.user(), Permissions::MANAGE_CHANNELS)?;
        let kind =
            fields.get("type").and_then(Value::as_u64).and_then(|kind| u8::try_from(kind).ok()).unwrap_or(kind::TEXT);
        if !matches!(kind, kind::TEXT | kind::VOICE | kind::CATEGORY | kind::ANNOUNCEMENT | kind::FORUM | 13 | 16) {
            return Err(ApiError::field("type", "BASE_TYPE_CHOICES", "Value must be one of {0, 2, 4, 5, 13, 15, 16}."));
        }
        if state.guild_channels(guild_id).len() >= MAX_CHANNELS {
            return Err(ApiError::bad(30013, "Maximum number of guild channels reached (500)"));
        }
        let parent_id = parent(state, guild_id, fields, None)?;
        let mut own = state.guild_permissions(guild, caller.user());
        // Whoever creates a channel may pass on what they have, but not the right to change its overwrites.
        if !own.contains(Permissions::ADMINISTRATOR) {
            own.remove(Permissions::MANAGE_ROLES);
        }
        let overwrites = overwrites::parse_all(state, guild, fields.get("permission_overwrites"), own)?;
        // Without own overwrites a new channel takes its category's.
        let overwrites = overwrites.unwrap_or_else(|| {
            parent_id.and_then(|id| state.channels.get(&id)).map(|parent| parent.overwrites.clone()).unwrap_or_default()
        });
        let position = state.guild_channels(guild_id).len();
        let id = state.new_id();
        let mut channel = Channel {
            id,
            kind,
            guild_id: Some(guild_id),
            name: String::new(),
            topic: None,
            parent_id,
            position: i64::try_from(position).unwrap_or(i64::MAX),
            overwrites,
            nsfw: false,
            rate_limit_per_user: 0,
            last_message_id: None,
            recipients: Vec::new(),
            thread: None,
        };
        apply(&mut channel, fields);
        let json = state.channel_json(&channel, Some(caller.user()));
        state.insert_channel(channel);
        Ok((StatusCode::CREATED, Json(json)))
    })
}

pub(super) async fn one(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        visible(state, id, caller.user()).map(|channel| Json(state.channel_json(channel, Some(caller.user()))))
    })
}

pub(super) async fn edit(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let fields = body.fields()?;
    check::channel_edit(&body.json)?;
    sim.write(|state| {
        let channel = visible(state, id, caller.user())?;
        if channel.is_thread() {
            return super::threads::edit(state, id, caller, fields);
        }
        let guild_id = channel.guild_id.ok_or_else(|| ApiError::bad(50003, "Cannot execute action on a DM channel"))?;
        let permissions = state.channel_permissions(channel, caller.user());
        if !permissions.contains(Permissions::MANAGE_CHANNELS) {
            return Err(ApiError::missing_permissions());
        }
        let guild = guilds::member_of(state, guild_id, caller.user())?;
        let overwrites = overwrites::parse_all(state, guild, fields.get("permission_overwrites"), permissions)?;
        if overwrites.is_some() && !permissions.contains(Permissions::MANAGE_ROLES) {
            return Err(ApiError::missing_permissions());
        }
        let moves = fields.contains_key("parent_id");
        let parent_id = if moves { parent(state, guild_id, fields, Some(id))? } else { channel.parent_id };
        if let Some(channel) = state.channels.get_mut(&id) {
            apply(channel, fields);
            channel.parent_id = parent_id;
            if let Some(overwrites) = overwrites {
                channel.overwrites = overwrites;
            }
        }
        state.channel_changed(id);
        visible(state, id, caller.user()).map(|channel| Json(state.channel_json(channel, Some(caller.user()))))
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.write(|state| {
        let channel = visible(state, id, caller.user())?;
        let json = state.channel_json(channel, Some(caller.user()));
        // A direct message is only hidden from its list.
        if channel.guild_id.is_none() {
            return Ok(Json(json));
        }
        let needed = if channel.is_thread() { Permissions::MANAGE_THREADS } else { Permissions::MANAGE_CHANNELS };
        if !state.channel_permissions(channel, caller.user()).contains(needed) {
            return Err(ApiError::missing_permissions());
        }
        state.remove_channel(id);
        Ok(Json(json))
    })
}

pub(super) async fn reorder(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let moves = body.json.as_array().cloned().unwrap_or_default();
    sim.write(|state| {
        guilds::with_permissions(state, guild, caller.user(), Permissions::MANAGE_CHANNELS)?;
        for entry in moves {
            let Some(id) = entry["id"].as_str().and_then(|id| id.parse().ok()) else { continue };
            let moves = entry.as_object().filter(|entry| entry.contains_key("parent_id"));
            let parent_id = moves.map(|entry| parent(state, guild, entry, Some(id))).transpose()?;
            let Some(channel) = state.channels.get_mut(&id).filter(|channel| channel.guild_id == Some(guild)) else {
                continue;
            };
            if let Some(position) = entry["position"].as_i64() {
                channel.position = position;
            }
            if let Some(parent_id) = parent_id {
                channel.parent_id = parent_id;
            }
            state.channel_changed(id);
        }
        Ok(StatusCode::NO_CONTENT)
    })
}

/// The channel, if `user` may see it. A bot is told of channels it cannot view, but not served from them.
pub(super) fn visible(state: &World, id: Id<ChannelMarker>, user: Id<UserMarker>) -> Result<&Channel, ApiError> {
    let channel = state.channels.get(&id).ok_or_else(|| ApiError::unknown(10003, "Channel"))?;
    if state.can_view(channel, user) { Ok(channel) } else { Err(ApiError::missing_access()) }
}

/// The channel, if `user` may see it and has `needed` there.
pub(super) fn allowed(
    state: &World,
    id: Id<ChannelMarker>,
    user: Id<UserMarker>,
    needed: Permissions,
) -> Result<&Channel, ApiError> {
    let channel = visible(state, id, user)?;
    if state.channel_permissions(channel, user).contains(needed) {
        Ok(channel)
    } else {
        Err(ApiError::missing_permissions())
    }
}

fn parent(
    state: &World,
    guild: Id<GuildMarker>,
    fields: &Map<String, Value>,
    moving: Option<Id<ChannelMarker>>,
) -> Result<Option<Id<ChannelMarker>>, ApiError> {
    let Some(id) = fields.get("parent_id").filter(|id| !id.is_null()) else { return Ok(None) };
    let id: Option<Id<ChannelMarker>> = id.as_str().and_then(|id| id.parse().ok());
    let category = id
        .and_then(|id| state.channels.get(&id))
        .filter(|category| category.guild_id == Some(guild) && category.kind == kind::CATEGORY);
    let Some(category) = category else {
        return Err(ApiError::field("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist"));
    };
    let children = state
        .channels
        .values()
        .filter(|child| child.parent_id == Some(category.id) && Some(child.id) != moving)
        .count();
    if children >= MAX_IN_CATEGORY {
        return Err(ApiError::field(
            "parent_id",
            "CHANNEL_PARENT_MAX_CHANNELS",
            "Maximum number of channels in category reached (50)",
        ));
    }
    Ok(Some(category.id))
}

fn apply(channel: &mut Channel, fields: &Map<String, Value>) {
    if let Some(name) = fields.get("name").and_then(Value::as_str) {
        channel.name = if matches!(channel.kind, kind::TEXT | kind::ANNOUNCEMENT | kind::FORUM) {
            text_channel_name(name)
        } else {
            name.to_owned()
        };
    }
    if let Some(topic) = fields.get("topic") {
        channel.topic = topic.as_str().filter(|topic| !topic.is_empty()).map(str::to_owned);
    }
    if let Some(position) = fields.get("position").and_then(Value::as_i64) {
        channel.position = position;
    }
    if let Some(nsfw) = fields.get("nsfw").and_then(Value::as_bool) {
        channel.nsfw = nsfw;
    }
    if let Some(seconds) = fields.get("rate_limit_per_user").and_then(Value::as_u64) {
        channel.rate_limit_per_user = u32::try_from(seconds).unwrap_or_default();
    }
}

/// Names of text channels: lower case, no spaces, as Discord rewrites them.
fn text_channel_name(name: &str) -> String {
    let mut rewritten = String::with_capacity(name.len());
    for character in name.trim().to_lowercase().chars() {
        match character {
            ' ' | '-' => {
                if !rewritten.ends_with('-') {
                    rewritten.push('-');
                }
            }
            '!'..='/' | ':'..='@' | '['..='^' | '`' | '{'..='~' => {}
            other => rewritten.push(other),
        }
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_channel_names_are_rewritten_as_discord_does() {
        assert_eq!(text_channel_name("My  Ticket #12"), "my-ticket-12");
        assert_eq!(text_channel_name("\u{dc}ber_uns"), "\u{fc}ber_uns");
    }
}
