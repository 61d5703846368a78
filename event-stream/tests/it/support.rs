//! Topics, records and running consumers for the tests.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

pub(crate) use event_stream::testing::event;
use event_stream::{
    Bounds, Consumer, Error, EventMetrics, Failure, GatewayEvents, KafkaConfig, Meta, Producer, Retries, ensure_topics,
    testing,
};
use model::topics::GatewayEvent;
use prometheus::{
    Registry,
    proto::{Metric, MetricType},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A test waits this long for a state before it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Topics of one test.
pub(crate) struct Kafka {
    pub(crate) config: KafkaConfig,
    pub(crate) producer: Producer,
}

impl Kafka {
    pub(crate) async fn new() -> Kafka {
        Kafka::with_partitions(4).await
    }

    pub(crate) async fn with_partitions(partitions: i32) -> Kafka {
        let config = KafkaConfig { partitions, ..testing::config() };
        ensure_topics(&config).await.unwrap();
        let producer = testing::producer(&config).await.unwrap();
        Kafka { config, producer }
    }

    /// Sends the records all at once, each guild's in order.
    pub(crate) async fn send(&self, events: impl IntoIterator<Item = GatewayEvent>) {
        let deliveries: Vec<_> =
            events.into_iter().map(|event| self.producer.enqueue::<GatewayEvents>(&event).unwrap()).collect();
        for delivery in deliveries {
            delivery.await.unwrap();
        }
    }

    pub(crate) async fn consumer(&self) -> Consumer<GatewayEvents> {
        let consumer = Consumer::connect(&self.config, "test", &self.producer).await.unwrap();
        consumer.with_retries(quick_retries())
    }

    /// The group that reads the events.
    pub(crate) fn group(&self) -> String {
        format!("{}.events", self.config.group.as_deref().unwrap_or("test"))
    }

    /// Runs `handler` on the events.
    pub(crate) async fn consume<F>(
        &self,
        bounds: Bounds,
        concurrency: usize,
        handler: impl Fn(GatewayEvent, Meta) -> F + Send + Sync + 'static,
    ) -> Running
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let consumer = self.consumer().await.with_bounds(bounds);
        Running { stop: stop.clone(), task: tokio::spawn(consumer.run(stop, concurrency, handler)) }
    }

    /// Runs `handler` on the events, as [`Kafka::consume`], and shows its metrics.
    pub(crate) async fn observe<F>(
        &self,
        bounds: Bounds,
        concurrency: usize,
        handler: impl Fn(GatewayEvent, Meta) -> F + Send + Sync + 'static,
    ) -> (Running, Metrics)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (stop, registry) = (CancellationToken::new(), Registry::new());
        let consumer = self.consumer().await.with_bounds(bounds);
        consumer.register(&registry).unwrap();
        let consumer = consumer.with_event_metrics(EventMetrics::register(&registry).unwrap());
        let running = Running { stop: stop.clone(), task: tokio::spawn(consumer.run(stop, concurrency, handler)) };
        (running, Metrics(registry))
    }

    /// The dead letters of the events, as they are.
    pub(crate) async fn dead(&self) -> Vec<event_stream::Message> {
        testing::read_raw(&self.config, &testing::dead_letters_of(&self.config.events_topic)).await.unwrap()
    }
}

pub(crate) fn quick_retries() -> Retries {
    Retries { attempts: 3, first: Duration::from_millis(1), longest: Duration::from_millis(2) }
}

/// A consumer at work.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Stops it and waits until it has left the group.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        within(self.task).await.unwrap().unwrap();
    }

    /// Waits for its end, which has to be a failure.
    pub(crate) async fn failure(self) -> Error {
        within(self.task).await.unwrap().unwrap_err()
    }

    /// Begins the stop.
    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Drops its future, as a process that dies drops everything.
    pub(crate) fn drop_now(self) {
        self.task.abort();
    }
}

/// What a consumer shows.
#[derive(Clone)]
pub(crate) struct Metrics(pub(crate) Registry);

impl Metrics {
    /// The values of a metric by its labels, without that of the topic; of a histogram how often something was observed.
    pub(crate) fn all(&self, name: &str) -> BTreeMap<String, f64> {
        let families = self.0.gather();
        let Some(family) = families.iter().find(|family| family.name() == name) else { return BTreeMap::new() };
        let kind = family.get_field_type();
        family.get_metric().iter().map(|metric| (labels(metric), value(metric, kind))).collect()
    }

    /// The sum of them.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.all(name).values().sum()
    }
}

fn labels(metric: &Metric) -> String {
    let labels = metric.get_label().iter().filter(|label| label.name() != "topic");
    labels.map(|label| format!("{}={}", label.name(), label.value())).collect::<Vec<_>>().join(" ")
}

fn value(metric: &Metric, kind: MetricType) -> f64 {
    match kind {
        MetricType::COUNTER => metric.get_counter().get_value(),
        MetricType::HISTOGRAM => f64::from(u32::try_from(metric.get_histogram().get_sample_count()).unwrap()),
        _ => metric.get_gauge().get_value(),
    }
}

/// Guild and sequence of an event.
pub(crate) fn id(event: &GatewayEvent) -> (u64, u64) {
    (event.guild.unwrap().get(), event.sequence)
}

/// What handlers did, in the order in which they did it; can be waited for.
#[derive(Clone)]
pub(crate) struct Log<T>(Arc<watch::Sender<Vec<T>>>);

impl<T: Clone + Send + Sync + 'static> Log<T> {
    pub(crate) fn new() -> Log<T> {
        Log(Arc::new(watch::Sender::new(Vec::new())))
    }

    pub(crate) fn push(&self, entry: T) {
        self.0.send_modify(|entries| entries.push(entry));
    }

    pub(crate) fn entries(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    /// Waits until the entries are as `reached` wants them.
    pub(crate) async fn wait(&self, reached: impl Fn(&[T]) -> bool) -> Vec<T> {
        let mut changes = self.0.subscribe();
        within(changes.wait_for(|entries| reached(entries))).await.unwrap().clone()
    }
}

/// Waits until something that cannot be awaited is so.
#[track_caller]
pub(crate) fn until(reached: impl Fn() -> bool) -> impl Future<Output = ()> {
    within(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !reached() {
            looks.tick().await;
        }
    })
}

/// Asks until something is so.
#[track_caller]
pub(crate) fn until_async(reached: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    within(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while !reached().await {
            looks.tick().await;
        }
    })
}

/// Awaits something that has to happen.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(DEADLINE, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing after {DEADLINE:?}: {caller}"),
        }
    }
}
