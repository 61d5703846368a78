//! The partitions that this consumer owns, and what happens when they come and go.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
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
    event_metrics::EventMetrics,
    gate::Gate,
    lag::Lag,
    metrics::Metrics,
    partition::{Partition, Rules},
    room::Room,
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
    event_metrics: OnceLock<EventMetrics>,
    partitions: Mutex<Partitions>,
    // The last commit of a stop was tried: closing the client, which takes every partition, tries no other.
    pub(super) closing: AtomicBool,
}

#[derive(Default)]
struct Partitions {
    owned: HashMap<i32, Arc<Partition>>,
    // Not ours any more, and a handler that blocks its thread goes on with a record all the same.
    lingering: Vec<Arc<Partition>>,
}

/// What a run obeys.
pub(super) struct Terms {
    pub(super) bounds: Bounds,
    /// Who may call the handler next.
    pub(super) gate: Arc<Gate>,
    /// Take no more, finish what runs, leave.
    pub(super) stop: CancellationToken,
    /// Drop everything, leave.
    pub(super) abandon: CancellationToken,
}

impl Terms {
    pub(super) fn new(bounds: Bounds, at_once: usize, stop: CancellationToken) -> Terms {
        Terms { gate: Arc::new(Gate::new(at_once, &bounds)), bounds, stop, abandon: CancellationToken::new() }
    }
}

