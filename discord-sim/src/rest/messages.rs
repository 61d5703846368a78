//! Messages and typing; `draft.rs` makes them of bodies, `pins.rs` and `reactions.rs` hold what they have of their own.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker},
    },
};

use super::{Body, Caller, Draft, Path, Query, channels};
use crate::{
    error::ApiError,
    sim::Sim,
    snowflake,
    state::{Audience, Channel, Event, Message, Principal, State as World, kind},
};

/// Bulk deletion takes messages of the last two weeks only.
const BULK_AGE_MS: u64 = 14 * 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    before: Option<Id<MessageMarker>>,
    after: Option<Id<MessageMarker>>,
    around: Option<Id<MessageMarker>>,
}

pub(super) async fn list(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let limit = page.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::field("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100."));
    }
    sim.read(|state| {
        let channel = channels::visible(state, id, caller.user())?;
        if !state.channel_permissions(channel, caller.user()).contains(Permissions::READ_MESSAGE_HISTORY) {
            return Ok(Json(json!([])));
        }
        let seen = state
            .messages
            .get(&id)
            .into_iter()
            .flatten()
            .map(|(_, message)| message)
            .filter(|message| shown(message, caller));
        let mut found: Vec<&Message> = match (page.after, page.around) {
            (Some(after), _) => seen.filter(|message| message.id > after).take(limit).collect(),
            (_, Some(around)) => {
                let all: Vec<_> = seen.collect();
                let middle = all.partition_point(|message| message.id < around);
                let first = middle.saturating_sub(limit / 2);
                all.into_iter().skip(first).take(limit).collect()
            }
            _ => {
                let before: Vec<_> =
                    seen.filter(|message| page.before.is_none_or(|before| message.id < before)).collect();
                before[before.len().saturating_sub(limit)..].to_vec()
            }
        };
        found.reverse();
        Ok(Json(found.into_iter().map(|message| as_seen(state, message, caller)).collect()))
    })
}

pub(super) async fn one(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id)): Path<(Id<ChannelMarker>, Id<MessageMarker>)>,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        channels::allowed(state, channel, caller.user(), Permissions::READ_MESSAGE_HISTORY)?;
        Ok(Json(as_seen(state, seen(state, channel, id, caller)?, caller)))
    })
}

pub(super) async fn create(
    State(sim): State<Sim>,
    caller: Caller,
    Path(id): Path<Id<ChannelMarker>>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    sim.write(|state| {
        let channel = channels::visible(state, id, caller.user())?;
        may_send(state, channel, caller)?;
        may_attach(state.channel_permissions(channel, caller.user()), caller, &body)?;
        let mut message = Draft::new(state, id, caller.user(), &body)?.message;
        refer(state, &mut message, &body.json, caller)?;
        if let Some(same) = already_sent(state, &message, &body.json) {
            return Ok(Json(state.message_json(same)));
        }
        let mut json = state.message_json(&message);
        if let Some(nonce) = &message.nonce {
            json["nonce"] = nonce.clone();
        }
        state.insert_message(message);
        Ok(Json(json))
    })
}

/// Files and a bot's embeds need permissions of their own. The embeds of people are links that are left as text.
fn may_attach(permissions: Permissions, caller: Caller, body: &Body) -> Result<(), ApiError> {
    let embeds =
        matches!(caller.0, Principal::Bot(_)) && body.json["embeds"].as_array().is_some_and(|list| !list.is_empty());
    let forbidden = (!body.files.is_empty() && !permissions.contains(Permissions::ATTACH_FILES))
        || (embeds && !permissions.contains(Permissions::EMBED_LINKS));
    if forbidden { Err(ApiError::missing_permissions()) } else { Ok(()) }
}

/// Makes `message` a reply when its body says so. The author of the other message is mentioned unless `allowed_mentions` is against it.
fn refer(state: &World, message: &mut Message, body: &Value, caller: Caller) -> Result<(), ApiError> {
    let Some(reference) = body.get("message_reference").filter(|reference| !reference.is_null()) else { return Ok(()) };
    if !state.permissions_in(message.channel_id, caller.user()).contains(Permissions::READ_MESSAGE_HISTORY) {
        return Err(ApiError::bad(160_002, "Cannot reply without permission to read message history"));
    }
    let to = reference["message_id"].as_str().and_then(|id| id.parse().ok());
    let Some(to) = to.and_then(|to| state.message(message.channel_id, to)) else {
        return if reference["fail_if_not_exists"] == json!(false) {
            Ok(())
        } else {
            Err(ApiError::field("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message"))
        };
    };
    message.kind = 19;
    message.reference = Some((message.channel_id, to.id));
    let allowed = &body["allowed_mentions"];
    if (allowed.is_null() || allowed["replied_user"] == true) && !message.mentions.contains(&to.author_id) {
        message.mentions.push(to.author_id);
    }
    Ok(())
}

/// With `enforce_nonce` a repeated request finds the message that the first one made.
fn already_sent<'a>(state: &'a World, message: &Message, body: &Value) -> Option<&'a Message> {
    let nonce = message.nonce.as_ref().filter(|_| body["enforce_nonce"] == true)?;
    let mut messages = state.messages.get(&message.channel_id)?.values();
    messages.find(|other| other.nonce.as_ref() == Some(nonce) && other.author_id == message.author_id)
}

