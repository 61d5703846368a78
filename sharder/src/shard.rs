//! One shard: reads the gateway, forwards, and keeps track of where it could be resumed.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::bail;
use bytes::Bytes;
use common::{backoff, clock::Clock, service::Dependency};
use event_stream::Producer;
use futures_util::{FutureExt, StreamExt};
use model::{TraceParent, topics::GatewayEvent};
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
    budget::Budget,
    envelope::{self, Envelope},
    gateway::{self, FatalClose},
    identify::{Gate, Line, Passed},
    metrics::Metrics,
    outbox::Outbox,
    persist,
    presence::{Presence, Shown},
    sessions::{GatewaySession, Sessions},
    window::Position,
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
/// The code of a connection that ended without one (RFC 6455, 7.4.1).
const ABNORMAL: u16 = 1006;
/// Failed attempts after which twilight's own wait, which grows to minutes, starts anew.
const ATTEMPTS: u8 = 6;

/// How long a shard waits after opcode 9 before it connects again: a random time in between (Discord's documentation,
/// "Resuming").
const REFUSED: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// A connection that is lost this soon after a stall is lost by it.
const AFTER_STALL: Duration = Duration::from_secs(60);

/// What the shards of one bot share: a process may have one bot with many shards, or many with one.
#[derive(Clone)]
pub struct Cx {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// How many shards the bot has.
    pub total: u32,
    /// Token, intents, address and TLS. The queue in it is not used.
    pub config: Config,
    /// Where the bot's shards wait for their IDENTIFYs.
    pub identify: Line,
    /// What is to stand under the bot's name; a change is sent within seconds.
    pub presence: watch::Receiver<Option<Presence>>,
    /// The producer of events.
    pub producer: Producer,
    /// The stored sessions.
    pub sessions: Sessions,
    /// How much all shards of the process may have on their way to Kafka.
    pub budget: Budget,
    /// Wall time.
    pub clock: Clock,
    /// The counters.
    pub metrics: Metrics,
    /// Whether the shard is connected.
    pub gateway: Dependency,
    /// Whether Kafka takes the shard's events.
    pub kafka: Dependency,
    /// Whether Redis takes the shard's positions.
    pub redis: Dependency,
}

impl Cx {
    /// The same for one shard: `part` names it where a dependency is down.
    #[must_use]
    pub fn part(&self, part: impl fmt::Display) -> Self {
        let Self { gateway, kafka, redis, .. } = self;
        Self { gateway: gateway.part(&part), kafka: kafka.part(&part), redis: redis.part(&part), ..self.clone() }
    }
}