impl Owned {
    pub(super) fn new(topic: Arc<str>, metrics: Metrics) -> Owned {
        Owned {
            topic,
            terms: ArcSwap::from_pointee(Terms::new(Bounds::default(), 1, CancellationToken::new())),
            room: Arc::default(),
            connection: Connection::default(),
            metrics,
            event_metrics: OnceLock::new(),
            partitions: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Counts events there; the first metrics stay.
    pub(super) fn count_in(&self, metrics: EventMetrics) {
        let _ = self.event_metrics.set(metrics);
    }

    pub(super) fn event_metrics(&self) -> &EventMetrics {
        self.event_metrics.get_or_init(EventMetrics::default)
    }

    pub(super) fn get(&self, number: i32) -> Option<Arc<Partition>> {
        self.partitions().owned.get(&number).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Partition>> {
        self.partitions().owned.values().cloned().collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.partitions().owned.len()
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
        self.metrics.rebalances.inc();
        let owned = self.begin(list.elements().iter().map(|element| element.partition()));
        tracing::info!(topic = &*self.topic, assigned = list.count(), owned, "partitions assigned");
    }

    /// Begins with these partitions. What runs of their earlier assignments ends first. Returns how many are owned now.
    pub(super) fn begin(&self, numbers: impl Iterator<Item = i32>) -> usize {
        let terms = self.terms.load();
        let mut partitions = self.partitions();
        for number in numbers {
            // Kafka does not give what we have; if it did, two lives of a partition would work side by side.
            if let Some(before) = partitions.owned.remove(&number) {
                before.abandon();
                partitions.lingering.push(before);
            }
            partitions.lingering.retain(|earlier| !earlier.is_idle());
            let rules = Rules {
                room: Arc::clone(&self.room),
                gate: Arc::clone(&terms.gate),
                metrics: self.event_metrics().clone(),
                halted: terms.stop.child_token(),
                abandoned: terms.abandon.child_token(),
            };
            let earlier = partitions.lingering.iter().filter(|earlier| earlier.number == number);
            let partition = Arc::new(Partition::new(number, rules, earlier));
            partitions.owned.insert(number, partition);
        }
        self.show(&partitions)
    }

    /// Ceases to own partitions, of whose work not all may have ended. Returns how many are owned now.
    fn end(&self, revoked: &[Arc<Partition>]) -> usize {
        let mut partitions = self.partitions();
        for partition in revoked {
            partitions.owned.remove(&partition.number);
            if !partition.is_idle() {
                partitions.lingering.push(Arc::clone(partition));
            }
            self.metrics.forget(partition.number);
        }
        self.show(&partitions)
    }

    fn show(&self, partitions: &Partitions) -> usize {
        let owned = partitions.owned.len();
        self.metrics.partitions.set(i64::try_from(owned).unwrap_or(i64::MAX));
        owned
    }

    /// Shows how far a partition is behind, unless it is gone meanwhile.
    pub(super) fn show_lag(&self, partition: &Arc<Partition>, lag: Lag) {
        let partitions = self.partitions();
        if partitions.owned.get(&partition.number).is_some_and(|owned| Arc::ptr_eq(owned, partition)) {
            self.metrics.lags(partition.number, lag);
        }
    }

    /// Ends all work on partitions before somebody else gets them.
    fn revoked(&self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) {
        self.metrics.rebalances.inc();
        let revoked: Vec<_> = list.elements().iter().filter_map(|element| self.get(element.partition())).collect();
        // Lost means that somebody else may work on them already.
        let lost = consumer.assignment_lost();
        let grace = if lost { Duration::ZERO } else { self.terms.load().bounds.revoke_grace };
        // At the end the work had its time, and what was finished is committed as far as it can be.
        if !self.closing.load(Ordering::Acquire) {
            end_work(&revoked, grace);
            if !lost {
                self.commit(consumer, &revoked);
            }
        }
        let owned = self.end(&revoked);
        tracing::info!(topic = &*self.topic, revoked = revoked.len(), owned, lost, "partitions revoked");
    }

    fn partitions(&self) -> MutexGuard<'_, Partitions> {
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use model::topics::GatewayEvent;
    use rdkafka::{
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };
    use tokio::{sync::mpsc, time::timeout};

    use super::*;
    use crate::{
        Consumer, GatewayEvents, KafkaConfig, Producer, Profile,
        envelope::{Headers, Message},
        kind::Kind,
        testing,
    };

    fn owned() -> Owned {
        Owned::new("t".into(), Metrics::new("test"))
    }

    fn running(partition: &Arc<Partition>) -> impl Drop + use<> {
        let headers = Headers::default();
        let message = Message { topic: "t".into(), partition: 0, offset: 0, key: None, headers, payload: None };
        let lane = partition.take(message, Kind::OTHER, 0).unwrap();
        partition.next(&lane).unwrap()
    }

    #[tokio::test]
    async fn a_partition_that_comes_back_waits_for_what_still_runs_of_it_and_for_nothing_else() {
        let owned = owned();
        assert_eq!(owned.begin([0, 1].into_iter()), 2);
        let (zero, one) = (owned.get(0).unwrap(), owned.get(1).unwrap());
        let blocked = running(&zero);
        let revoked = [zero, one];
        revoked.iter().for_each(|partition| partition.abandon());
        assert_eq!(owned.end(&revoked), 0);

        owned.begin([0, 1].into_iter());
        assert!(owned.get(1).unwrap().may_begin().await);
        let again = owned.get(0).unwrap();
        let mut begun = Box::pin(again.may_begin());
        assert!(futures_util::poll!(&mut begun).is_pending());
        drop(blocked);
        assert!(begun.await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_work_on_a_lost_partition_is_dropped_at_once_and_begins_again_with_the_next_assignment() {
        let cluster = MockCluster::new(1).unwrap();
        let session_timeout = Some(Duration::from_secs(3));
        let config = KafkaConfig { session_timeout, ..KafkaConfig::at(cluster.bootstrap_servers()) };
        cluster.create_topic(&config.events_topic, 1, 1).unwrap();
        let producer = Producer::connect(&config, "test", Profile::Interactive).await.unwrap();
        for sequence in 1..=2 {
            producer.send::<GatewayEvents>(&testing::event(1, sequence)).await.unwrap();
        }
        // What would be waited for, were the partition not lost.
        let bounds = Bounds { revoke_grace: Duration::from_secs(3_600), ..Bounds::default() };
        let consumer =
            Consumer::<GatewayEvents>::connect(&config, "test", &producer).await.unwrap().with_bounds(bounds);
        let (begun, mut calls) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let first = AtomicBool::new(true);
        let handler = move |event: GatewayEvent, _| {
            let stuck = first.swap(false, Ordering::SeqCst);
            begun.send(event.sequence).unwrap();
            async move { if stuck { pending().await } else { Ok(()) } }
        };
        let running = tokio::spawn(consumer.run(stop.clone(), 4, handler));
        let mut next = async || timeout(Duration::from_secs(30), calls.recv()).await.unwrap().unwrap();
        assert_eq!(next().await, 1);
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
        cluster.request_errors(RDKafkaApiKey::Heartbeat, &[unknown]);
        // Nothing was finished, so nothing was committed: all of it comes again, in its order.
        assert_eq!(next().await, 1);
        assert_eq!(next().await, 2);
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_partition_that_is_given_twice_has_one_life_at_a_time() {
        let owned = owned();
        owned.begin([0].into_iter());
        let first = owned.get(0).unwrap();
        let work = running(&first);
        assert_eq!(owned.begin([0].into_iter()), 1);
        assert!(first.abandoned.is_cancelled());
        let second = owned.get(0).unwrap();
        let mut begun = Box::pin(second.may_begin());
        assert!(futures_util::poll!(&mut begun).is_pending());
        drop(work);
        assert!(begun.await);
    }
}
