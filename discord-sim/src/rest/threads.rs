//! Threads and their members.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Map, Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, MessageMarker, UserMarker},
    },
};

use super::{Body, Caller, Draft, Path, channels, guilds};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Channel, Event, State as World, Thread, ThreadMember, flags, kind},
};

const MAX_MEMBERS: usize = 1000;

pub(super) async fn active(
    State(sim): State<Sim>,
    caller: Caller,
    Path(guild): Path<Id<GuildMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        guilds::member_of(state, guild, caller.user())?;
        let threads: Vec<_> =
            state.active_threads(guild).into_iter().filter(|thread| state.can_view(thread, caller.user())).collect();
        Ok(Json(listing(state, &threads, caller)))
    })
}

pub(super) async fn archived_public(
    State(sim): State<Sim>,
    caller: Caller,
    Path(parent): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    archived(&sim, caller, parent, false)
}

pub(super) async fn archived_private(
    State(sim): State<Sim>,
    caller: Caller,
    Path(parent): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    archived(&sim, caller, parent, true)
}

fn archived(sim: &Sim, caller: Caller, parent: Id<ChannelMarker>, private: bool) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        channels::allowed(state, parent, caller.user(), Permissions::READ_MESSAGE_HISTORY)?;
        let threads: Vec<_> = state
            .channels
            .values()
            .filter(|channel| {
                channel.parent_id == Some(parent) && channel.thread.as_ref().is_some_and(|thread| thread.archived)
            })
            .filter(|channel| {
                (channel.kind == kind::PRIVATE_THREAD) == private && state.can_view(channel, caller.user())
            })
            .collect();
        Ok(Json(listing(state, &threads, caller)))
    })
}

fn listing(state: &World, threads: &[&Channel], caller: Caller) -> Value {
    let members: Vec<Value> =
        threads.iter().filter_map(|channel| channel.thread.as_ref()?.member_json(channel.id, caller.user())).collect();
    let threads: Vec<Value> = threads.iter().map(|channel| state.thread_json(channel, caller.user())).collect();
    json!({ "threads": threads, "members": members, "has_more": false })
}

pub(super) async fn create(
    State(sim): State<Sim>,
    caller: Caller,
    Path(parent): Path<Id<ChannelMarker>>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let fields = body.fields()?.clone();
    sim.write(|state| {
        let forum = channels::visible(state, parent, caller.user())?.kind == kind::FORUM;
        let kind = match fields.get("type").and_then(Value::as_u64) {
            _ if forum => kind::PUBLIC_THREAD,
            Some(11) => kind::PUBLIC_THREAD,
            Some(10) => kind::ANNOUNCEMENT_THREAD,
            _ => kind::PRIVATE_THREAD,
        };
        let id = state.new_id();
        let mut json = start(state, caller, parent, kind, &fields, id)?;
        if forum {
            let message = Body { json: fields.get("message").cloned().unwrap_or_default(), files: body.files };
            let message = Draft::new(state, id, caller.user(), &message)?.message;
            json["message"] = state.message_json(&message);
            state.insert_message(message);
        }
        Ok((StatusCode::CREATED, Json(json)))
    })
}

pub(super) async fn create_from_message(
    State(sim): State<Sim>,
    caller: Caller,
    Path((parent, message)): Path<(Id<ChannelMarker>, Id<MessageMarker>)>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let fields = body.fields()?;
    sim.write(|state| {
        channels::visible(state, parent, caller.user())?;
        super::messages::seen(state, parent, message, caller)?;
        if state.channels.contains_key(&message.cast()) {
            return Err(ApiError::bad(160_004, "A thread has already been created for this message"));
        }
        // A thread of a message has the message's id.
        let json = start(state, caller, parent, kind::PUBLIC_THREAD, fields, message.cast())?;
        state.update_message(parent, message, |message| message.flags |= flags::HAS_THREAD);
        Ok((StatusCode::CREATED, Json(json)))
    })
}

