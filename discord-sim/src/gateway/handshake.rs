//! IDENTIFY and RESUME.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    intents,
    sessions::{Outgoing, Session},
};
use crate::state::{Principal, State, kind};

/// One IDENTIFY per bucket in this time (Discord's documentation, "Rate Limiting").
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(5);

/// A shard holds at most this many guilds; more need more shards (4011).
const MAX_GUILDS: usize = 2500;

/// How a handshake ended.
pub(super) enum Outcome {
    /// Attached to the session with this id.
    Attached(String),
    /// op 9 with this `d`.
    Invalid(bool),
    /// Closed with this code.
    Close(u16),
}

/// Opens a session: READY, then GUILD_CREATE for every guild of the shard.
pub(super) fn identify(
    state: &mut State,
    d: &Value,
    outbox: &mpsc::UnboundedSender<Outgoing>,
    gateway_url: &str,
) -> Outcome {
    let Some(principal) = d["token"].as_str().and_then(|token| state.principal(token)) else {
        return Outcome::Close(4004);
    };
    let shard = match &d["shard"] {
        Value::Null => [0, 1],
        pair => match (
            pair[0].as_u64().and_then(|n| u32::try_from(n).ok()),
            pair[1].as_u64().and_then(|n| u32::try_from(n).ok()),
        ) {
            (Some(id), Some(count)) if id < count => [id, count],
            _ => return Outcome::Close(4010),
        },
    };
    let intents = match (principal, d["intents"].as_u64()) {
        (Principal::Person(_), _) => u64::MAX,
        (Principal::Bot(_), Some(intents)) => intents,
        (Principal::Bot(_), None) => return Outcome::Close(4013),
    };
    if let Err(code) = intents::check(state, principal, intents) {
        return Outcome::Close(code);
    }
    if let Principal::Bot(id) = principal {
        let guilds = state.guilds.values().filter(|guild| guild.members.contains_key(&id.cast())).count();
        if guilds > MAX_GUILDS * usize::try_from(shard[1]).unwrap_or(usize::MAX) {
            return Outcome::Close(4011);
        }
        let Some(application) = state.applications.get_mut(&id) else { return Outcome::Close(4004) };
        let bucket = shard[0] % application.max_concurrency.max(1);
        let interval = state.sessions.identify_interval.unwrap_or(IDENTIFY_INTERVAL);
        let too_early = state.sessions.last_identify.get(&(id, bucket)).is_some_and(|last| last.elapsed() < interval);
        if too_early || application.identifies_remaining == 0 {
            return Outcome::Invalid(false);
        }
        application.identifies_remaining -= 1;
        state.sessions.last_identify.insert((id, bucket), Instant::now());
        state.sessions.identifies.push((id, shard));
    }
    let mut session = Session::new(format!("{:032x}", rand::random::<u128>()), principal, intents, shard);
    session.outbox = Some(outbox.clone());
    let id = session.id.clone();
    let ready = ready(state, &session, gateway_url);
    session.push("READY", &ready.to_string(), None, state);
    send_guilds(state, &mut session);
    state.sessions.by_id.insert(id.clone(), session);
    Outcome::Attached(id)
}

/// Attaches to a session again and replays what it missed, then RESUMED.
pub(super) fn resume(state: &mut State, d: &Value, outbox: &mpsc::UnboundedSender<Outgoing>) -> Outcome {
    let principal = d["token"].as_str().and_then(|token| state.principal(token));
    let Some(principal) = principal else { return Outcome::Close(4004) };
    let (Some(id), Some(seq)) = (d["session_id"].as_str(), d["seq"].as_u64()) else { return Outcome::Close(4002) };
    if state.sessions.faults.refuse_resumes > 0 {
        state.sessions.faults.refuse_resumes -= 1;
        state.sessions.by_id.remove(id);
        return Outcome::Invalid(false);
    }
    let Some(mut session) = state.sessions.by_id.remove(id) else { return Outcome::Invalid(false) };
    let replayable = session.buffer.front().is_none_or(|(first, _)| *first <= seq + 1);
    if session.principal != principal || !replayable {
        state.sessions.by_id.insert(id.to_owned(), session);
        return Outcome::Invalid(false);
    }
    // Such a session is over: the bot must begin a new one.
    if seq > session.sequence {
        return Outcome::Close(4007);
    }
    state.sessions.resumes += 1;
    // A connection that the client gave up, and whose end was not noticed here yet.
    session.send(Outgoing::Close(None));
    session.outbox = Some(outbox.clone());
    let missed: Vec<_> =
        session.buffer.iter().filter(|(sequence, _)| *sequence > seq).map(|(_, frame)| frame.clone()).collect();
    for frame in missed {
        if state.sessions.faults.replay_twice {
            session.send(Outgoing::Frame(frame.clone()));
        }
        session.send(Outgoing::Frame(frame));
    }
    session.push("RESUMED", r#"{"_trace":["[\"discord-sim\"]"]}"#, None, state);
    state.sessions.by_id.insert(id.to_owned(), session);
    Outcome::Attached(id.to_owned())
}

fn ready(state: &State, session: &Session, gateway_url: &str) -> Value {
    let me = session.principal.user();
    let guilds: Vec<Value> =
        member_guilds(state, session).map(|guild| json!({ "id": guild, "unavailable": true })).collect();
    let private: Vec<Value> = match session.principal {
        Principal::Bot(_) => Vec::new(),
        Principal::Person(_) => state
            .channels
            .values()
            .filter(|channel| channel.kind == kind::DM && channel.recipients.contains(&me))
            .map(|channel| state.channel_json(channel, Some(me)))
            .collect(),
    };
    let mut ready = json!({
        "v": 10, "user_settings": {}, "user": state.users.get(&me).map_or(Value::Null, crate::state::User::to_own_json), "session_type": "normal",
        "session_id": session.id, "resume_gateway_url": gateway_url, "relationships": [], "private_channels": private, "presences": [],
        "guilds": guilds, "guild_join_requests": [], "geo_ordered_rtc_regions": [], "game_relationships": [], "auth": {}, "_trace": [],
    });
    if let Principal::Bot(application) = session.principal {
        ready["shard"] = json!(session.shard);
        let flags = state.applications.get(&application).map_or(0, crate::state::Application::flags);
        ready["application"] = json!({ "id": application, "flags": flags });
    }
    ready
}

fn send_guilds(state: &mut State, session: &mut Session) {
    if session.intents & 1 == 0 {
        return;
    }
    let guilds: Vec<_> = member_guilds(state, session).collect();
    for id in guilds {
        let Some(guild) = state.guilds.get(&id) else { continue };
        let (kind, data) = if guild.unavailable {
            ("GUILD_DELETE", json!({ "id": id, "unavailable": true }))
        } else {
            ("GUILD_CREATE", state.guild_create_json(guild, session.principal))
        };
        session.push(kind, &data.to_string(), Some(id), state);
    }
}

fn member_guilds<'a>(
    state: &'a State,
    session: &'a Session,
) -> impl Iterator<Item = twilight_model::id::Id<twilight_model::id::marker::GuildMarker>> + 'a {
    let me = session.principal.user();
    state
        .guilds
        .values()
        .filter(move |guild| guild.members.contains_key(&me) && (!session.is_bot() || session.holds(Some(guild.id))))
        .map(|guild| guild.id)
}
