//! Reactions.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker, UserMarker},
    },
};

use super::{Caller, Path, channels, messages};
use crate::{
    error::ApiError,
    sim::Sim,
    state::{Audience, Event, State as World},
};

type Place = Path<(Id<ChannelMarker>, Id<MessageMarker>)>;
type OfEmoji = Path<(Id<ChannelMarker>, Id<MessageMarker>, String)>;
type OfUser = Path<(Id<ChannelMarker>, Id<MessageMarker>, String, Id<UserMarker>)>;

pub(super) async fn add(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id, emoji)): OfEmoji,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        let user = caller.user();
        let found = channels::allowed(state, channel, user, Permissions::READ_MESSAGE_HISTORY)?;
        let may_add = state.channel_permissions(found, user).contains(Permissions::ADD_REACTIONS);
        // Whoever may not add reactions may still join one.
        let joins = messages::seen(state, channel, id, caller)?.reactions.iter().any(|(name, _)| *name == emoji);
        if !may_add && !joins {
            return Err(ApiError::missing_permissions());
        }
        change(state, channel, id, |reactions| match reactions.iter_mut().find(|(name, _)| *name == emoji) {
            Some((_, who)) if who.contains(&user) => {}
            Some((_, who)) => who.push(user),
            None => reactions.push((emoji.clone(), vec![user])),
        });
        tell(state, "MESSAGE_REACTION_ADD", channel, id, Some(&emoji), Some(user));
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn remove_own(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id, emoji)): OfEmoji,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        channels::visible(state, channel, caller.user())?;
        messages::seen(state, channel, id, caller)?;
        Ok(take(state, channel, id, &emoji, caller.user()))
    })
}

pub(super) async fn remove(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id, emoji, user)): OfUser,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        manageable(state, channel, id, caller)?;
        Ok(take(state, channel, id, &emoji, user))
    })
}

pub(super) async fn clear(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id)): Place,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        manageable(state, channel, id, caller)?;
        change(state, channel, id, Vec::clear);
        tell(state, "MESSAGE_REACTION_REMOVE_ALL", channel, id, None, None);
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn clear_one(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id, emoji)): OfEmoji,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| {
        manageable(state, channel, id, caller)?;
        change(state, channel, id, |reactions| reactions.retain(|(name, _)| *name != emoji));
        tell(state, "MESSAGE_REACTION_REMOVE_EMOJI", channel, id, Some(&emoji), None);
        Ok(StatusCode::NO_CONTENT)
    })
}

pub(super) async fn users(
    State(sim): State<Sim>,
    caller: Caller,
    Path((channel, id, emoji)): OfEmoji,
) -> Result<Json<Value>, ApiError> {
    sim.read(|state| {
        channels::allowed(state, channel, caller.user(), Permissions::READ_MESSAGE_HISTORY)?;
        let reactions = &messages::seen(state, channel, id, caller)?.reactions;
        let who = reactions.iter().filter(|(name, _)| *name == emoji).flat_map(|(_, who)| who);
        Ok(Json(who.map(|user| state.user_json(*user)).collect()))
    })
}

fn manageable(
    state: &World,
    channel: Id<ChannelMarker>,
    id: Id<MessageMarker>,
    caller: Caller,
) -> Result<(), ApiError> {
    channels::allowed(state, channel, caller.user(), Permissions::MANAGE_MESSAGES)?;
    messages::seen(state, channel, id, caller).map(drop)
}

fn take(
    state: &mut World,
    channel: Id<ChannelMarker>,
    id: Id<MessageMarker>,
    emoji: &str,
    user: Id<UserMarker>,
) -> StatusCode {
    change(state, channel, id, |reactions| {
        for (_, who) in reactions.iter_mut().filter(|(name, _)| name == emoji) {
            who.retain(|other| *other != user);
        }
        reactions.retain(|(_, who)| !who.is_empty());
    });
    tell(state, "MESSAGE_REACTION_REMOVE", channel, id, Some(emoji), Some(user));
    StatusCode::NO_CONTENT
}

fn change(
    state: &mut World,
    channel: Id<ChannelMarker>,
    id: Id<MessageMarker>,
    change: impl FnOnce(&mut Vec<(String, Vec<Id<UserMarker>>)>),
) {
    if let Some(message) = state.messages.get_mut(&channel).and_then(|messages| messages.get_mut(&id)) {
        change(&mut message.reactions);
    }
}

fn tell(
    state: &mut World,
    kind: &'static str,
    channel: Id<ChannelMarker>,
    id: Id<MessageMarker>,
    emoji: Option<&str>,
    user: Option<Id<UserMarker>>,
) {
    let mut data = json!({ "channel_id": channel, "message_id": id });
    let guild = state.channels.get(&channel).and_then(|channel| channel.guild_id);
    if let Some(guild) = guild {
        data["guild_id"] = json!(guild);
    }
    if let Some(emoji) = emoji {
        data["emoji"] = emoji_json(emoji);
    }
    if let Some(user) = user {
        data["user_id"] = json!(user);
        data["burst"] = json!(false);
        data["type"] = json!(0);
        if kind == "MESSAGE_REACTION_ADD" {
            data["message_author_id"] = json!(state.message(channel, id).map(|message| message.author_id));
            if let Some(member) = guild.and_then(|guild| state.member_json(guild, user)) {
                data["member"] = member;
            }
        }
    }
    state.emit(Event { kind, data, audience: Audience::Channel(channel) });
}

/// `name:id` is an emoji of a guild, anything else one of Unicode.
fn emoji_json(emoji: &str) -> Value {
    match emoji.rsplit_once(':') {
        Some((name, id)) if id.parse::<u64>().is_ok() => json!({ "id": id, "name": name }),
        _ => json!({ "id": null, "name": emoji }),
    }
}
