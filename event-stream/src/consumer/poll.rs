//! The thread that asks Kafka for records.
//!
//! A thread and not a task, because librdkafka takes partitions away inside a call of `poll`, and that call has to wait
//! until the work on them has ended. It never stops polling, so the group never takes it for dead: when work piles up it
//! waits a moment, then pauses the partitions.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{BorrowedMessage, Message as _},
    types::RDKafkaErrorCode,
};

use super::{
    context::{Context, Owned, Terms},
    lag,
    partition::{Lane, Partition},
};
use crate::{
    client,
    envelope::{Headers, Message},
    error::Error,
    kind::{Kind, Priority},
};

/// Longest wait for a record: a stop is noticed within it.
const WAIT: Duration = Duration::from_millis(100);
/// The same while a partition is paused, which is looked after between two waits.
const SHORT_WAIT: Duration = Duration::from_millis(10);
/// How long a full consumer waits before it pauses. Pausing throws away what was fetched ahead, up to megabytes, so that
/// work which goes well must not lead to it.
const PATIENCE: Duration = Duration::from_millis(250);
/// The same for one partition, on which the others wait meanwhile.
const PATIENCE_WITH_ONE: Duration = Duration::from_millis(20);
/// How often the brokers are asked whether they answer, once that is in doubt.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long the last commit is tried.
const LAST_COMMIT: Duration = Duration::from_secs(5);

pub(super) struct Poll<S> {
    pub(super) consumer: BaseConsumer<Context>,
    pub(super) owned: Arc<Owned>,
    /// Starts a task that works on the lane.
    pub(super) start: S,
    /// Tells what a record with these headers is about.
    pub(super) kind: fn(&Headers) -> Kind,
    /// Ours among the static members of the group.
    pub(super) instance: Option<String>,
    pub(super) terms: Arc<Terms>,
}

/// Why a partition is paused.
struct Hold {
    priority: Priority,
    /// Since when the record that met a full queue waits; the other partitions wait with it.
    blocked: Option<Instant>,
}

impl<S: Fn(Arc<Partition>, Lane)> Poll<S> {
    /// Takes records until it is told to stop, ends the work and leaves the group.
    pub(super) fn run(self) -> Result<(), Error> {
        let (taken, fatal) = thread::scope(|scope| {
            let (stop, stopped) = mpsc::channel();
            let (owned, consumer) = (&self.owned, &self.consumer);
            let watch = move || lag::watch(owned, consumer, &stopped);
            if let Err(error) = thread::Builder::new().name("lag".to_owned()).spawn_scoped(scope, watch) {
                tracing::error!(topic = &*self.owned.topic, %error, "nobody watches the lag");
            }
            let ended = self.work();
            drop(stop);
            ended
        });
        self.owned.closing.store(true, Ordering::Release);
        // Dropping the client leaves the group; a static member stays in it until its session ends.
        drop(self.consumer);
        taken.map_err(|source| match (fatal, self.instance) {
            (Some(RDKafkaErrorCode::FencedInstanceId), Some(instance)) => Error::Fenced { instance },
            _ => Error::Consume { topic: self.owned.topic.to_string(), source },
        })
    }

    /// Takes records until it is told to stop and ends the work; also tells what ended the client, if anything did.
    fn work(&self) -> (Result<(), KafkaError>, Option<RDKafkaErrorCode>) {
        let taken = self.consumer.subscribe(&[&self.owned.topic]).and_then(|()| self.take_records());
        let fatal = self.consumer.client().fatal_error().map(|(code, _)| code);
        if fatal.is_some() {
            // The group does not know us any more: somebody else may be at work on our partitions already.
            self.terms.abandon.cancel();
        }
        self.finish_work();
        if fatal.is_none() {
            self.last_commit();
        }
        (taken, fatal)
    }

