//! One shard: reads the gateway, forwards, and keeps track of where it could be resumed.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use bytes::Bytes;
use common::{backoff, clock::Clock};
use event_stream::Producer;
use futures_util::{FutureExt, StreamExt};
use model::topics::GatewayEvent;
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use twilight_gateway::{
    CloseFrame, Config, ConfigBuilder, Message, Session, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
};
use twilight_model::{
    gateway::CloseCode,
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker},
    },
};

use crate::{
    envelope::{self, Envelope},
    gateway,
    metrics::Metrics,
    outbox::Outbox,
    persist,
    readiness::Shared,
    sessions::{GatewaySession, Sessions},
    window::{Limits, Position},
};

/// How long a stopping shard waits for Kafka's acknowledgements. What is not acknowledged then is replayed after the
/// next start.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a stopping shard waits for Discord's answer to the close frame.
const CLOSE: Duration = Duration::from_secs(2);
/// The wait between looks at a stalled connection before Discord told its heartbeat interval.
const BEAT: Duration = Duration::from_secs(10);
/// How long Discord may take to say HELLO, which it does at once.
const HELLO: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Failed attempts after which twilight's own wait, which grows to minutes, starts anew.
const ATTEMPTS: u8 = 6;

/// What the shards of a process share.
#[derive(Clone)]
pub struct Cx {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// How many shards the bot has.
    pub total: u32,
    /// Token, intents, address, identify queue and TLS.
    pub config: Config,
    /// The producer of events.
    pub producer: Producer,
    /// The stored sessions.
    pub sessions: Sessions,
    /// How much each shard may have on its way to Kafka.
    pub limits: Limits,
    /// Wall time.
    pub clock: Clock,
    /// The counters.
    pub metrics: Metrics,
    /// Whether all shards are connected.
    pub gateway: Shared,
    /// Whether Kafka takes the events of all shards.
    pub kafka: Shared,
    /// Whether Redis takes the positions of all shards.
    pub redis: Shared,
}

/// Runs one shard until `shutdown`: from the stored position, if there is one, by RESUME, else by IDENTIFY.
///
/// # Errors
///
/// When Discord closes the connection for good; the text names the cause and what to do.
pub async fn run(cx: Cx, number: u32, start: Option<Position>, shutdown: CancellationToken) -> anyhow::Result<()> {
    let (position, latest) = watch::channel(start.clone());
    let forwarder = Forwarder::new(cx.clone(), number, start, position);
    // The forwarder holds the sender, so its end lets the last position be written, also when it failed.
    let (forwarded, persisted) = tokio::join!(
        forwarder.run(shutdown),
        persist::positions(&cx.sessions, number, latest, &cx.redis, &cx.metrics),
    );
    forwarded.and(persisted)
}

struct Forwarder {
    cx: Cx,
    number: u32,
    shard: Shard,
    outbox: Outbox,
    position: watch::Sender<Option<Position>>,
    last_sequence: Option<u64>,
    /// The state that was reported last.
    state: &'static str,
    /// Nothing is read before: connections failed one after another.
    pause: Option<Instant>,
    /// The next waits between connections; empty while the last one was good.
    waits: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    /// How often a stalled connection is looked at, so that its heartbeats go on.
    beat: tokio::time::Interval,
    stalled: bool,
    /// Since when a connection is open without a HELLO.
    mute_since: Option<Instant>,
}

