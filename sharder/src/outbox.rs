//! From a shard to Kafka: sends, collects every answer, sends again what Kafka did not take.

use std::{collections::VecDeque, future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use common::backoff;
use event_stream::{Delivery, Error, GatewayEvents, Life, Producer};
use futures_util::FutureExt;
use model::topics::GatewayEvent;
use tokio::time::{Instant, sleep_until};

use crate::{
    metrics::Metrics,
    readiness::Shared,
    sessions::GatewaySession,
    window::{Limits, Position, Ticket, Window},
};

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
    /// The answers awaited, in the order of sending. Only the front is polled: the position waits for it anyway.
    deliveries: VecDeque<Sent>,
    /// Up to this event each is sent alone: Kafka refuses a batch for its size as a whole, whichever event is to blame.
    alone_until: Option<Ticket>,
    /// When the front began to be awaited.
    awaited_since: Instant,
    /// Nothing is sent before.
    hold: Option<Instant>,
    waits: Waits,
    shard: u32,
    kafka: Shared,
    /// Whether Kafka was reported as away.
    away: bool,
    metrics: Metrics,
}

/// One answer that is awaited.
struct Sent {
    ticket: Ticket,
    /// Nothing else of the shard was on its way.
    alone: bool,
    delivery: Delivery,
}

type Answer = <Delivery as Future>::Output;
type Waits = Box<dyn Iterator<Item = Duration> + Send>;

impl Outbox {
    /// An empty outbox of a shard whose session starts at a persisted position, or at none.
    #[must_use]
    pub fn new(
        shard: u32,
        producer: Producer,
        limits: Limits,
        position: Option<Position>,
        kafka: Shared,
        metrics: Metrics,
    ) -> Self {
        Self {
            life: producer.life(),
            producer,
            window: Window::new(limits, position),
            deliveries: VecDeque::new(),
            alone_until: None,
            awaited_since: Instant::now(),
            hold: None,
            waits: waits(),
            shard,
            kafka,
            away: false,
            metrics,
        }
    }

    /// Takes in a received event and sends it, if nothing is held back.
    pub fn push(&mut self, event: GatewayEvent) {
        let (sequence, bytes) = (event.sequence, event.payload.len());
        self.window.push(event, sequence, bytes);
        self.metrics.unacked.inc();
        self.send();
    }

    /// Sends what waits and takes in what Kafka answers. Returns after answers, and never while there are none to come.
    ///
    /// Cancel safe: an answer is either taken in whole or still there.
    pub async fn progress(&mut self) {
        loop {
            self.send();
            let patience = self.awaited_since + PATIENCE;
            tokio::select! {
                biased;
                (ticket, alone, answer) = front(&mut self.deliveries) => {
                    self.settle(ticket, alone, answer);
                    // Answers come in batches: the ones that are there are taken in at once.
                    while let Some((ticket, alone, answer)) = front(&mut self.deliveries).now_or_never() {
                        self.settle(ticket, alone, answer);
                    }
                    self.send();
                    return;
                }
                () = sleep_until(self.hold.unwrap_or(patience)), if self.hold.is_some() => self.hold = None,
                () = sleep_until(patience), if !self.deliveries.is_empty() && !self.away => {
                    self.report_away(&format!("no acknowledgement for {} s", PATIENCE.as_secs()));
                }
            }
        }
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

    /// Hands to the producer what waits, until it takes no more.
    fn send(&mut self) {
        if self.hold.is_some_and(|until| Instant::now() < until) {
            return;
        }
        while let Some((ticket, event)) = self.window.next_to_send() {
            let first = self.deliveries.is_empty();
            let alone = self.alone_until.is_some_and(|last| ticket <= last);
            // What goes alone shares its batch neither with what is before nor with what comes after it.
            if !first && (alone || self.deliveries.front().is_some_and(|sent| sent.alone)) {
                return;
            }
            let sent = match self.producer.enqueue_in::<GatewayEvents>(self.life, event) {
                Err(error @ Error::TooLarge { .. }) => refuse(&self.producer, &self.metrics, event, &error),
                sent => sent,
            };
            match sent {
                Ok(delivery) => {
                    if first {
                        self.awaited_since = Instant::now();
                    }
                    self.deliveries.push_back(Sent { ticket, alone, delivery });
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

    fn settle(&mut self, ticket: Ticket, alone: bool, answer: Answer) {
        self.awaited_since = Instant::now();
        match answer {
            Ok(_acked) => {
                self.acknowledge(ticket);
                // Those of other partitions say nothing about the one that failed.
                if self.window.is_rewinding() {
                    return;
                }
                self.hold = None;
                self.waits = waits();
                if std::mem::take(&mut self.away) {
                    self.kafka.up(self.shard);
                    tracing::info!(shard = self.shard, "Kafka takes the events of shard {} again", self.shard);
                }
            }
            Err(error @ Error::RefusedForSize { .. }) => {
                let refused = self.window.get(ticket).filter(|_| alone);
                let refused = refused.map(|event| refuse(&self.producer, &self.metrics, event, &error));
                if let Some(Ok(delivery)) = refused {
                    self.deliveries.push_front(Sent { ticket, alone, delivery });
                    return;
                }
                self.alone_until = self.alone_until.max(Some(ticket));
                self.send_again(ticket);
            }
            Err(error) => {
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

    fn acknowledge(&mut self, ticket: Ticket) {
        let before = self.window.len();
        self.window.acknowledged(ticket);
        self.alone_until = self.alone_until.filter(|last| self.window.get(*last).is_some());
        self.metrics.unacked.sub(signed(before - self.window.len()));
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
            self.kafka.down(self.shard, reason.to_owned());
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.metrics.unacked.sub(signed(self.len()));
    }
}

/// Kafka will never take the event, and everything behind it would wait: it goes to the dead letters, without its body.
fn refuse(producer: &Producer, metrics: &Metrics, event: &GatewayEvent, error: &Error) -> Result<Delivery, Error> {
    let delivery = producer.enqueue_refused::<GatewayEvents>(event, error)?;
    metrics.refused.inc();
    let GatewayEvent { shard, kind, sequence, .. } = event;
    tracing::error!(shard, kind, sequence, "an event {kind} of shard {shard} is kept without its body: {error}");
    Ok(delivery)
}

/// The answer to what was sent first, taken off the queue.
async fn front(deliveries: &mut VecDeque<Sent>) -> (Ticket, bool, Answer) {
    poll_fn(|cx| {
        let Some(Sent { ticket, alone, delivery }) = deliveries.front_mut() else {
            return Poll::Pending;
        };
        let (ticket, alone, polled) = (*ticket, *alone, Pin::new(delivery).poll(cx));
        polled.map(|answer| {
            deliveries.pop_front();
            (ticket, alone, answer)
        })
    })
    .await
}

fn waits() -> Waits {
    Box::new(backoff::exponential(Duration::from_millis(100), Duration::from_secs(2)))
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
