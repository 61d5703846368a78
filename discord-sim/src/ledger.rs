//! What happened here: requests with their verdicts, dispatched events, connections, and wrongs that fail a test.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, InteractionMarker},
};

use crate::{
    gateway::{End, Frame},
    rate_limits::Scope,
    state::Principal,
};

/// The memory of a run.
#[derive(Debug)]
pub struct Ledger {
    /// Every REST request, in the order in which they were answered.
    pub requests: Vec<Request>,
    /// How many requests there were, also when they are not kept.
    pub requested: u64,
    /// How many requests had each verdict, also when they are not kept.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Whether requests are kept; without it a run may make as many as it likes.
    pub keep_requests: bool,
    /// Every dispatch to a bot's session, oldest first: what invariant V1 is checked against.
    pub dispatches: Vec<Dispatch>,
    /// How many dispatches there were, also when they are not kept.
    pub dispatched: u64,
    /// Whether [`Dispatch::frame`] is kept. Without it a dispatch has only the digest of its frame, and a long run does not grow by them.
    pub keep_frames: bool,
    /// Whether dispatches are kept at all; without it a run may be as long as it likes.
    pub keep_dispatches: bool,
    /// IDENTIFYs of bots that were accepted, oldest first.
    pub identifies: Vec<Identify>,
    /// RESUMEs of bots and how they were answered, oldest first.
    pub resumes: Vec<Resume>,
    /// Ends of connections that had a session of a bot, oldest first.
    pub closes: Vec<Close>,
    /// What a driver of chaos did, oldest first.
    pub chaos: Vec<Blow>,
    /// What must never happen: bodies against Discord's description, and what Discord would punish. Tests fail on any.
    pub violations: Vec<String>,
    /// Interactions that an endpoint answered wrongly or not at all, with the reason.
    pub failed_interactions: Vec<(Id<InteractionMarker>, String)>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            requests: Vec::new(),
            requested: 0,
            verdicts: BTreeMap::new(),
            keep_requests: true,
            dispatches: Vec::new(),
            dispatched: 0,
            keep_frames: true,
            keep_dispatches: true,
            identifies: Vec::new(),
            resumes: Vec::new(),
            closes: Vec::new(),
            chaos: Vec::new(),
            violations: Vec::new(),
            failed_interactions: Vec::new(),
        }
    }
}

/// A REST request and its answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who, when the token was good.
    pub principal: Option<Principal>,
    /// HTTP method.
    pub method: String,
    /// Path below `/api/v10`, without query; interaction and webhook tokens are cut.
    pub path: String,
    /// Discord's route template, when it has one.
    pub template: Option<String>,
    /// Status of the answer; 499 when the caller left before it.
    pub status: u16,
    /// What was made of it.
    pub verdict: Verdict,
    /// The bucket that it counts against: its hash and the major parameter. People have none.
    pub bucket: Option<String>,
    /// When it came.
    pub at: OffsetDateTime,
}

/// What was made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Carried out and answered.
    Served,
    /// Refused by the API: 4xx, but no limit.
    Refused,
    /// Refused by a limit, injected ones too.
    Limited(Scope),
    /// It came before the end of a wait that a 429 had told, whatever it was answered. A violation.
    Early,
    /// Refused as one of too many of its bot in a second. The first of them is a violation.
    OverGlobal,
    /// Refused by the page of Cloudflare.
    Banned,
    /// Answered by 5xx or half an answer, or not before its caller left.
    Failed,
}

impl Verdict {
    /// Its name in the control API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused => "refused",
            Self::Limited(Scope::User) => "limited_user",
            Self::Limited(Scope::Inner) => "limited_inner",
            Self::Limited(Scope::Shared) => "limited_shared",
            Self::Limited(Scope::Global) => "limited_global",
            Self::Early => "early",
            Self::OverGlobal => "over_global",
            Self::Banned => "banned",
            Self::Failed => "failed",
        }
    }

    /// The verdict on a request that nothing but its answer tells of.
    pub(crate) fn of(status: u16) -> Self {
        match status {
            ..400 => Self::Served,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// An event that a session was given.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Session.
    pub session_id: String,
    /// Whose.
    pub bot: Id<ApplicationMarker>,
    /// Shard id and count.
    pub shard: [u32; 2],
    /// Sequence within the session.
    pub sequence: u64,
    /// Event type.
    pub kind: String,
    /// The frame as it went out; empty when frames are not kept.
    pub frame: Arc<str>,
    /// The guild that the event is about.
    pub guild_id: Option<Id<GuildMarker>>,
    /// Of the frame, when it is not kept.
    digest: Option<[u8; 32]>,
    delivered: Arc<AtomicBool>,
}

/// An IDENTIFY that was accepted.
#[derive(Clone, Debug)]
pub struct Identify {
    /// Whose.
    pub bot: Id<ApplicationMarker>,
    /// Shard id and count.
    pub shard: [u32; 2],
    /// The session that began.
    pub session_id: String,
    /// When.
    pub at: OffsetDateTime,
    /// What made it necessary.
    pub cause: Cause,
}

/// What made an IDENTIFY necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This shard had no session yet.
    First,
    /// The session before it had ended so.
    After(End),
    /// A second session beside one that is connected, as when one process takes over from another.
    Beside,
    /// Nothing: the session before it could have been resumed.
    Needless,
}

