//! Sessions: numbered events with a buffer for RESUME.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use super::{
    End, Faults, Frame, SessionRecord,
    line::{Line, Outgoing},
};
use crate::{
    ledger::{Dispatch, Ledger},
    state::Principal,
};

/// Events kept for a RESUME. Discord does not say how many it keeps; ours outlasts every test.
const BUFFER: usize = 200_000;

/// How long a session without a connection lives. Discord's documentation does not say; "a few minutes".
const SESSION_LIFE: Duration = Duration::from_secs(180);

/// The interval that HELLO names.
const HEARTBEAT: Duration = Duration::from_millis(41_250);

/// All sessions of this Discord, and what a test makes of the gateway.
#[derive(Debug, Default)]
pub struct Sessions {
    /// By session id. One that is taken out is over.
    pub by_id: BTreeMap<String, Session>,
    /// Every session that bots ever had.
    pub records: BTreeMap<String, SessionRecord>,
    /// Injected faults.
    pub faults: Faults,
    /// Time between two IDENTIFYs of one bucket: Discord's 5 s unless a test shortens it.
    pub identify_interval: Option<Duration>,
    /// How long a session without a connection can be resumed: 3 min unless a test changes it.
    pub session_life: Option<Duration>,
    /// The interval that HELLO names: 41.25 s unless a test changes it.
    pub heartbeat_interval: Option<Duration>,
    /// Events that a session keeps for a RESUME: 200,000 unless a load run wants fewer.
    pub buffer_limit: Option<usize>,
    /// IDENTIFYs that were accepted, in order; [`Ledger::identifies`] knows more.
    pub identifies: Vec<(Id<ApplicationMarker>, [u32; 2])>,
    /// RESUMEs that were accepted; [`Ledger::resumes`] knows more.
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
    pub buffer: VecDeque<Frame>,
    /// The presence that IDENTIFY or the newest op 3 named.
    pub presence: Option<Value>,
    /// Guilds whose GUILD_CREATE is still to come: many come little by little, and each before its guild's first other event.
    pub coming: BTreeSet<Id<GuildMarker>>,
    /// The connection that it is attached to.
    pub(super) line: Option<Line>,
    /// Since when it has none.
    pub(super) lost: Option<Instant>,
    buffer_limit: usize,
    /// The id again, for frames to share.
    tag: Arc<str>,
}

impl Session {
    pub(super) fn new(id: String, principal: Principal, intents: u64, shard: [u32; 2], line: Line) -> Self {
        let tag = Arc::from(id.as_str());
        Self {
            id,
            principal,
            intents,
            shard,
            sequence: 0,
            buffer: VecDeque::new(),
            presence: None,
            coming: BTreeSet::new(),
            line: Some(line),
            lost: None,
            buffer_limit: BUFFER,
            tag,
        }
    }

    /// Whether a bot holds it.
    pub fn is_bot(&self) -> bool {
        matches!(self.principal, Principal::Bot(_))
    }

    /// Whether a connection is attached.
    pub fn connected(&self) -> bool {
        self.line.as_ref().is_some_and(Line::is_open)
    }

    /// Whether `line` leads to the connection that the session is attached to.
    pub(super) fn is_on(&self, line: &Line) -> bool {
        self.line.as_ref().is_some_and(|own| own.is(line))
    }

    /// Whether events of `guild` come to this shard; events without a guild come to shard 0.
    pub fn holds(&self, guild: Option<Id<GuildMarker>>) -> bool {
        let shard = guild.map_or(0, |guild| (guild.get() >> 22) % u64::from(self.shard[1].max(1)));
        u64::from(self.shard[0]) == shard
    }

    /// Numbers an event, keeps it for a RESUME and sends it. `write` makes the payload from the sequence.
    pub(super) fn push_as(
        &mut self,
        kind: &str,
        guild_id: Option<Id<GuildMarker>>,
        ledger: &mut Ledger,
        write: impl FnOnce(u64) -> String,
    ) {
        self.sequence += 1;
        let frame = Frame::new(&self.tag, self.sequence, write(self.sequence));
        while self.buffer.len() >= self.buffer_limit.max(1) {
            self.buffer.pop_front();
        }
        self.buffer.push_back(frame.clone());
        if let Principal::Bot(bot) = self.principal {
            ledger.dispatched(|| Dispatch::new(self.id.clone(), bot, self.shard, kind, &frame, guild_id));
        }
        self.send(Outgoing::Event(frame));
    }

