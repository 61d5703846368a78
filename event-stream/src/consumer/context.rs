//! The partitions that this consumer owns, and what happens when they come and go.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
    statistics::Statistics,
};
use tokio_util::sync::CancellationToken;

use super::{
    bounds::Bounds,
    metrics::Metrics,
    partition::{Partition, Room},
};
use crate::client::{self, Connection};

/// How long abandoned work may take to notice: it does at its next await.
const ABANDONED_GRACE: Duration = Duration::from_secs(5);

/// Shared between librdkafka's callbacks, which run on the polling thread, and the tasks that handle records.
pub(super) struct Owned {
    pub(super) topic: Arc<str>,
    pub(super) terms: ArcSwap<Terms>,
    pub(super) room: Arc<Room>,
    pub(super) connection: Connection,
    pub(super) metrics: Metrics,
    partitions: Mutex<HashMap<i32, Arc<Partition>>>,
    // The last commit of a stop was tried: closing the client, which takes every partition, tries no other.
    pub(super) closing: AtomicBool,
}

/// What a run obeys.
#[derive(Default)]
pub(super) struct Terms {
    pub(super) bounds: Bounds,
    /// Take no more, finish what runs, leave.
    pub(super) stop: CancellationToken,
    /// Drop everything, leave.
    pub(super) abandon: CancellationToken,
}

impl Owned {
    pub(super) fn new(topic: Arc<str>, metrics: Metrics) -> Owned {
        Owned {
            topic,
            terms: ArcSwap::default(),
            room: Arc::default(),
            connection: Connection::default(),
            metrics,
            partitions: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    pub(super) fn get(&self, number: i32) -> Option<Arc<Partition>> {
        self.partitions().get(&number).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Partition>> {
        self.partitions().values().cloned().collect()
    }

    /// These partitions as librdkafka names them.
    pub(super) fn list<'a>(&self, partitions: impl IntoIterator<Item = &'a Arc<Partition>>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition.number);
        }
        list
    }

    /// Commits the offsets of finished work that Kafka does not have yet. Returns whether it has all of them now.
    ///
    /// Waits for the answer, some milliseconds: librdkafka reports the result of a commit in the background only to a
    /// callback that its Rust binding does not set. While no coordinator answers it gives up after the session's time.
    pub(super) fn commit(&self, consumer: &BaseConsumer<Context>, partitions: &[Arc<Partition>]) -> bool {
        let positions: Vec<_> =
            partitions.iter().filter_map(|partition| Some((partition, partition.uncommitted()?))).collect();
        if positions.is_empty() {
            return true;
        }
        let mut list = TopicPartitionList::with_capacity(positions.len());
        let listed = positions.iter().try_for_each(|(partition, position)| {
            list.add_partition_offset(&self.topic, partition.number, Offset::Offset(*position))
        });
        match listed.and_then(|()| consumer.commit(&list, CommitMode::Sync)) {
            Ok(()) => {
                self.connection.answered();
                positions.iter().for_each(|(partition, position)| partition.set_committed(*position));
                true
            }
            Err(error) => {
                // Usual while the group is being divided anew; the next commit carries it.
                tracing::debug!(topic = &*self.topic, %error, "offsets were not committed; trying again");
                false
            }
        }
    }

    fn assigned(&self, list: &TopicPartitionList) {
        let terms = self.terms.load();
        let mut partitions = self.partitions();
        for element in list.elements() {
            let number = element.partition();
            let (halted, abandoned) = (terms.stop.child_token(), terms.abandon.child_token());
            partitions.insert(number, Arc::new(Partition::new(number, Arc::clone(&self.room), halted, abandoned)));
        }
        self.metrics.partitions.set(i64::try_from(partitions.len()).unwrap_or(i64::MAX));
        tracing::info!(topic = &*self.topic, assigned = list.count(), owned = partitions.len(), "partitions assigned");
    }

    /// Ends all work on partitions before somebody else gets them.
    fn revoked(&self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) {
        let revoked: Vec<_> = list.elements().iter().filter_map(|element| self.get(element.partition())).collect();
        // Lost means that somebody else may work on them already.
        let lost = consumer.assignment_lost();
        let grace = if lost { Duration::ZERO } else { self.terms.load().bounds.revoke_grace };
        end_work(&revoked, grace);
        if !lost && !self.closing.load(Ordering::Acquire) {
            self.commit(consumer, &revoked);
        }
        let mut partitions = self.partitions();
        for partition in &revoked {
            partitions.remove(&partition.number);
        }
        self.metrics.partitions.set(i64::try_from(partitions.len()).unwrap_or(i64::MAX));
        tracing::info!(
            topic = &*self.topic,
            revoked = revoked.len(),
            owned = partitions.len(),
            lost,
            "partitions revoked"
        );
    }

    fn partitions(&self) -> MutexGuard<'_, HashMap<i32, Arc<Partition>>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets what runs finish within `grace`, then drops it, and waits until it is gone.
fn end_work(partitions: &[Arc<Partition>], grace: Duration) {
    partitions.iter().for_each(|partition| partition.halt());
    wait_idle(partitions, grace);
    partitions.iter().for_each(|partition| partition.abandon());
    if !wait_idle(partitions, ABANDONED_GRACE) {
        tracing::error!("a handler blocks its thread: it goes on with a record of a partition that is no longer ours");
    }
}

fn wait_idle(partitions: &[Arc<Partition>], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let left = || deadline.saturating_duration_since(Instant::now());
    partitions.iter().all(|partition| partition.wait_idle(left()))
}

/// What librdkafka calls.
pub(super) struct Context(pub(super) Arc<Owned>);

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.0.assigned(list),
            Rebalance::Revoke(list) => self.0.revoked(consumer, list),
            Rebalance::Error(error) => tracing::warn!(topic = &*self.0.topic, %error, "the consumer group failed"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // A partition that was paused when it left may come back paused.
        if let Rebalance::Assign(list) = rebalance
            && let Err(error) = consumer.resume(list)
        {
            tracing::warn!(topic = &*self.0.topic, %error, "could not resume partitions that were assigned");
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        client::log(level, facility, line);
    }

    fn stats(&self, _: Statistics) {}

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.connection.error(&error, reason);
    }
}