impl Forwarder {
    fn new(cx: Cx, number: u32, start: Option<Position>, position: watch::Sender<Option<Position>>) -> Self {
        let session = start.as_ref().map(|start| {
            let GatewaySession { id, resume_url } = start.session.as_ref();
            (Session::new(start.sequence, id.clone()), resume_url.clone())
        });
        match &start {
            Some(start) => tracing::info!(shard = number, start.sequence, "shard {number} resumes its session"),
            None => tracing::info!(shard = number, "shard {number} has no session to resume and identifies"),
        }
        let shard = build(&cx, number, session);
        let last_sequence = start.as_ref().map(|start| start.sequence);
        let outbox = Outbox::new(number, cx.producer.clone(), cx.limits, start, cx.kafka.clone(), cx.metrics.clone());
        cx.metrics.shards.with_label_values(&["connecting"]).inc();
        cx.gateway.down(number, "connecting".to_owned());
        Self {
            cx,
            number,
            shard,
            outbox,
            position,
            last_sequence,
            state: "connecting",
            pause: None,
            waits: None,
            beat: beat(BEAT),
            stalled: false,
            mute_since: None,
        }
    }

    async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let ended = self.forward(&shutdown).await;
        // Also after an end for good: what was received and is not in Kafka yet would be lost with the process.
        self.stop().await;
        ended
    }

    /// Receives and sends until `shutdown`, or until Discord ends the connection for good.
    async fn forward(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Frames before the session is ready are few and small, and connecting must not wait.
            let stall = self.outbox.is_full() && self.shard.state().is_identified();
            self.note_stall(stall);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                () = self.outbox.progress() => self.publish_position(),
                item = self.shard.next(), if !stall && self.pause.is_none() => self.take(item)?,
                () = sleep_until(self.pause.unwrap_or_else(Instant::now)), if self.pause.is_some() => self.pause = None,
                _ = self.beat.tick(), if stall && !self.outbox.is_overfull() => {
                    // One look sends the heartbeat that is due and takes at most one frame off the socket.
                    if let Some(item) = self.shard.next().now_or_never() {
                        self.take(item)?;
                    }
                }
                _ = looks.tick() => self.look_for_hello(),
            }
        }
    }

    /// Leaves a connection on which Discord says nothing: there are no heartbeats yet by which twilight would notice.
    fn look_for_hello(&mut self) {
        self.report_state();
        // twilight has a rate limiter from HELLO to the end of the connection.
        if self.shard.state() != ShardState::Identifying || self.shard.ratelimiter().is_some() {
            self.mute_since = None;
        } else if self.mute_since.get_or_insert_with(Instant::now).elapsed() >= HELLO {
            tracing::warn!(shard = self.number, "no HELLO came for shard {}, it connects anew", self.number);
            self.rebuild();
        }
    }

    /// Connects anew, at the gateway's own address, to go on with the session if there is one.
    fn rebuild(&mut self) {
        let session = self.shard.session().cloned().map(|session| (session, String::new()));
        self.shard = build(&self.cx, self.number, session);
        self.mute_since = None;
        self.wait_before_connecting();
    }

    /// Leaves the session resumable: close code 4000, and the position of all that Kafka acknowledged.
    async fn stop(&mut self) {
        let drained = timeout(DRAIN, async {
            while !self.outbox.is_empty() {
                self.outbox.progress().await;
            }
        });
        let closed = timeout(CLOSE, async {
            if matches!(self.shard.state(), ShardState::Disconnected { .. } | ShardState::FatallyClosed) {
                return;
            }
            self.shard.close(CloseFrame::RESUME);
            // Frames that still arrive are not forwarded, so they are beyond the position and come again. Where the
            // connection ends without a close frame twilight makes a new one, which is seen by its HELLO.
            while let Some(Ok(Message::Text(text))) = self.shard.next().await {
                if matches!(envelope::scan(&text), Ok(Envelope { op: 10, .. })) {
                    return;
                }
            }
        });
        let (drained, _) = tokio::join!(drained, closed);
        self.publish_position();
        if drained.is_err() {
            tracing::warn!(
                shard = self.number,
                unacked = self.outbox.len(),
                "shard {} stopped before Kafka acknowledged everything; Discord will repeat the rest",
                self.number
            );
        }
    }

    fn take(&mut self, item: Option<Result<Message, ReceiveMessageError>>) -> anyhow::Result<()> {
        match item {
            Some(Ok(Message::Text(text))) => self.frame(text),
            Some(Ok(Message::Close(frame))) => self.closed(frame.as_ref())?,
            Some(Err(error)) => self.failed(error),
            None => bail!("the gateway connection of shard {} ended for good", self.number),
        }
        self.report_state();
        Ok(())
    }

    fn frame(&mut self, text: String) {
        match envelope::scan(&text) {
            Ok(Envelope { op: 0, sequence: Some(sequence), kind: Some(kind), guild }) => {
                let kind = kind.into_owned();
                self.dispatch(sequence, kind, guild, text);
            }
            Ok(Envelope { op: 9, .. }) => self.session_refused(),
            Ok(Envelope { op: 10, .. }) => {
                if let Ok(hello) = serde_json::from_str::<Hello>(&text) {
                    // Half of it, so that no heartbeat is late by more than that.
                    self.beat = beat(Duration::from_millis(hello.d.heartbeat_interval / 2));
                }
            }
            Ok(Envelope { op: 1..=11, .. }) => {}
            Ok(Envelope { op, .. }) => {
                self.cx.metrics.malformed.inc();
                tracing::warn!(
                    shard = self.number,
                    op,
                    "the gateway sent a frame with opcode {op} that cannot be forwarded"
                );
            }
            Err(error) => {
                self.cx.metrics.malformed.inc();
                tracing::warn!(shard = self.number, bytes = text.len(), "the gateway sent a malformed frame: {error}");
            }
        }
    }

    fn dispatch(&mut self, sequence: u64, kind: String, guild: Option<Id<GuildMarker>>, text: String) {
        // twilight reads READY before it hands it out, so this is the session that the event itself belongs to.
        let session = match self.shard.session() {
            Some(session) => {
                if self.outbox.session().is_none_or(|known| known.id != session.id()) {
                    let resume_url = self.shard.resume_url().unwrap_or_default().to_owned();
                    self.outbox.begin_session(Arc::new(GatewaySession { id: session.id().to_owned(), resume_url }));
                    self.last_sequence = None;
                }
                session.id().to_owned()
            }
            // Discord dispatches nothing before READY; if it did, the event would be forwarded and not resumed from.
            None => String::new(),
        };
        match kind.as_str() {
            "READY" => {
                self.cx.metrics.identifies.inc();
                self.waits = None;
                tracing::info!(shard = self.number, "shard {} is ready with a new session", self.number);
            }
            "RESUMED" => {
                self.cx.metrics.resumes.inc();
                self.waits = None;
                tracing::info!(shard = self.number, sequence, "shard {} resumed its session", self.number);
            }
            _ => {}
        }
        if let Some(last) = self.last_sequence {
            self.cx.metrics.gaps.inc_by(sequence.saturating_sub(last + 1));
        }
        self.last_sequence = self.last_sequence.max(Some(sequence));
        self.cx.metrics.events.with_label_values(&[&kind]).inc();
        self.outbox.push(GatewayEvent {
            bot: self.cx.bot,
            shard: self.number,
            session,
            sequence,
            kind,
            guild,
            received_at: self.cx.clock.now(),
            payload: Bytes::from(text),
        });
    }

    /// Opcode 9. twilight has acted on it: without a session left, it was `d: false`.
    fn session_refused(&mut self) {
        let resumable = self.shard.session().is_some();
        tracing::info!(shard = self.number, resumable, "Discord refused the session of shard {}", self.number);
        if !resumable {
            self.forget_session();
        }
    }

    fn forget_session(&mut self) {
        self.outbox.end_session();
        self.last_sequence = None;
        self.publish_position();
    }

    fn closed(&mut self, frame: Option<&CloseFrame<'static>>) -> anyhow::Result<()> {
        let code = frame.map(|frame| frame.code);
        let label = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.cx.metrics.disconnects.with_label_values(&[&label]).inc();
        let reason = frame.map(|frame| frame.reason.as_ref()).unwrap_or_default();
        if let Some(cause) = code.and_then(gateway::fatal_close) {
            bail!("Discord closed shard {} for good with code {label} ({reason}): {cause}", self.number);
        }
        if self.shard.state() == ShardState::FatallyClosed {
            bail!("Discord closed shard {} for good with code {label} ({reason})", self.number);
        }
        tracing::info!(shard = self.number, reason, "the connection of shard {} closed with code {label}", self.number);
        if code == Some(CloseCode::InvalidSequence as u16) {
            // Discord wants a new session; twilight would RESUME with the same sequence again.
            self.forget_session();
            self.shard = build(&self.cx, self.number, None);
        }
        self.wait_before_connecting();
        Ok(())
    }

    fn failed(&mut self, error: ReceiveMessageError) {
        match error.kind() {
            // twilight could not make sense of the frame; we need not.
            ReceiveMessageErrorType::Deserializing { event } => self.frame(event.clone()),
            ReceiveMessageErrorType::Reconnect => {
                let error = anyhow::Error::from(error);
                tracing::warn!(shard = self.number, "shard {} cannot connect: {error:#}", self.number);
                if let ShardState::Disconnected { reconnect_attempts: ATTEMPTS.. } = self.shard.state() {
                    self.rebuild();
                }
            }
            _ => {
                let error = anyhow::Error::from(error);
                tracing::warn!(shard = self.number, "the connection of shard {} failed: {error:#}", self.number);
                self.wait_before_connecting();
            }
        }
    }

    /// The first reconnect is immediate; further ones wait, until a session is ready.
    fn wait_before_connecting(&mut self) {
        match &mut self.waits {
            None => self.waits = Some(Box::new(backoff::exponential(Duration::from_secs(1), Duration::from_secs(30)))),
            Some(waits) => self.pause = waits.next().map(|wait| Instant::now() + wait),
        }
    }

    fn publish_position(&self) {
        let new = self.outbox.position();
        self.position.send_if_modified(|old| {
            let same = match (old.as_ref(), new) {
                (Some(old), Some(new)) => Arc::ptr_eq(&old.session, &new.session) && old.sequence == new.sequence,
                (None, None) => true,
                _ => false,
            };
            if !same {
                *old = new.cloned();
            }
            !same
        });
    }

    fn report_state(&mut self) {
        let state = match self.shard.state() {
            ShardState::Active => "connected",
            ShardState::Resuming => "resuming",
            ShardState::Identifying => "identifying",
            ShardState::Disconnected { .. } => "connecting",
            ShardState::FatallyClosed => "closed",
        };
        let old = std::mem::replace(&mut self.state, state);
        if old == state {
            return;
        }
        self.cx.metrics.shards.with_label_values(&[old]).dec();
        self.cx.metrics.shards.with_label_values(&[state]).inc();
        if state == "connected" {
            self.cx.gateway.up(self.number);
        } else {
            self.cx.gateway.down(self.number, state.to_owned());
        }
    }

    fn note_stall(&mut self, stall: bool) {
        if stall == std::mem::replace(&mut self.stalled, stall) {
            return;
        }
        if stall {
            self.cx.metrics.stalls.inc();
            self.beat.reset();
        }
    }
}

#[derive(Deserialize)]
struct Hello {
    d: HelloData,
}

#[derive(Deserialize)]
struct HelloData {
    heartbeat_interval: u64,
}

/// A shard that has yet to connect. An empty address to resume at means the gateway's own.
fn build(cx: &Cx, number: u32, session: Option<(Session, String)>) -> Shard {
    let mut config = ConfigBuilder::from(cx.config.clone());
    if let Some((session, resume_url)) = session {
        config = config.session(session);
        if !resume_url.is_empty() {
            config = config.resume_url(resume_url.trim_end_matches('/').to_owned());
        }
    }
    Shard::with_config(ShardId::new(number, cx.total), config.build())
}

fn beat(every: Duration) -> tokio::time::Interval {
    let mut beat = interval(every.max(Duration::from_millis(1)));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}
