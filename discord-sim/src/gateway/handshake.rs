//! IDENTIFY and RESUME.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use super::{
    End, Ending, Fault, Faults, Refusal, Session, intents,
    line::{Line, Outgoing},
};
use crate::{
    ledger::{Cause, Identify, Resume, ResumeAnswer},
    state::{Principal, State, User, kind},
};

/// One IDENTIFY per bucket in this time (Discord's documentation, "Rate Limiting").
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(5);

/// The part of the interval by which an IDENTIFY may come early: the way here takes not always the same time.
const TOLERANCE: u32 = 50;

/// A shard holds at most this many guilds; more need more shards (4011).
const MAX_GUILDS: usize = 2500;

/// So many guilds come at once with READY; of more, the rest comes in parts, so that other connections are served between them.
const AT_ONCE: usize = 100;

/// Guilds in one such part.
const PART: usize = 50;

/// How a handshake ended.
pub(super) enum Outcome {
    /// Attached to the session with this id.
    Attached(String),
    /// op 9 with this `d`.
    Invalid(bool),
    /// Closed with this code.
    Close(u16),
    /// The connection ends without a word.
    HangUp,
}

/// Opens a session: READY, then GUILD_CREATE for every guild of the shard.
pub(super) fn identify(state: &mut State, d: &Value, line: &Line, gateway_url: &str) -> Outcome {
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
    state.sessions.bury();
    let mut session = Session::new(format!("{:032x}", rand::random::<u128>()), principal, intents, shard, line.clone());
    session.presence = d.get("presence").filter(|presence| !presence.is_null()).cloned();
    if let Principal::Bot(bot) = principal {
        if needs_more_shards(state, bot, shard) {
            return Outcome::Close(4011);
        }
        if let Some(refused) = refuse_identify(state, bot, shard) {
            return refused;
        }
        state.sessions.identifies.push((bot, shard));
        let cause = cause(state, bot, shard);
        let session_id = session.id.clone();
        state.ledger.identifies.push(Identify { bot, shard, session_id, at: state.now(), cause });
    }
    let me = principal.user();
    // Where there are many guilds, the shard's are soon told by their ids.
    let held: Vec<_> = state
        .guilds
        .values()
        .filter(|guild| (!session.is_bot() || session.holds(Some(guild.id))) && guild.members.contains_key(&me))
        .map(|guild| guild.id)
        .collect();
    let id = session.id.clone();
    let ready = ready(state, &session, &held, gateway_url);
    session.push("READY", &ready.to_string(), None, &mut state.ledger);
    if session.intents & 1 != 0 {
        let later = held.len() > AT_ONCE;
        session.coming = held.into_iter().collect();
        if !later {
            send_guilds(state, &mut session);
        }
    }
    state.sessions.begin(session);
    Outcome::Attached(id)
}

/// Whether a bot is in more guilds than its shards may hold.
fn needs_more_shards(state: &State, bot: Id<ApplicationMarker>, shard: [u32; 2]) -> bool {
    let most = MAX_GUILDS * usize::try_from(shard[1]).unwrap_or(usize::MAX);
    state.guilds.len() > most
        && state.guilds.values().filter(|guild| guild.members.contains_key(&bot.cast())).count() > most
}

/// Counts an IDENTIFY against the bucket and the day.
fn refuse_identify(state: &mut State, bot: Id<ApplicationMarker>, shard: [u32; 2]) -> Option<Outcome> {
    let now = Instant::now();
    let Some(application) = state.applications.get_mut(&bot) else { return Some(Outcome::Close(4004)) };
    let key = (bot, shard[0] % application.max_concurrency.max(1));
    let interval = state.sessions.identify_interval.unwrap_or(IDENTIFY_INTERVAL);
    let since = state.sessions.last_identify.get(&key).map(|last| now.duration_since(*last));
    if let Some(since) = since.filter(|since| *since < interval - interval / TOLERANCE) {
        state.ledger.violation(format!(
            "IDENTIFY of shard {} of bot {bot}: {since:?} after the one before it in its bucket, and not {interval:?}",
            shard[0]
        ));
        return Some(Outcome::Invalid(false));
    }
    application.begin_window(now);
    if application.identifies_remaining == 0 {
        let total = application.identifies_total;
        state.ledger.violation(format!(
            "IDENTIFY of shard {} of bot {bot}: more than {total} in a day, its token is reset",
            shard[0]
        ));
        state.reset_token(bot);
        return Some(Outcome::Close(4004));
    }
    application.identifies_remaining -= 1;
    state.sessions.last_identify.insert(key, now);
    None
}

