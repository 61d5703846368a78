//! Sessions: numbered events with a buffer for RESUME.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::mpsc;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use super::{Faults, intents};
use crate::{
    ledger::Dispatch,
    state::{Audience, Event, Principal, State},
};

/// Events kept for a RESUME. Discord does not say how many it keeps; ours outlasts every test.
const BUFFER: usize = 200_000;

/// All sessions of this Discord, and what a test makes of the gateway.
#[derive(Debug, Default)]
pub struct Sessions {
    /// By session id.
    pub by_id: BTreeMap<String, Session>,
    /// Injected faults.
    pub faults: Faults,
    /// Time between two IDENTIFYs of one bucket: Discord's 5 s unless a test shortens it.
    pub identify_interval: Option<Duration>,
    /// IDENTIFYs that were accepted, in order.
    pub identifies: Vec<(Id<ApplicationMarker>, [u32; 2])>,
    /// RESUMEs that were accepted.
    pub resumes: u64,
    pub(super) last_identify: HashMap<(Id<ApplicationMarker>, u32), Instant>,
}

/// One session; it outlives its connections.
#[derive(Debug)]
pub struct Session {
    /// Id.
    pub id: String,
    /// Whose.
    pub principal: Principal,
    /// Intents (all bits for people).
    pub intents: u64,
    /// Shard id and count.
    pub shard: [u32; 2],
    /// Sequence of the newest event.
    pub sequence: u64,
    /// Events for a RESUME, oldest first.
    pub buffer: VecDeque<(u64, Arc<str>)>,
    /// The connection that it is attached to.
    pub(super) outbox: Option<mpsc::UnboundedSender<Outgoing>>,
}

/// What a connection is to send.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A payload.
    Frame(Arc<str>),
    /// A close frame with this code; `None` ends the TCP connection without a word.
    Close(Option<u16>),
}

impl Session {
    /// A new session without events.
    pub fn new(id: String, principal: Principal, intents: u64, shard: [u32; 2]) -> Self {
        Self { id, principal, intents, shard, sequence: 0, buffer: VecDeque::new(), outbox: None }
    }

    /// Whether a bot holds it.
    pub fn is_bot(&self) -> bool {
        matches!(self.principal, Principal::Bot(_))
    }

    /// Whether a connection is attached.
    pub fn connected(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| !outbox.is_closed())
    }

    /// Whether the connection with this outbox is the one that the session is attached to.
    pub(super) fn is_on(&self, outbox: &mpsc::UnboundedSender<Outgoing>) -> bool {
        self.outbox.as_ref().is_some_and(|own| own.same_channel(outbox))
    }

    /// Whether events of `guild` come to this shard; events without a guild come to shard 0.
    pub fn holds(&self, guild: Option<Id<GuildMarker>>) -> bool {
        let shard = guild.map_or(0, |guild| (guild.get() >> 22) % u64::from(self.shard[1].max(1)));
        u64::from(self.shard[0]) == shard
    }

    /// Numbers an event, keeps it for a RESUME and sends it.
    pub(super) fn push(&mut self, kind: &str, data: &str, guild_id: Option<Id<GuildMarker>>, state: &mut State) {
        self.sequence += 1;
        let frame: Arc<str> = format!(r#"{{"t":"{kind}","s":{},"op":0,"d":{data}}}"#, self.sequence).into();
        if self.buffer.len() == BUFFER {
            self.buffer.pop_front();
        }
        self.buffer.push_back((self.sequence, Arc::clone(&frame)));
        if self.is_bot() {
            state.ledger.dispatches.push(Dispatch {
                session_id: self.id.clone(),
                sequence: self.sequence,
                kind: kind.to_owned(),
                frame: Arc::clone(&frame),
                guild_id,
            });
        }
        self.send(Outgoing::Frame(frame));
    }

    pub(super) fn send(&mut self, what: Outgoing) {
        if let Some(outbox) = &self.outbox
            && outbox.send(what).is_err()
        {
            self.outbox = None;
        }
    }
}

impl Sessions {
    /// Gives `event` to every session that it is for.
    pub fn dispatch(&mut self, state: &mut State, event: &Event) {
        let guild = guild_of(state, event);
        let whole = event.data.to_string();
        let required = intents::required(event.kind, guild.is_some());
        for session in self.by_id.values_mut() {
            let wanted = required.is_none_or(|bits| session.intents & bits != 0)
                && intents::members_shown(event, session.intents, session.principal)
                || intents::about_self(event, session.principal);
            if !wanted || !is_for(state, event.audience, guild, session) {
                continue;
            }
            let bare = (session.intents & intents::MESSAGE_CONTENT == 0)
                .then(|| intents::without_content(&event.data, session.principal))
                .flatten();
            session.push(event.kind, &bare.map_or_else(|| whole.clone(), |bare| bare.to_string()), guild, state);
        }
    }

    /// The shards that a bot has connected now.
    pub fn connected_shards(&self, application: Id<ApplicationMarker>) -> usize {
        self.by_id
            .values()
            .filter(|session| session.principal == Principal::Bot(application) && session.connected())
            .count()
    }
}

fn guild_of(state: &State, event: &Event) -> Option<Id<GuildMarker>> {
    match event.audience {
        Audience::Guild(guild) | Audience::Member(_, guild) => Some(guild),
        Audience::Bot(_, guild) => guild,
        Audience::Channel(channel) => state.channels.get(&channel).and_then(|channel| channel.guild_id),
        Audience::Person(_) => event.data.get("guild_id").and_then(Value::as_str).and_then(|id| id.parse().ok()),
    }
}

fn is_for(state: &State, audience: Audience, guild: Option<Id<GuildMarker>>, session: &Session) -> bool {
    let me = session.principal.user();
    if session.is_bot() && !session.holds(guild) {
        return false;
    }
    match audience {
        Audience::Guild(guild) => {
            state.guilds.get(&guild).is_some_and(|guild| !guild.unavailable && guild.members.contains_key(&me))
        }
        Audience::Channel(id) => state.channels.get(&id).is_some_and(|channel| {
            let known =
                channel.guild_id.is_none_or(|guild| state.guilds.get(&guild).is_some_and(|guild| !guild.unavailable));
            known && state.can_view(channel, me)
        }),
        Audience::Person(user) | Audience::Member(user, _) => user == me,
        Audience::Bot(application, _) => session.principal == Principal::Bot(application),
    }
}