    /// As [`Session::push_as`], in the form that Discord gives its payloads.
    pub(super) fn push(&mut self, kind: &str, data: &str, guild_id: Option<Id<GuildMarker>>, ledger: &mut Ledger) {
        self.push_as(kind, guild_id, ledger, |sequence| {
            format!(r#"{{"t":"{kind}","s":{sequence},"op":0,"d":{data}}}"#)
        });
    }

    pub(super) fn send(&mut self, what: Outgoing) {
        if let Some(line) = &self.line
            && !line.send(what)
        {
            self.lose();
        }
    }

    /// Its connection is over; from now on it waits for its RESUME.
    pub(super) fn lose(&mut self) {
        self.line = None;
        self.lost = Some(Instant::now());
    }

    pub(super) fn has_outlived(&self, life: Duration) -> bool {
        !self.connected() && self.lost.is_some_and(|since| since.elapsed() >= life)
    }
}

impl Sessions {
    /// The sessions of bots that are alive, in the order of bot and shard.
    pub fn of_bots(&self) -> Vec<&Session> {
        let mut all: Vec<_> =
            self.by_id.values().filter(|session| session.is_bot() && self.is_alive(session)).collect();
        all.sort_by_key(|session| (session.principal.user(), session.shard, &session.id));
        all
    }

    /// The living session of a bot's shard that began last.
    pub fn of_shard(&self, bot: Id<ApplicationMarker>, shard: u32) -> Option<&Session> {
        let of_shard = self.by_id.values().filter(|session| {
            session.principal == Principal::Bot(bot) && session.shard[0] == shard && self.is_alive(session)
        });
        of_shard.max_by_key(|session| self.records.get(&session.id).map(|record| record.begun))
    }

    /// The shards that a bot has connected now.
    pub fn connected_shards(&self, application: Id<ApplicationMarker>) -> usize {
        self.by_id
            .values()
            .filter(|session| session.principal == Principal::Bot(application) && session.connected())
            .count()
    }

    /// Whether a dispatch was lost by a rule of Discord's: its session is over, and it was never written to a socket, or was written and its
    /// bot may not have received it before the end.
    pub fn expired(&self, dispatch: &Dispatch) -> bool {
        let alive = self.by_id.get(&dispatch.session_id).is_some_and(|session| self.is_alive(session));
        let confirmed = self.records.get(&dispatch.session_id).map_or(0, |record| record.confirmed);
        !alive && (!dispatch.delivered() || dispatch.sequence > confirmed)
    }

    pub(super) fn is_alive(&self, session: &Session) -> bool {
        !session.has_outlived(self.life())
    }

    pub(super) fn life(&self) -> Duration {
        self.session_life.unwrap_or(SESSION_LIFE)
    }

    pub(super) fn heartbeat(&self) -> Duration {
        self.heartbeat_interval.unwrap_or(HEARTBEAT)
    }

    /// Adds a session that began now.
    pub(super) fn begin(&mut self, mut session: Session) {
        session.buffer_limit = self.buffer_limit.unwrap_or(BUFFER);
        if let Principal::Bot(bot) = session.principal {
            let begun = OffsetDateTime::now_utc();
            let record = SessionRecord { bot, shard: session.shard, begun, confirmed: 0, end: None };
            self.records.insert(session.id.clone(), record);
        }
        self.by_id.insert(session.id.clone(), session);
    }

    /// Forgets a session. Its connection, if any, stays as one without a session.
    pub(super) fn end(&mut self, id: &str, why: End) -> Option<Session> {
        let ended = self.by_id.remove(id);
        if let Some(record) = self.records.get_mut(id)
            && record.end.is_none()
        {
            record.end = Some((OffsetDateTime::now_utc(), why));
        }
        ended
    }

    /// Forgets the sessions that were not resumed in time.
    pub(super) fn bury(&mut self) {
        let life = self.life();
        let dead: Vec<_> = self
            .by_id
            .values()
            .filter(|session| session.has_outlived(life))
            .map(|session| session.id.clone())
            .collect();
        for id in dead {
            self.end(&id, End::Expired);
        }
    }

    /// A bot has received everything up to `sequence`.
    pub(super) fn confirm(&mut self, id: &str, sequence: u64) {
        let newest = self.by_id.get(id).map(|session| session.sequence);
        if let Some(record) = self.records.get_mut(id) {
            record.confirmed = record.confirmed.max(sequence.min(newest.unwrap_or(sequence)));
        }
    }
}
