//! From a shard to Kafka: sends, collects every answer, sends again what Kafka did not take.
//!
//! Nothing wakes a shard but its beat, the same instant for all shards of the process: then what was received since is
//! handed over together and what Kafka answered meanwhile is taken in. An event for itself would cost four wakes of a
//! thread, each more than all the rest of the event's work.

use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use common::{backoff, service::Dependency};
use event_stream::{Error, GatewayEvents, Life, Producer, Receipt, Receipts};
use model::topics::GatewayEvent;
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    budget::{Budget, Limits},
    metrics::Metrics,
    sessions::GatewaySession,
    window::{Position, Ticket, Window},
};

/// How long events are collected at most while others are on their way.
const BEAT: Duration = Duration::from_millis(10);
/// The same while Kafka does not answer: there is nothing to look for.
const SLOW_BEAT: Duration = Duration::from_millis(100);
/// How long Kafka may be silent before the beat is slow.
const SILENT: Duration = Duration::from_secs(1);
/// What is handed over at once even between two beats.
const HANDFUL: Limits = Limits { events: 256, bytes: 256 << 10 };
/// Somebody waits for what follows from it.
const URGENT: &str = "INTERACTION_CREATE";
/// How long a full queue of the producer is left alone.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(20);
/// How long Kafka may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// The events of one shard that are on their way to Kafka.
pub struct Outbox {
    producer: Producer,
    /// The life of the producer that everything on its way was sent in. The next one begins with nothing on its way: what
    /// died with the last one is sent again before anything new.
    life: Life,
    window: Window<GatewayEvent>,
    budget: Budget,
    /// The answers to come, by their tickets' numbers.
    receipts: Receipts,
    /// Room for those that are taken in.
    list: Vec<Receipt>,
    /// Received since events were handed over last.
    collected: Limits,
    /// When to look next, while there is anything to look for.
    beat: Pin<Box<Sleep>>,
    /// Up to this event each is sent alone: Kafka refuses a batch for its size as a whole, whichever event is to blame.
    alone_until: Option<Ticket>,
    /// The event on its way that nothing else of the shard is on its way with.
    alone: Option<Ticket>,
    /// The oldest event, and since when it is that.
    front: (Ticket, Instant),
    /// Nothing is sent before.
    hold: Option<Instant>,
    waits: Waits,
    shard: u32,
    kafka: Dependency,
    /// Whether Kafka was reported as away.
    away: bool,
    metrics: Metrics,
}

type Waits = Box<dyn Iterator<Item = Duration> + Send>;

impl Outbox {
    /// An empty outbox of a shard whose session starts at a persisted position, or at none.
    #[must_use]
    pub fn new(
        shard: u32,
        producer: Producer,
        budget: &Budget,
        position: Option<Position>,
        kafka: Dependency,
        metrics: Metrics,
    ) -> Self {
        let window = Window::new(budget, position);
        Self {
            life: producer.life(),
            producer,
            front: (window.first(), Instant::now()),
            window,
            budget: budget.clone(),
            receipts: Receipts::default(),
            list: Vec::new(),
            collected: Limits { events: 0, bytes: 0 },
            beat: Box::pin(sleep(Duration::ZERO)),
            alone_until: None,
            alone: None,
            hold: None,
            waits: waits(),
            shard,
            kafka,
            away: false,
            metrics,
        }
    }

    /// Takes in a received event. It is sent with the next beat, or at once where nothing is on its way, somebody waits
    /// for it, or enough came together.
    pub fn push(&mut self, event: GatewayEvent) {
        if self.window.is_empty() {
            self.front = (self.window.first(), Instant::now());
            self.beat.as_mut().reset(self.budget.next_beat(BEAT));
        }
        let (sequence, bytes) = (event.sequence, event.payload.len());
        let now = event.kind == URGENT || self.budget.events() == 0;
        self.window.push(event, sequence, bytes);
        self.metrics.unacked.inc();
        self.collected.events += 1;
        self.collected.bytes += bytes;
        if now || self.collected.events >= HANDFUL.events || self.collected.bytes >= HANDFUL.bytes {
            self.send();
        }
    }

    /// At the next beat, sends what waits and takes in what Kafka answered. Never returns while there is nothing.
    ///
    /// Cancel safe: the beat is either waited for or worked off in whole.
    pub async fn progress(&mut self) {
        if self.window.is_empty() {
            return pending().await;
        }
        self.beat.as_mut().await;
        self.look();
    }

    /// Every event from now on belongs to this session.
    pub fn begin_session(&mut self, session: Arc<GatewaySession>) {
        self.window.begin_session(session);
    }

    /// Discord ended the session.
    pub fn end_session(&mut self) {
        self.window.end_session();
    }