/// Why a shard identifies, seen from what became of its sessions.
fn cause(state: &State, bot: Id<ApplicationMarker>, shard: [u32; 2]) -> Cause {
    let mut cause = Cause::First;
    let mut newest = None;
    for (id, record) in state.sessions.records.iter().filter(|(_, record)| record.bot == bot && record.shard == shard) {
        match state.sessions.by_id.get(id) {
            Some(session) if session.connected() => return Cause::Beside,
            Some(_) => return Cause::Needless,
            None => {
                let (at, end) = record.end.unwrap_or((record.begun, End::Removed));
                if newest.is_none_or(|newest| newest <= at) {
                    newest = Some(at);
                    cause = Cause::After(end);
                }
            }
        }
    }
    cause
}

/// Attaches to a session again and replays what it missed, then RESUMED.
pub(super) fn resume(state: &mut State, d: &Value, line: &Line) -> Outcome {
    let principal = d["token"].as_str().and_then(|token| state.principal(token));
    let Some(principal) = principal else { return Outcome::Close(4004) };
    let (Some(id), Some(sequence)) = (d["session_id"].as_str(), d["seq"].as_u64()) else {
        return Outcome::Close(4002);
    };
    state.sessions.bury();
    let shard = state.sessions.records.get(id).map(|record| record.shard);
    let (outcome, answer) = answer_resume(state, principal, id, sequence, line);
    if let Principal::Bot(bot) = principal {
        let (session_id, at) = (id.to_owned(), state.now());
        state.ledger.resumes.push(Resume { bot, shard, session_id, sequence, at, answer });
    }
    outcome
}