fn may_send(state: &World, channel: &Channel, caller: Caller) -> Result<(), ApiError> {
    if channel.guild_id.is_none() {
        let closed = channel
            .recipients
            .iter()
            .any(|other| *other != caller.user() && state.users.get(other).is_some_and(|user| user.dms_closed));
        return if closed {
            Err(ApiError::new(StatusCode::FORBIDDEN, 50007, "Cannot send messages to this user"))
        } else {
            Ok(())
        };
    }
    if matches!(channel.kind, kind::CATEGORY | kind::FORUM) {
        return Err(ApiError::bad(50008, "Cannot send messages in a non-text channel"));
    }
    let permissions = state.channel_permissions(channel, caller.user());
    let needed = if channel.is_thread() { Permissions::SEND_MESSAGES_IN_THREADS } else { Permissions::SEND_MESSAGES };
    if !permissions.contains(needed) {
        return Err(ApiError::missing_permissions());
    }
    match &channel.thread {
        Some(thread) if thread.locked && !permissions.contains(Permissions::MANAGE_THREADS) => {
            Err(ApiError::bad(160_005, "Thread is locked"))
        }
        _ => Ok(()),
    }
}

pub(super) async fn edit(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id)): Path<(Id<ChannelMarker>, Id<MessageMarker>)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    sim.write(|state| {
        let found = channels::visible(state, channel, caller.user())?;
        let message = seen(state, channel, id, caller)?;
        // Those who manage messages may hide the embeds of others, and nothing else.
        let only_flags = body.fields()?.keys().all(|field| field == "flags");
        let manages = state.channel_permissions(found, caller.user()).contains(Permissions::MANAGE_MESSAGES);
        if message.author_id != caller.user() && !(only_flags && manages) {
            return Err(ApiError::new(StatusCode::FORBIDDEN, 50005, "Cannot edit a message authored by another user"));
        }
        Draft::edit(state, channel, id, &body).map(Json)
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id)): Path<(Id<ChannelMarker>, Id<MessageMarker>)>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        channels::visible(state, channel, caller.user())?;
        if seen(state, channel, id, caller)?.author_id != caller.user() {
            channels::allowed(state, channel, caller.user(), Permissions::MANAGE_MESSAGES)?;
        }
        state.remove_message(channel, id);
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn bulk_remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path(channel): Path<Id<ChannelMarker>>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let ids: Vec<Id<MessageMarker>> =
        body.json["messages"].as_array().into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect();
    if !(2..=100).contains(&ids.len()) {
        return Err(ApiError::bad(
            50016,
            "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete.",
        ));
    }
    sim.write(|state| {
        let guild = channels::allowed(state, channel, caller.user(), Permissions::MANAGE_MESSAGES)?.guild_id;
        let oldest =
            snowflake::unix_ms(Id::<MessageMarker>::new(snowflake::at(state.now()))).saturating_sub(BULK_AGE_MS);
        if ids.iter().any(|id| snowflake::unix_ms(*id) < oldest) {
            return Err(ApiError::bad(50034, "A message provided was too old to bulk delete"));
        }
        let Some(messages) = state.messages.get_mut(&channel) else { return Ok(StatusCode::NO_CONTENT) };
        let gone: Vec<_> = ids.into_iter().filter(|id| messages.remove(id).is_some()).collect();
        let data = json!({ "ids": gone, "channel_id": channel, "guild_id": guild });
        state.emit(Event { kind: "MESSAGE_DELETE_BULK", data, audience: Audience::Channel(channel) });
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn typing(
    State(sim): State<Sim>,
    caller: Caller,
    Path(channel): Path<Id<ChannelMarker>>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let found = channels::visible(state, channel, caller.user())?;
        let guild = found.guild_id;
        may_send(state, found, caller)?;
        let mut data =
            json!({ "channel_id": channel, "user_id": caller.user(), "timestamp": state.now().unix_timestamp() });
        if let Some(guild) = guild {
            data["guild_id"] = json!(guild);
            data["member"] = state.member_json(guild, caller.user()).unwrap_or_default();
        }
        state.emit(Event { kind: "TYPING_START", data, audience: Audience::Channel(channel) });
        Ok(StatusCode::NO_CONTENT)
    })
}

/// The message, if `caller` may know of it: an ephemeral one has one reader.
pub(super) fn seen(
    state: &World,
    channel: Id<ChannelMarker>,
    id: Id<MessageMarker>,
    caller: Caller,
) -> Result<&Message, ApiError> {
    state
        .message(channel, id)
        .filter(|message| shown(message, caller))
        .ok_or_else(|| ApiError::unknown(10008, "Message"))
}

fn shown(message: &Message, caller: Caller) -> bool {
    message.only_for.is_none_or(|reader| reader == caller.user())
}

/// The message as `caller` is served it: with their own reactions marked, and for a bot without the message-content intent without texts.
pub(super) fn as_seen(state: &World, message: &Message, caller: Caller) -> Value {
    let mut json = state.message_json(message);
    let reactions = json.get_mut("reactions").and_then(Value::as_array_mut).into_iter().flatten();
    for (reaction, (_, who)) in reactions.zip(&message.reactions) {
        reaction["me"] = json!(who.contains(&caller.user()));
    }
    let Principal::Bot(id) = caller.0 else { return json };
    if state.applications.get(&id).is_some_and(|application| application.privileged_intents & (1 << 15) != 0) {
        return json;
    }
    let guild = state.channels.get(&message.channel_id).and_then(|channel| channel.guild_id);
    let Some(guild) = guild else { return json };
    json["guild_id"] = json!(guild);
    let mut json = crate::gateway::without_content(&json, caller.0).unwrap_or(json);
    if let Some(fields) = json.as_object_mut() {
        fields.remove("guild_id");
    }
    json
}