fn start(
    state: &mut World,
    caller: Caller,
    parent: Id<ChannelMarker>,
    kind: u8,
    fields: &Map<String, Value>,
    id: Id<ChannelMarker>,
) -> Result<Value, ApiError> {
    let needed = if kind == kind::PRIVATE_THREAD {
        Permissions::CREATE_PRIVATE_THREADS
    } else {
        Permissions::CREATE_PUBLIC_THREADS
    };
    let guild_id = channels::allowed(state, parent, caller.user(), needed)?.guild_id;
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(ApiError::field("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length."));
    }
    let now = state.now();
    let minutes = fields
        .get("auto_archive_duration")
        .and_then(Value::as_u64)
        .and_then(|minutes| u32::try_from(minutes).ok())
        .unwrap_or(4320);
    let thread = Thread {
        owner_id: caller.user(),
        archived: false,
        locked: false,
        invitable: fields.get("invitable").and_then(Value::as_bool).unwrap_or(true),
        auto_archive_duration: minutes,
        archive_timestamp: now,
        created_at: now,
        members: BTreeMap::from([(caller.user(), ThreadMember { joined_at: now })]),
        total_message_sent: 0,
    };
    let channel = Channel {
        id,
        kind,
        guild_id,
        name: name.to_owned(),
        topic: None,
        parent_id: Some(parent),
        position: 0,
        overwrites: Vec::new(),
        nsfw: false,
        rate_limit_per_user: 0,
        last_message_id: None,
        recipients: Vec::new(),
        thread: Some(thread),
    };
    let json = state.thread_json(&channel, caller.user());
    state.insert_channel(channel);
    Ok(json)
}

/// PATCH of a thread: its owner may rename and archive it, locking needs MANAGE_THREADS.
pub(super) fn edit(
    state: &mut World,
    id: Id<ChannelMarker>,
    caller: Caller,
    fields: &Map<String, Value>,
) -> Result<Json<Value>, ApiError> {
    let channel = channels::visible(state, id, caller.user())?;
    let manages = state.channel_permissions(channel, caller.user()).contains(Permissions::MANAGE_THREADS);
    let owns = channel.thread.as_ref().is_some_and(|thread| thread.owner_id == caller.user());
    let locked = channel.thread.as_ref().is_some_and(|thread| thread.locked);
    let archived = channel.thread.as_ref().is_some_and(|thread| thread.archived);
    let unarchives = fields.get("archived") == Some(&json!(false));
    if !manages && (!owns || fields.contains_key("locked") || locked) {
        return Err(ApiError::missing_permissions());
    }
    if archived && !unarchives {
        return Err(ApiError::bad(50083, "Thread is archived"));
    }
    let now = state.now();
    if let Some(channel) = state.channels.get_mut(&id) {
        if let Some(name) = fields.get("name").and_then(Value::as_str) {
            name.clone_into(&mut channel.name);
        }
        if let Some(seconds) = fields.get("rate_limit_per_user").and_then(Value::as_u64) {
            channel.rate_limit_per_user = u32::try_from(seconds).unwrap_or_default();
        }
        if let Some(thread) = &mut channel.thread {
            if let Some(minutes) = fields.get("auto_archive_duration").and_then(Value::as_u64) {
                thread.auto_archive_duration = u32::try_from(minutes).unwrap_or(thread.auto_archive_duration);
            }
            if let Some(archived) = fields.get("archived").and_then(Value::as_bool) {
                thread.archived = archived;
                thread.archive_timestamp = now;
            }
            if let Some(locked) = fields.get("locked").and_then(Value::as_bool) {
                thread.locked = locked;
            }
            if let Some(invitable) = fields.get("invitable").and_then(Value::as_bool) {
                thread.invitable = invitable;
            }
        }
    }
    state.channel_changed(id);
    channels::visible(state, id, caller.user()).map(|channel| Json(state.channel_json(channel, Some(caller.user()))))
}