/// Runs one shard until `shutdown`: from the stored position, if there is one, by RESUME, else by IDENTIFY.
///
/// # Errors
///
/// [`FatalClose`] when Discord closes the connection for good, or refuses the token; another error when the last
/// position could not be stored.
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
    shard: Shard<Gate>,
    gate: Gate,
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
    /// When the last stall ended.
    stalled_until: Option<Instant>,
    /// Why a session was in danger when its connection was lost.
    danger: Option<&'static str>,
    presence: Shown,
    /// Since when a connection is open without a HELLO.
    mute_since: Option<Instant>,
    /// Whether HELLO came on a connection whose end was not heard of.
    greeted: bool,
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
        let mut presence = Shown::new(cx.presence.clone());
        let gate = cx.identify.gate(number);
        let shard = build(&cx, &gate, &mut presence, number, session);
        let last_sequence = start.as_ref().map(|start| start.sequence);
        let outbox = Outbox::new(number, cx.producer.clone(), &cx.budget, start, cx.kafka.clone(), cx.metrics.clone());
        cx.metrics.shards.with_label_values(&["connecting"]).inc();
        cx.gateway.down("connecting");
        Self {
            cx,
            number,
            shard,
            gate,
            outbox,
            position,
            last_sequence,
            state: "connecting",
            pause: None,
            waits: None,
            beat: beat(BEAT),
            stalled: false,
            stalled_until: None,
            danger: None,
            presence,
            mute_since: None,
            greeted: false,
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
                passed = self.gate.next(&mut self.shard), if !stall && self.pause.is_none() => self.pass(passed)?,
                () = sleep_until(self.pause.unwrap_or_else(Instant::now)), if self.pause.is_some() => self.pause = None,
                _ = self.beat.tick(), if stall && !self.outbox.is_overfull() => {
                    // One look sends the heartbeat that is due and takes at most one frame off the socket.
                    if let Some(item) = self.shard.next().now_or_never() {
                        self.take(item)?;
                    }
                }
                _ = looks.tick() => {
                    self.look_for_hello();
                    self.show_presence();
                }
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

    fn show_presence(&mut self) {
        if self.shard.state() == ShardState::Active
            && let Some(command) = self.presence.due(Instant::now())
        {
            // twilight sends it when the gateway's limit of commands allows.
            self.shard.send(command);
        }
    }

    /// Connects anew, at the gateway's own address, to go on with the session if there is one.
    fn rebuild(&mut self) {
        let session = self.shard.session().cloned().map(|session| (session, String::new()));
        self.replace(session);
        self.wait_before_connecting();
    }

    /// Drops the connection, without a close frame: the session, if there is one, stays resumable.
    fn replace(&mut self, session: Option<(Session, String)>) {
        self.shard = build(&self.cx, &self.gate, &mut self.presence, self.number, session);
        self.mute_since = None;
        self.greeted = false;
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

    fn pass(&mut self, passed: Passed) -> anyhow::Result<()> {
        match passed {
            Passed::Item(item) => self.take(item)?,
            Passed::Refused(error) => {
                let code = CloseCode::AuthenticationFailed as u16;
                let cause = gateway::fatal_close(code).unwrap_or_default();
                let reason = anyhow::Error::from(error);
                bail!(FatalClose { shard: self.number, code, reason: format!("{reason:#}"), cause });
            }
        }
        Ok(())
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
                // A connection that ends in good order, but without a close frame, is nothing that twilight tells.
                if std::mem::replace(&mut self.greeted, true) {
                    self.disconnected(Some(ABNORMAL), "");
                    self.wait_before_connecting();
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
                self.connected();
                self.presence.identified();
                tracing::info!(shard = self.number, "shard {} is ready with a new session", self.number);
            }
            "RESUMED" => {
                self.cx.metrics.resumes.inc();
                self.connected();
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
            // A replay of the event has the same trace.
            trace: Some(TraceParent::derived(&session, sequence)),
            session,
            sequence,
            kind,
            guild,
            received_at: self.cx.clock.now(),
            payload: Bytes::from(text),
        });
    }

    /// A session is begun or resumed.
    fn connected(&mut self) {
        self.waits = None;
        self.danger = None;
    }

    /// Opcode 9. twilight has acted on it: without a session left, it was `d: false`.
    fn session_refused(&mut self) {
        // twilight would connect again at once.
        let [least, most] = REFUSED;
        let wait = least + (most - least).mul_f64(rand::random());
        let resume_url = self.shard.resume_url().unwrap_or_default().to_owned();
        let session = self.shard.session().cloned().map(|session| (session, resume_url));
        if session.is_some() {
            tracing::info!(shard = self.number, "Discord wants shard {} to resume in a moment", self.number);
        } else if self.outbox.session().is_some() {
            self.lose_session(if self.state == "connected" { "ended" } else { "refused" });
        } else {
            self.cx.metrics.identifies_refused.inc();
            tracing::error!(
                shard = self.number,
                "Discord refused the IDENTIFY of shard {}: does a program of its own use the same token?",
                self.number
            );
        }
        self.replace(session);
        self.pause = Some(Instant::now() + wait);
    }

    /// There is nothing to resume: what Discord dispatches until the next session is ready is not sent again.
    fn lose_session(&mut self, reason: &'static str) {
        let reason = self.danger.take().unwrap_or(reason);
        self.cx.metrics.lost.with_label_values(&[reason]).inc();
        tracing::warn!(
            shard = self.number,
            reason,
            sequence = self.last_sequence,
            "the session of shard {} is lost ({reason}), it identifies; READY and the GUILD_CREATEs after it say how \
             things stand",
            self.number
        );
        self.outbox.end_session();
        self.last_sequence = None;
        self.publish_position();
    }

    fn closed(&mut self, frame: Option<&CloseFrame<'static>>) -> anyhow::Result<()> {
        let code = frame.map(|frame| frame.code);
        let reason = frame.map(|frame| frame.reason.as_ref()).unwrap_or_default();
        self.greeted = false;
        self.disconnected(code, reason);
        if let Some(code) = code
            && let Some(cause) = gateway::fatal_close(code)
        {
            bail!(FatalClose { shard: self.number, code, reason: reason.to_owned(), cause });
        }
        if code == Some(CloseCode::InvalidSequence as u16) {
            // Discord wants a new session; twilight would RESUME with the same sequence again.
            self.lose_session("sequence");
            self.replace(None);
        }
        self.wait_before_connecting();
        Ok(())
    }

    fn disconnected(&mut self, code: Option<u16>, reason: &str) {
        let label = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.cx.metrics.disconnects.with_label_values(&[&label]).inc();
        tracing::info!(shard = self.number, reason, "the connection of shard {} closed with code {label}", self.number);
        self.note_danger(code);
    }

    /// Remembers what might have cost the session.
    fn note_danger(&mut self, code: Option<u16>) {
        let after_stall = self.stalled_until.is_some_and(|until| until.elapsed() < AFTER_STALL);
        if self.stalled || after_stall {
            self.danger = Some("kafka");
        } else if code == Some(CloseCode::SessionTimedOut as u16) {
            self.danger = Some("timed_out");
        }
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
                self.note_danger(None);
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
            self.cx.gateway.up();
        } else {
            self.cx.gateway.down(state);
        }
    }

    fn note_stall(&mut self, stall: bool) {
        if stall == std::mem::replace(&mut self.stalled, stall) {
            return;
        }
        if stall {
            self.cx.metrics.stalls.inc();
            self.beat.reset();
        } else {
            self.stalled_until = Some(Instant::now());
        }
    }
}

impl Drop for Forwarder {
    /// A bot's shard may end long before the process.
    fn drop(&mut self) {
        self.cx.metrics.shards.with_label_values(&[self.state]).dec();
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
fn build(cx: &Cx, gate: &Gate, presence: &mut Shown, number: u32, session: Option<(Session, String)>) -> Shard<Gate> {
    let mut config = ConfigBuilder::from(cx.config.clone()).queue(gate.clone());
    if let Some(presence) = presence.for_identify() {
        config = config.presence(presence);
    }
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
