//! What a consumer counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::{
    dead_letters::Class,
    metrics::{counter, counters, gauge},
};

pub(super) struct Metrics {
    consumed: IntCounterVec,
    dead: IntCounterVec,
    pub(super) retries: IntCounter,
    pub(super) pauses: IntCounter,
    pub(super) partitions: IntGauge,
    pub(super) in_flight: IntGauge,
    pub(super) handled: IntCounter,
    pub(super) abandoned: IntCounter,
}

impl Metrics {
    pub(super) fn new(topic: &'static str) -> Metrics {
        let named = |name: &str, help: &str| Opts::new(name, help).const_label("topic", topic);
        let consumed =
            counters(named("events_consumed_total", "Records taken from Kafka, by how they ended"), &["result"]);
        let dead = counters(named("dead_letters_total", "Records given up, by why"), &["class"]);
        for class in Class::ALL {
            dead.with_label_values(&[class.as_str()]);
        }
        Metrics {
            handled: consumed.with_label_values(&["handled"]),
            abandoned: consumed.with_label_values(&["abandoned"]),
            retries: counter(named("event_retries_total", "Attempts of a handler that failed")),
            pauses: counter(named("consumer_pauses_total", "Times that fetching paused because work piled up")),
            partitions: gauge(named("consumer_partitions", "Partitions that this consumer owns")),
            in_flight: gauge(named("consumer_in_flight", "Records taken and not finished")),
            consumed,
            dead,
        }
    }

    pub(super) fn died(&self, class: Class) {
        self.consumed.with_label_values(&["dead"]).inc();
        self.dead.with_label_values(&[class.as_str()]).inc();
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.consumed.clone()))?;
        registry.register(Box::new(self.dead.clone()))?;
        registry.register(Box::new(self.retries.clone()))?;
        registry.register(Box::new(self.pauses.clone()))?;
        registry.register(Box::new(self.partitions.clone()))?;
        registry.register(Box::new(self.in_flight.clone()))
    }
}