    /// The session that events now belong to.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<GatewaySession>> {
        self.window.session()
    }

    /// What may be persisted now.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.window.position()
    }

    /// How many events are unacknowledged.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether Kafka has everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Whether nothing more should be received.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.window.is_full()
    }

    /// Whether even the reserve for keeping a stalled connection alive is used up.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.window.is_overfull()
    }

    fn look(&mut self) {
        let before = self.window.len();
        let mut list = std::mem::take(&mut self.list);
        self.receipts.take(&mut list);
        for Receipt { number, failure } in list.drain(..) {
            self.settle(Ticket(number), failure.map(|failure| *failure));
        }
        self.metrics.unacked.sub(signed(before - self.window.len()));
        if !self.window.is_empty() {
            // The room is used again; after a burst it may be large.
            self.list = list;
        }
        self.look_at_the_front();
        self.send();
        let silent = self.front.1.elapsed() >= SILENT;
        self.beat.as_mut().reset(self.budget.next_beat(if silent { SLOW_BEAT } else { BEAT }));
    }

    /// The oldest event tells whether Kafka takes events: those of other partitions may pass it.
    fn look_at_the_front(&mut self) {
        let first = self.window.first();
        if first != self.front.0 {
            self.front = (first, Instant::now());
            if !self.window.is_rewinding() && std::mem::take(&mut self.away) {
                self.kafka.up();
                tracing::info!(shard = self.shard, "Kafka takes the events of shard {} again", self.shard);
            }
        } else if self.window.on_the_way() > 0 && !self.away && self.front.1.elapsed() >= PATIENCE {
            self.report_away(&format!("no acknowledgement for {} s", PATIENCE.as_secs()));
        }
    }

    /// Hands to the producer what waits, until it takes no more.
    fn send(&mut self) {
        self.collected = Limits { events: 0, bytes: 0 };
        if self.hold.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.hold = None;
        loop {
            let first = self.window.on_the_way() == 0;
            let Some((ticket, event)) = self.window.next_to_send() else { return };
            let alone = self.alone_until.is_some_and(|last| ticket <= last);
            // What goes alone shares its batch neither with what is before nor with what comes after it.
            if !first && (alone || self.alone.is_some()) {
                return;
            }
            let (receipts, number) = (&self.receipts, ticket.0);
            let sent = match self.producer.enqueue_in::<GatewayEvents>(self.life, event, receipts, number) {
                Err(error @ Error::TooLarge { .. }) => {
                    refuse(&self.producer, &self.metrics, event, &error, receipts, number)
                }
                sent => sent,
            };
            match sent {
                Ok(()) => {
                    self.alone = alone.then_some(ticket);
                    self.window.sent(ticket);
                }
                Err(Error::Replaced) if first => self.life = self.producer.life(),
                // What the last life had is answered first.
                Err(Error::Replaced) => return,
                Err(Error::QueueFull) => {
                    self.hold = Some(Instant::now() + QUEUE_FULL_WAIT);
                    return;
                }
                Err(error) => {
                    self.back_off();
                    self.report_away(&format!("{:#}", anyhow::Error::from(error)));
                    return;
                }
            }
        }
    }

    fn settle(&mut self, ticket: Ticket, failure: Option<Error>) {
        let alone = self.alone.take_if(|alone| *alone == ticket).is_some();
        match failure {
            None => {
                self.window.acknowledged(ticket);
                self.alone_until = self.alone_until.filter(|last| self.window.get(*last).is_some());
                // Those of other partitions say nothing about the one that failed.
                if !self.window.is_rewinding() {
                    self.hold = None;
                    self.waits = waits();
                }
            }
            Some(error @ Error::RefusedForSize { .. }) => {
                let refused = self.window.get(ticket).filter(|_| alone);
                let refused =
                    refused.map(|event| refuse(&self.producer, &self.metrics, event, &error, &self.receipts, ticket.0));
                if let Some(Ok(())) = refused {
                    self.alone = Some(ticket);
                    return;
                }
                self.alone_until = self.alone_until.max(Some(ticket));
                self.send_again(ticket);
            }
            Some(error) => {
                self.send_again(ticket);
                self.report_away(&format!("{:#}", anyhow::Error::from(error)));
            }
        }
    }

    fn send_again(&mut self, ticket: Ticket) {
        self.metrics.resends.inc();
        self.window.failed(ticket);
        self.back_off();
    }

    /// The failures of one batch wait once.
    fn back_off(&mut self) {
        if self.hold.is_none() {
            self.hold = self.waits.next().map(|wait| Instant::now() + wait);
        }
    }

    fn report_away(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.away, true) {
            tracing::warn!(
                shard = self.shard,
                unacked = self.len(),
                "Kafka does not take the events of shard {}, they are kept and sent again: {reason}",
                self.shard
            );
            self.kafka.down(reason);
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.metrics.unacked.sub(signed(self.len()));
    }
}

/// Kafka will never take the event, and everything behind it would wait: it goes to the dead letters, without its body.
fn refuse(
    producer: &Producer,
    metrics: &Metrics,
    event: &GatewayEvent,
    error: &Error,
    receipts: &Receipts,
    number: u64,
) -> Result<(), Error> {
    producer.enqueue_refused_in::<GatewayEvents>(event, error, receipts, number)?;
    metrics.refused.inc();
    let GatewayEvent { shard, kind, sequence, .. } = event;
    tracing::error!(shard, kind, sequence, "an event {kind} of shard {shard} is kept without its body: {error}");
    Ok(())
}

fn waits() -> Waits {
    Box::new(backoff::exponential(Duration::from_millis(100), Duration::from_secs(2)))
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