fn answer_resume(
    state: &mut State,
    principal: Principal,
    id: &str,
    sequence: u64,
    line: &Line,
) -> (Outcome, ResumeAnswer) {
    let invalid = |resumable| (Outcome::Invalid(resumable), ResumeAnswer::Invalid(resumable));
    if let Some(session) = state.sessions.by_id.get(id)
        && session.principal != principal
    {
        if let (Principal::Bot(thief), Principal::Bot(owner)) = (principal, session.principal) {
            state.ledger.violation(format!("RESUME of bot {thief}: the session is bot {owner}'s"));
        }
        return invalid(false);
    }
    let refusal = matches!(principal, Principal::Bot(_)).then(|| refusal(state, id)).flatten();
    match refusal {
        None => {}
        Some(Refusal::Invalid) => {
            state.sessions.end(id, End::Refused);
            return invalid(false);
        }
        Some(Refusal::TryAgain) => return invalid(true),
        Some(Refusal::Close(code)) => {
            if matches!(code, 4007 | 4009) {
                state.sessions.end(id, End::Refused);
            }
            return (Outcome::Close(code), ResumeAnswer::Closed(code));
        }
        Some(Refusal::HangUp) => return (Outcome::HangUp, ResumeAnswer::HungUp),
    }
    let Some(mut session) = state.sessions.by_id.remove(id) else { return invalid(false) };
    // Such a session is over: the bot must begin a new one.
    if sequence > session.sequence {
        state.sessions.end(id, End::BadSequence);
        return (Outcome::Close(4007), ResumeAnswer::Closed(4007));
    }
    if session.buffer.front().is_some_and(|first| first.sequence > sequence + 1) {
        state.sessions.end(id, End::BadSequence);
        return invalid(false);
    }
    state.sessions.resumes += 1;
    // A connection that the client gave up, and whose end was not noticed here yet.
    if let Some(before) = session.line.replace(line.clone()) {
        before.end(Ending::Drop);
    }
    session.lost = None;
    let replayed = replay(&mut state.sessions.faults, &mut session, sequence);
    session.push("RESUMED", r#"{"_trace":["[\"discord-sim\"]"]}"#, None, &mut state.ledger);
    state.sessions.by_id.insert(id.to_owned(), session);
    state.sessions.confirm(id, sequence);
    (Outcome::Attached(id.to_owned()), ResumeAnswer::Replayed(replayed))
}

/// Sends again what came after `sequence`, as the faults want it, and counts what was missed.
fn replay(faults: &mut Faults, session: &mut Session, sequence: u64) -> u64 {
    let twice = faults.replay_twice
        || faults.take(Some(session), |fault| (*fault == Fault::ReplayTwice).then_some(())).is_some();
    let earlier = faults.take(Some(session), |fault| match fault {
        Fault::ReplayEarlier { by } => Some(*by),
        _ => None,
    });
    // READY is never among it.
    let from = sequence.saturating_sub(earlier.unwrap_or(0)).max(sequence.min(1));
    let begin = session.buffer.partition_point(|frame| frame.sequence <= from);
    let frames: Vec<_> = session.buffer.range(begin..).cloned().collect();
    for frame in frames {
        if twice {
            session.send(Outgoing::Event(frame.clone()));
        }
        session.send(Outgoing::Event(frame));
    }
    session.sequence - sequence
}

fn refusal(state: &mut State, id: &str) -> Option<Refusal> {
    let faults = &mut state.sessions.faults;
    if faults.refuse_resumes > 0 {
        faults.refuse_resumes -= 1;
        return Some(Refusal::Invalid);
    }
    faults.take(state.sessions.by_id.get(id), |fault| match fault {
        Fault::ResumeRefused { by } => Some(*by),
        _ => None,
    })
}

fn ready(state: &State, session: &Session, guilds: &[Id<GuildMarker>], gateway_url: &str) -> Value {
    let me = session.principal.user();
    let guilds: Vec<Value> = guilds.iter().map(|guild| json!({ "id": guild, "unavailable": true })).collect();
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
        "v": 10, "user_settings": {}, "user": state.users.get(&me).map_or(Value::Null, User::to_own_json), "session_type": "normal",
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

/// Sends all guilds that are still to come.
fn send_guilds(state: &mut State, session: &mut Session) {
    while let Some(guild) = session.coming.first().copied() {
        send_guild(state, session, guild);
    }
}

/// Sends the next part of the guilds that are still to come.
pub(super) fn send_some_guilds(state: &mut State, id: &str) {
    let Some(mut session) = state.sessions.by_id.remove(id) else { return };
    for _ in 0..PART {
        let Some(guild) = session.coming.first().copied() else { break };
        send_guild(state, &mut session, guild);
    }
    state.sessions.by_id.insert(id.to_owned(), session);
}

/// Sends one guild that is still to come, or its outage; whether it did.
pub(super) fn send_guild(state: &mut State, session: &mut Session, id: Id<GuildMarker>) -> bool {
    if !session.coming.remove(&id) {
        return false;
    }
    let me = session.principal.user();
    // It may have been left meanwhile.
    let Some(guild) = state.guilds.get(&id).filter(|guild| guild.members.contains_key(&me)) else { return false };
    if guild.unavailable {
        let data = json!({ "id": id, "unavailable": true }).to_string();
        session.push("GUILD_DELETE", &data, Some(id), &mut state.ledger);
    } else {
        let data = state.guild_create_json(guild, session.principal).to_string();
        session.push("GUILD_CREATE", &data, Some(id), &mut state.ledger);
    }
    true
}
