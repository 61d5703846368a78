//! The thread that asks Kafka for records.
//!
//! A thread and not a task, because librdkafka takes partitions away inside a call of `poll`, and that call has to wait
//! until the work on them has ended. It never stops polling, so the group never takes it for dead: when work piles up it
//! waits a moment, then pauses the partitions.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::Message as _,
};

use super::{
    context::{Context, Owned, Terms},
    partition::Partition,
};
use crate::{client, envelope::Message, error::Error};

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
    pub(super) terms: Arc<Terms>,
}

impl<S: Fn(Arc<Partition>, Bytes)> Poll<S> {
    /// Takes records until it is told to stop, ends the work and leaves the group.
    pub(super) fn run(self) -> Result<(), Error> {
        let taken = self.consumer.subscribe(&[&self.owned.topic]).and_then(|()| self.take_records());
        self.finish_work();
        self.last_commit();
        // Dropping the client leaves the group.
        drop(self.consumer);
        taken.map_err(|source| Error::Consume { topic: self.owned.topic.to_string(), source })
    }

    fn take_records(&self) -> Result<(), KafkaError> {
        let mut paused = HashSet::new();
        let mut next_commit = Instant::now();
        let mut next_question = Instant::now();
        while !self.terms.stop.is_cancelled() && !self.terms.abandon.is_cancelled() {
            self.resume(&mut paused)?;
            let wait = if paused.is_empty() { WAIT } else { SHORT_WAIT };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    self.owned.connection.answered();
                    if let Some(partition) = self.owned.get(message.partition()) {
                        if let Some(lane) = partition.take(Message::copied(&self.owned.topic, &message)) {
                            (self.start)(Arc::clone(&partition), lane);
                        }
                        drop(message);
                        self.hold_back(&partition, &mut paused);
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

    /// Waits for room after a record of `partition` was taken; pauses where none comes.
    fn hold_back(&self, partition: &Arc<Partition>, paused: &mut HashSet<i32>) {
        let bounds = &self.terms.bounds;
        let full: Vec<Arc<Partition>> = if !self.owned.room.wait(bounds, PATIENCE) {
            self.owned.all()
        } else if partition.is_full(bounds) && !partition.wait_drained(bounds, PATIENCE_WITH_ONE) {
            vec![Arc::clone(partition)]
        } else {
            return;
        };
        self.owned.metrics.pauses.inc();
        match self.consumer.pause(&self.owned.list(&full)) {
            Ok(()) => paused.extend(full.iter().map(|partition| partition.number)),
            // Then the next record waits as long again.
            Err(error) => tracing::warn!(topic = &*self.owned.topic, %error, "could not pause"),
        }
    }

    /// Resumes paused partitions that have room again, or that are no longer ours.
    fn resume(&self, paused: &mut HashSet<i32>) -> Result<(), KafkaError> {
        let bounds = &self.terms.bounds;
        if paused.is_empty() || !self.owned.room.has_drained(bounds) {
            return Ok(());
        }
        let mut drained = Vec::new();
        paused.retain(|number| match self.owned.get(*number) {
            Some(partition) if partition.has_drained(bounds) => {
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
        self.owned.closing.store(true, Ordering::Release);
    }
}