pub(super) async fn members(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        let thread = thread_of(state, id, caller)?;
        Ok(Json(thread.members.keys().filter_map(|user| thread.member_json(id, *user)).collect()))
    })
}

pub(super) async fn member(
    State(sim): State<Sim>,
    caller: Caller,
    Path((id, user)): Path<(Id<ChannelMarker>, Id<UserMarker>)>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        thread_of(state, id, caller)?.member_json(id, user).map(Json).ok_or_else(|| ApiError::unknown(10007, "Member"))
    })
}

pub(super) async fn join(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| change_member(state, id, caller, caller.user(), true))
}

pub(super) async fn leave(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| change_member(state, id, caller, caller.user(), false))
}

pub(super) async fn add_member(
    State(sim): State<Sim>,
    caller: Caller,
    Path((id, user)): Path<(Id<ChannelMarker>, Id<UserMarker>)>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| change_member(state, id, caller, user, true))
}

pub(super) async fn remove_member(
    State(sim): State<Sim>,
    caller: Caller,
    Path((id, user)): Path<(Id<ChannelMarker>, Id<UserMarker>)>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let channel = channels::visible(state, id, caller.user())?;
        let owns = channel.thread.as_ref().is_some_and(|thread| thread.owner_id == caller.user());
        if !owns && !state.channel_permissions(channel, caller.user()).contains(Permissions::MANAGE_THREADS) {
            return Err(ApiError::missing_permissions());
        }
        change_member(state, id, caller, user, false)
    })
}

fn thread_of(state: &World, id: Id<ChannelMarker>, caller: Caller) -> Result<&Thread, ApiError> {
    channels::visible(state, id, caller.user())?
        .thread
        .as_ref()
        .ok_or_else(|| ApiError::bad(50024, "Cannot execute action on this channel type"))
}

fn change_member(
    state: &mut World,
    id: Id<ChannelMarker>,
    caller: Caller,
    user: Id<UserMarker>,
    add: bool,
) -> Result<StatusCode, ApiError> {
    let thread = thread_of(state, id, caller)?;
    if thread.archived {
        return Err(ApiError::bad(50083, "Thread is archived"));
    }
    if add && thread.members.len() >= MAX_MEMBERS {
        return Err(ApiError::bad(30033, "Maximum number of thread participants reached (1000)"));
    }
    let guild = state.channels.get(&id).and_then(|channel| channel.guild_id);
    if !guild.and_then(|guild| state.guilds.get(&guild)).is_some_and(|guild| guild.members.contains_key(&user)) {
        return Err(ApiError::unknown(10007, "Member"));
    }
    let now = state.now();
    let mut count = 0;
    let mut added = Vec::new();
    if let Some(thread) = state.channels.get_mut(&id).and_then(|channel| channel.thread.as_mut()) {
        if add {
            thread.members.entry(user).or_insert(ThreadMember { joined_at: now });
            added.extend(thread.member_json(id, user));
        } else {
            thread.members.remove(&user);
        }
        count = thread.members.len();
    }
    let removed: Vec<_> = (!add).then_some(user).into_iter().collect();
    let mut data = json!({ "id": id, "guild_id": guild, "member_count": count });
    if add {
        data["added_members"] = json!(added);
    } else {
        data["removed_member_ids"] = json!(removed);
    }
    state.emit(Event { kind: "THREAD_MEMBERS_UPDATE", data: data.clone(), audience: Audience::Channel(id) });
    if !add {
        // The removed one no longer sees the thread, and hears of it once more.
        state.emit(Event { kind: "THREAD_MEMBERS_UPDATE", data, audience: Audience::Person(user) });
    } else if let Some(channel) = state.channels.get(&id).filter(|channel| channel.kind == kind::PRIVATE_THREAD) {
        let data = state.thread_json(channel, user);
        state.emit(Event { kind: "THREAD_CREATE", data, audience: Audience::Person(user) });
    }
    Ok(StatusCode::NO_CONTENT)
}