impl Cause {
    /// Whether Discord's side or the start of a shard asked for it.
    pub fn is_planned(self) -> bool {
        match self {
            Self::First | Self::Beside => true,
            Self::After(end) => end.is_by_discord(),
            Self::Needless => false,
        }
    }
}

/// A RESUME of a bot.
#[derive(Clone, Debug)]
pub struct Resume {
    /// Whose.
    pub bot: Id<ApplicationMarker>,
    /// Shard id and count, when the session is known.
    pub shard: Option<[u32; 2]>,
    /// The session that it named.
    pub session_id: String,
    /// The sequence that it named.
    pub sequence: u64,
    /// When.
    pub at: OffsetDateTime,
    /// How it was answered.
    pub answer: ResumeAnswer,
}

/// How a RESUME was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeAnswer {
    /// By this many missed events, and RESUMED.
    Replayed(u64),
    /// By op 9 with this `d`.
    Invalid(bool),
    /// By this close code.
    Closed(u16),
    /// By the end of the connection.
    HungUp,
}

/// The end of a connection that had a session of a bot.
#[derive(Clone, Debug)]
pub struct Close {
    /// Whose.
    pub bot: Id<ApplicationMarker>,
    /// Shard id and count.
    pub shard: [u32; 2],
    /// The session, also when it was over already.
    pub session_id: String,
    /// Whether the bot ended it.
    pub by_bot: bool,
    /// The code of the close frame; `None` when there was none.
    pub code: Option<u16>,
    /// When.
    pub at: OffsetDateTime,
}

/// What a driver of chaos did at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Since the driver began.
    pub at: Duration,
    /// In words.
    pub what: String,
}

impl Dispatch {
    pub(crate) fn new(
        session_id: String,
        bot: Id<ApplicationMarker>,
        shard: [u32; 2],
        kind: &str,
        frame: &Frame,
        guild_id: Option<Id<GuildMarker>>,
    ) -> Self {
        let (sequence, text, delivered) = (frame.sequence, Arc::clone(&frame.text), frame.mark());
        Self { session_id, bot, shard, sequence, kind: kind.to_owned(), frame: text, guild_id, digest: None, delivered }
    }

    /// Whether it was written to a socket at least once.
    pub fn delivered(&self) -> bool {
        self.delivered.load(Ordering::Relaxed)
    }

    /// [`digest`] of the frame.
    pub fn digest(&self) -> String {
        self.digest.map_or_else(|| digest(self.frame.as_bytes()), hex::encode)
    }

    fn without_frame(mut self) -> Self {
        self.digest = Some(Sha256::digest(self.frame.as_bytes()).into());
        self.frame = Arc::default();
        self
    }
}

impl Ledger {
    /// Notes a dispatch, as far as dispatches are kept.
    pub(crate) fn dispatched(&mut self, dispatch: impl FnOnce() -> Dispatch) {
        self.dispatched += 1;
        if self.keep_dispatches {
            let dispatch = dispatch();
            self.dispatches.push(if self.keep_frames { dispatch } else { dispatch.without_frame() });
        }
    }

    /// Notes a request, as far as requests are kept.
    pub(crate) fn requested(&mut self, verdict: Verdict, request: impl FnOnce() -> Request) {
        self.requested += 1;
        *self.verdicts.entry(verdict).or_default() += 1;
        if self.keep_requests {
            self.requests.push(request());
        }
    }

    /// How many requests had this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or(0)
    }

    /// Notes a wrong, in the log too.
    pub(crate) fn violation(&mut self, what: String) {
        tracing::error!("against Discord's rules: {what}");
        self.violations.push(what);
    }
}

/// SHA-256 in hex, by which a frame is compared without being kept.
pub fn digest(frame: &[u8]) -> String {
    hex::encode(Sha256::digest(frame))
}