    fn take_records(&self) -> Result<(), KafkaError> {
        let mut paused = HashMap::new();
        let mut next_commit = Instant::now();
        let mut next_question = Instant::now();
        while !self.terms.stop.is_cancelled() && !self.terms.abandon.is_cancelled() {
            self.resume(&mut paused)?;
            let wait = if paused.is_empty() { WAIT } else { SHORT_WAIT };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    self.owned.connection.answered();
                    if let Some(partition) = self.owned.get(message.partition()) {
                        let priority = self.take(&partition, message);
                        self.hold_back(&partition, priority, &mut paused);
                    }
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
                Some(Err(error)) => {
                    self.owned.connection.suspect(&error);
                    tracing::debug!(topic = &*self.owned.topic, %error, "kafka has no records for now");
                }
                None => {}
            }
            let now = Instant::now();
            // A commit blocks while nobody answers; what was finished meanwhile is committed with the next one.
            if now >= next_commit && !self.owned.connection.is_in_doubt() {
                self.owned.commit(&self.consumer, &self.owned.all());
                next_commit = now + self.terms.bounds.commit_every;
            }
            if self.owned.connection.is_in_doubt() && now >= next_question {
                match client::ask(self.consumer.client(), &self.owned.topic, ASK_AGAIN / 2) {
                    Ok(()) => self.owned.connection.answered(),
                    Err(error) => self.owned.connection.unanswered(&error),
                }
                next_question = Instant::now() + ASK_AGAIN;
            }
            self.owned.metrics.in_flight.set(i64::try_from(self.owned.room.now().records).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    fn take(&self, partition: &Arc<Partition>, record: BorrowedMessage<'_>) -> Priority {
        let written_ms = record.timestamp().to_millis().unwrap_or_else(lag::now_ms);
        let message = Message::copied(&self.owned.topic, &record);
        let kind = (self.kind)(&message.headers);
        if let Some(lane) = partition.take(message, kind, written_ms) {
            (self.start)(Arc::clone(partition), lane);
        }
        kind.priority
    }

    /// Waits for room after a record of this priority was taken from `partition`; pauses where none comes.
    ///
    /// Where only the queue of that priority is full, only the partition pauses: the others may bring what is more urgent.
    fn hold_back(&self, partition: &Arc<Partition>, priority: Priority, paused: &mut HashMap<i32, Hold>) {
        let (bounds, room) = (&self.terms.bounds, &self.owned.room);
        let owned = self.owned.count();
        if !room.is_full(bounds) && !partition.is_full(bounds, priority, owned) {
            return;
        }
        let began = Instant::now();
        let full: Vec<Arc<Partition>> = if !room.wait(bounds, PATIENCE) {
            self.owned.all()
        } else if partition.is_full(bounds, priority, owned)
            && !partition.wait_drained(bounds, priority, owned, PATIENCE_WITH_ONE)
        {
            vec![Arc::clone(partition)]
        } else {
            self.owned.event_metrics().blocked(priority, began.elapsed());
            return;
        };
        self.owned.metrics.pauses.inc();
        match self.consumer.pause(&self.owned.list(&full)) {
            Ok(()) => {
                for held in full {
                    let blocked = (held.number == partition.number).then_some(began);
                    // One that is paused already is so for a reason of its own.
                    paused.entry(held.number).or_insert(Hold { priority, blocked });
                }
            }
            // Then the next record waits as long again.
            Err(error) => tracing::warn!(topic = &*self.owned.topic, %error, "could not pause"),
        }
    }

    /// Resumes paused partitions that have room again, or that are no longer ours.
    fn resume(&self, paused: &mut HashMap<i32, Hold>) -> Result<(), KafkaError> {
        let bounds = &self.terms.bounds;
        if paused.is_empty() || !self.owned.room.has_drained(bounds) {
            return Ok(());
        }
        let (mut drained, owned) = (Vec::new(), self.owned.count());
        paused.retain(|number, hold| match self.owned.get(*number) {
            Some(partition) if partition.has_drained(bounds, hold.priority, owned) => {
                if let Some(began) = hold.blocked {
                    self.owned.event_metrics().blocked(hold.priority, began.elapsed());
                }
                drained.push(partition);
                false
            }
            Some(_) => true,
            None => false,
        });
        if drained.is_empty() { Ok(()) } else { self.consumer.resume(&self.owned.list(&drained)) }
    }

    /// Lets what runs finish, within bounds. Polls meanwhile, because the group may take partitions away meanwhile.
    fn finish_work(&self) {
        let all = self.owned.all();
        all.iter().for_each(|partition| partition.halt());
        if let Err(error) = self.consumer.pause(&self.owned.list(&all)) {
            tracing::debug!(topic = &*self.owned.topic, %error, "could not pause before the stop");
        }
        let idle = || self.owned.all().iter().all(|partition| partition.is_idle());
        let until = |deadline: Instant, over: &dyn Fn() -> bool| {
            while Instant::now() < deadline && !over() {
                // Partitions that are assigned now bring records; none is taken.
                let _ = self.consumer.poll(SHORT_WAIT);
            }
        };
        let grace = self.terms.bounds.stop_grace;
        until(Instant::now() + grace, &|| idle() || self.terms.abandon.is_cancelled());
        self.owned.all().iter().for_each(|partition| partition.abandon());
        until(Instant::now() + LAST_COMMIT, &idle);
    }

    fn last_commit(&self) {
        let deadline = Instant::now() + LAST_COMMIT;
        while !self.owned.connection.is_in_doubt()
            && !self.owned.commit(&self.consumer, &self.owned.all())
            && Instant::now() < deadline
        {
            let _ = self.consumer.poll(SHORT_WAIT);
        }
    }
}
