//! One shard: reads the gateway, forwards, and keeps track of where it could be resumed.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use model::{TraceParent, topics::GatewayEvent};
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use twilight_gateway::{CloseFrame, Message, Session, Shard, ShardState, error::ReceiveMessageError};
use twilight_model::{
    gateway::CloseCode,
    id::{Id, marker::GuildMarker},
};

use super::{cx::Cx, ends::build};
use crate::{
    envelope::{self, Envelope},
    gateway::{self, FatalClose},
    identify::{Gate, Passed},
    outbox::Outbox,
    presence::Shown,
    sessions::GatewaySession,
    window::Position,
};

/// How long a stopping shard waits for Kafka's acknowledgements. What is not acknowledged then is replayed after the
/// next start.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a stopping shard waits for the answer to its IDENTIFY, which Discord gives at once.
const READY: Duration = Duration::from_secs(2);
/// How long a stopping shard waits for Discord's answer to the close frame.
const CLOSE: Duration = Duration::from_secs(2);
/// The wait between looks at a stalled connection before Discord told its heartbeat interval.
const BEAT: Duration = Duration::from_secs(10);
/// How often is looked whether Discord says anything.
const LOOK: Duration = Duration::from_secs(1);
/// The code of a connection that ended without one (RFC 6455, 7.4.1).
const ABNORMAL: u16 = 1006;

/// A shard at work.
pub(super) struct Forwarder {
    pub(super) cx: Cx,
    pub(super) number: u32,
    pub(super) shard: Shard<Gate>,
    pub(super) gate: Gate,
    pub(super) outbox: Outbox,
    pub(super) position: watch::Sender<Option<Position>>,
    pub(super) last_sequence: Option<u64>,
    /// The state that was reported last.
    pub(super) state: &'static str,
    /// Nothing is read before: connections failed one after another.
    pub(super) pause: Option<Instant>,
    /// The next waits between connections; empty while the last one was good.
    pub(super) waits: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    /// How often a stalled connection is looked at, so that its heartbeats go on.
    pub(super) beat: tokio::time::Interval,
    pub(super) stalled: bool,
    /// When the last stall ended.
    pub(super) stalled_until: Option<Instant>,
    /// Why a session was in danger when its connection was lost.
    pub(super) danger: Option<&'static str>,
    pub(super) presence: Shown,
    /// Since when a connection is open without a HELLO.
    pub(super) mute_since: Option<Instant>,
    /// Whether HELLO came on a connection whose end was not heard of.
    pub(super) greeted: bool,
    /// Since when a connection is to end that twilight closes.
    pub(super) leaving: Option<Instant>,
}

impl Forwarder {
    pub(super) fn new(cx: Cx, number: u32, start: Option<Position>, position: watch::Sender<Option<Position>>) -> Self {
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
            leaving: None,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
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
                _ = self.beat.tick(), if stall && self.may_look() => {
                    // One look sends the heartbeat that is due and takes at most one frame off the socket.
                    if let Some(item) = self.shard.next().now_or_never() {
                        self.take(item)?;
                    }
                }
                _ = looks.tick() => {
                    self.look_for_hello();
                    self.look_for_the_end();
                    self.show_presence();
                }
            }
        }
    }

    /// Whether one frame may be taken off the socket in a stall. The first look after HELLO is what sends RESUME.
    fn may_look(&self) -> bool {
        !self.outbox.is_overfull() || self.shard.state() == ShardState::Resuming
    }

    fn show_presence(&mut self) {
        if self.shard.state() == ShardState::Active
            && let Some(command) = self.presence.due(Instant::now())
        {
            // twilight sends it when the gateway's limit of commands allows.
            self.shard.send(command);
        }
    }

    /// Leaves the session resumable: close code 4000, and the position of all that Kafka acknowledged.
    async fn stop(&mut self) {
        // A session that nobody heard of cannot be resumed: it would cost an IDENTIFY, and what happens until the next one.
        let _ = timeout(READY, async {
            while self.gate.awaits_ready(&self.shard) {
                let item = self.shard.next().await;
                if self.take(item).is_err() {
                    return;
                }
            }
        })
        .await;
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
                let cause = gateway::fatal_close(code, self.cx.config.intents()).unwrap_or_default();
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

    pub(super) fn frame(&mut self, text: String) {
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
                self.leaving = None;
                // A connection that ends in good order, but without a close frame, is nothing that twilight tells.
                if std::mem::replace(&mut self.greeted, true) {
                    self.disconnected(Some(ABNORMAL), "");
                    self.wait_before_connecting();
                    if self.pause.is_some() {
                        // The wait is one before a connection; on this one Discord would wait for us.
                        self.leave();
                    }
                }
            }
            // twilight has sent a close frame and waits for the answer.
            Ok(Envelope { op: 7, .. }) => self.leaving = Some(Instant::now()),
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
                self.presence.resumed();
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
    pub(super) fn connected(&mut self) {
        self.waits = None;
        self.danger = None;
    }

    pub(super) fn publish_position(&self) {
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

    pub(super) fn report_state(&mut self) {
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
            self.beat.reset_immediately();
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

fn beat(every: Duration) -> tokio::time::Interval {
    let mut beat = interval(every.max(Duration::from_millis(1)));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}
