//! The sending half of a connection: in order, and as well or badly as the faults want it.

use std::{
    collections::VecDeque,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{SinkExt as _, stream::SplitSink};
use serde_json::json;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::{
    Fault, Frame,
    compression::Compression,
    handshake,
    line::{Line, Outgoing},
};
use crate::{sim::Sim, state::State};

/// Frames that go out together.
const BATCH: usize = 64;
/// How long a client that does not read may keep a close waiting.
const GRACE: Duration = Duration::from_secs(1);
/// How often a client is asked by a WebSocket ping how far it has read, while it has something to read.
const PROBE: Duration = Duration::from_millis(250);

/// Sends what a session, or its connection, has to send.
pub(super) struct Writer {
    sim: Sim,
    sink: SplitSink<WebSocket, Message>,
    compression: Compression,
    line: Line,
    inbox: mpsc::UnboundedReceiver<Outgoing>,
    /// Taken from the inbox, and still to be sent.
    queue: VecDeque<Outgoing>,
    /// The code of the close frame that was sent.
    pub(super) closed_with: Option<u16>,
    /// Silent for good: TCP does not lose what lies between.
    muted: bool,
    cut: bool,
    /// The newest sequence that was written, and of which session; the newest that a ping asked for.
    written: Option<(Arc<str>, u64)>,
    probed: u64,
    /// When the next frame may go.
    next: Instant,
}

/// The connection is over.
struct Ended;

/// What the faults make of this connection at the moment.
#[derive(Default)]
struct Pace {
    /// Nothing goes out, at most until then.
    held: Option<Option<Instant>>,
    /// Wait after each frame: a time, and bytes per second.
    slow: Option<(Duration, Option<u32>)>,
    silent: bool,
    /// Guilds are still to come.
    feeding: bool,
}

impl Writer {
    pub(super) fn new(
        sim: Sim,
        sink: SplitSink<WebSocket, Message>,
        compression: Compression,
        line: Line,
        inbox: mpsc::UnboundedReceiver<Outgoing>,
    ) -> Self {
        Self {
            sim,
            sink,
            compression,
            line,
            inbox,
            queue: VecDeque::new(),
            closed_with: None,
            muted: false,
            cut: false,
            written: None,
            probed: 0,
            next: Instant::now(),
        }
    }

    /// Sends until the connection is to end.
    pub(super) async fn run(&mut self, greets: bool) {
        if greets && self.hello().await.is_err() {
            return;
        }
        let mut changes = self.sim.changes();
        let mut probe = tokio::time::interval(PROBE);
        probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (hurry, abort) = (self.line.hurry.clone(), self.line.abort.clone());
        let mut received = Vec::with_capacity(BATCH);
        loop {
            changes.borrow_and_update();
            // Asked when there is something to send: a fault hits what comes after it.
            let pace = self.sim.read(|state| self.pace(state));
            let now = Instant::now();
            let open = pace.held.is_none() && self.next <= now;
            let wake = pace.held.flatten().or((self.next > now).then_some(self.next));
            if open && !self.queue.is_empty() && !abort.is_cancelled() {
                if self.send_some(&pace).await.is_err() {
                    return;
                }
                continue;
            }
            let step = tokio::select! {
                _ = self.inbox.recv_many(&mut received, BATCH), if self.queue.is_empty() => {
                    self.queue.extend(received.drain(..));
                    Ok(())
                }
                () = sleep_until(wake), if !open => Ok(()),
                // The fault may have been taken back.
                _ = changes.changed(), if pace.held.is_some() => Ok(()),
                () = hurry.cancelled(), if !open => self.last_words().await,
                () = abort.cancelled() => Err(Ended),
                _ = probe.tick(), if open && !self.muted => self.probe().await,
                () = std::future::ready(()), if pace.feeding => {
                    self.feed();
                    tokio::task::yield_now().await;
                    Ok(())
                }
            };
            if step.is_err() {
                return;
            }
        }
    }

    /// Who answers the close frame has received all that was written.
    pub(super) fn confirm_written(&self, state: &mut State) {
        if let Some((id, sequence)) = &self.written {
            state.sessions.confirm(id, *sequence);
        }
    }

    async fn hello(&mut self) -> Result<(), Ended> {
        let (delay, interval, silent) = self.sim.write(|state| {
            let faults = &mut state.sessions.faults;
            let rule = faults.take(None, |fault| match fault {
                Fault::HelloLate { by } => Some(*by),
                Fault::HelloMissing => Some(Duration::MAX),
                _ => None,
            });
            (rule.or(faults.hello_delay), state.sessions.heartbeat(), state.sessions.faults.silent)
        });
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if silent {
            self.muted = true;
            return Ok(());
        }
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let hello = json!({ "t": null, "s": null, "op": 10, "d": { "heartbeat_interval": interval, "_trace": ["[\"discord-sim\"]"] } });
        self.put(&hello.to_string()).await?;
        self.flush().await
    }

    fn pace(&self, state: &State) -> Pace {
        let sessions = &state.sessions;
        let own =
            self.line.session().and_then(|id| sessions.by_id.get(&id)).filter(|session| session.is_on(&self.line));
        let Some(session) = own else { return Pace { silent: sessions.faults.silent, ..Pace::default() } };
        if sessions.faults.rules.is_empty() {
            return Pace { silent: sessions.faults.silent, feeding: !session.coming.is_empty(), ..Pace::default() };
        }
        let holds = |wanted: Fault| sessions.faults.holds(session, |fault| (*fault == wanted).then_some(()));
        let slow = sessions.faults.holds(session, |fault| match fault {
            Fault::Slow { per_frame, bytes_per_second } => Some((*per_frame, *bytes_per_second)),
            _ => None,
        });
        Pace {
            held: holds(Fault::Held).map(|((), until)| until),
            slow: slow.map(|(slow, _)| slow),
            silent: sessions.faults.silent || holds(Fault::Silent).is_some(),
            feeding: !session.coming.is_empty(),
        }
    }

    fn feed(&self) {
        if let Some(id) = self.line.session() {
            self.sim.write(|state| handshake::send_some_guilds(state, &id));
        }
    }

    /// Sends what is queued, or one of it where they come slowly.
    async fn send_some(&mut self, pace: &Pace) -> Result<(), Ended> {
        self.muted |= pace.silent;
        let mut events = Vec::new();
        let at_once = if pace.slow.is_some() { 1 } else { self.queue.len() };
        for _ in 0..at_once {
            let Some(outgoing) = self.queue.pop_front() else { break };
            let text = match outgoing {
                Outgoing::Event(frame) if !self.muted => {
                    let text = frame.text.clone();
                    events.push(frame);
                    text
                }
                Outgoing::Plain(text) if !self.muted => text,
                Outgoing::Event(_) | Outgoing::Plain(_) => continue,
                Outgoing::FallSilent => {
                    self.muted = true;
                    continue;
                }
                Outgoing::Cut => {
                    self.cut = true;
                    continue;
                }
                Outgoing::Close(code) => {
                    self.flush().await?;
                    self.written(events);
                    return self.end(code).await;
                }
            };
            if self.cut {
                events.pop_if(|last| Arc::ptr_eq(&last.text, &text));
                self.flush().await?;
                self.written(events);
                self.line.wire.cut_next_write();
                self.put(&text).await?;
                self.flush().await?;
                return Err(Ended);
            }
            if let Some((per_frame, bytes_per_second)) = pace.slow {
                let by_length = bytes_per_second
                    .map(|rate| Duration::from_secs(1) * u32::try_from(text.len()).unwrap_or(u32::MAX) / rate.max(1));
                self.next = Instant::now() + per_frame + by_length.unwrap_or_default();
            }
            self.put(&text).await?;
        }
        self.flush().await?;
        self.written(events);
        Ok(())
    }

    /// These went out.
    fn written(&mut self, events: Vec<Frame>) {
        for event in &events {
            event.was_delivered();
        }
        if let Some(last) = events.last() {
            if self.written.as_ref().is_none_or(|(session, _)| *session != last.session) {
                self.probed = 0;
            }
            self.written = Some((Arc::clone(&last.session), last.sequence));
            self.sim.wake();
        }
    }

    /// Asks the client how far it has read.
    async fn probe(&mut self) -> Result<(), Ended> {
        let Some((session, sequence)) = self.written.as_ref().filter(|(_, sequence)| *sequence > self.probed) else {
            return Ok(());
        };
        self.probed = *sequence;
        let mark = [&sequence.to_be_bytes(), session.as_bytes()].concat();
        self.message(Message::Ping(mark.into())).await?;
        self.flush().await
    }

    /// What is held back, or too slow, is overtaken by the end.
    async fn last_words(&mut self) -> Result<(), Ended> {
        while let Some(outgoing) = self.queue.pop_front().or_else(|| self.inbox.try_recv().ok()) {
            if let Outgoing::Close(code) = outgoing {
                return self.end(code).await;
            }
        }
        Err(Ended)
    }

    async fn end(&mut self, code: Option<u16>) -> Result<(), Ended> {
        if let Some(code) = code.filter(|_| !self.muted) {
            self.closed_with = Some(code);
            let frame = CloseFrame { code, reason: reason(code).into() };
            self.message(Message::Close(Some(frame))).await?;
            self.flush().await?;
        }
        Err(Ended)
    }

    async fn put(&mut self, payload: &str) -> Result<(), Ended> {
        let message = match self.compression.apply(payload) {
            Ok(None) => Message::Text(payload.into()),
            Ok(Some(bytes)) => Message::Binary(bytes.into()),
            Err(_) => return Err(Ended),
        };
        self.message(message).await
    }

    async fn message(&mut self, message: Message) -> Result<(), Ended> {
        tokio::select! {
            biased;
            sent = self.sink.feed(message) => sent.map_err(|_| Ended),
            () = out_of_patience(&self.line) => Err(Ended),
        }
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        tokio::select! {
            biased;
            flushed = self.sink.flush() => flushed.map_err(|_| Ended),
            () = out_of_patience(&self.line) => Err(Ended),
        }
    }
}

/// A client that does not read must not keep its connection alive beyond its end.
async fn out_of_patience(line: &Line) {
    let in_time = async {
        line.hurry.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = in_time => {}
        () = line.abort.cancelled() => {}
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => pending().await,
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        4001 => "Unknown opcode.",
        4002 => "Error while decoding payload.",
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid seq.",
        4008 => "Rate limited.",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4012 => "Invalid API version.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "Unknown error.",
    }
}
