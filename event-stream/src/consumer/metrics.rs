//! What the consumer of one topic counts.

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::lag::Lag;
use crate::{
    dead_letters::Class,
    metrics::{counter, counters, fractions, gauge, gauges},
};

pub(super) struct Metrics {
    dead: IntCounterVec,
    pub(super) pauses: IntCounter,
    pub(super) rebalances: IntCounter,
    pub(super) partitions: IntGauge,
    pub(super) in_flight: IntGauge,
    lag_messages: IntGaugeVec,
    lag_seconds: GaugeVec,
}

impl Metrics {
    pub(super) fn new(topic: &'static str) -> Metrics {
        let named = |name: &str, help: &str| Opts::new(name, help).const_label("topic", topic);
        let dead = counters(named("dead_letters_total", "Records given up, by why"), &["class"]);
        for class in Class::ALL {
            dead.with_label_values(&[class.as_str()]);
        }
        let lag_seconds = named("consumer_lag_seconds", "Age of the oldest record of a partition that is not finished");
        Metrics {
            pauses: counter(named("consumer_pauses_total", "Times that fetching paused because work piled up")),
            rebalances: counter(named("consumer_rebalances_total", "Times that the group gave or took partitions")),
            partitions: gauge(named("consumer_partitions", "Partitions that this consumer owns")),
            in_flight: gauge(named("consumer_in_flight", "Records taken and not finished")),
            lag_messages: gauges(
                named("consumer_lag_messages", "Records of a partition that are not finished"),
                &["partition"],
            ),
            lag_seconds: fractions(lag_seconds, &["partition"]),
            dead,
        }
    }

    pub(super) fn died(&self, class: Class) {
        self.dead.with_label_values(&[class.as_str()]).inc();
    }

    pub(super) fn lags(&self, partition: i32, lag: Lag) {
        let partition = partition.to_string();
        if let Some(messages) = lag.messages {
            self.lag_messages.with_label_values(&[&partition]).set(messages);
        }
        self.lag_seconds.with_label_values(&[&partition]).set(lag.seconds);
    }

    /// Somebody else tells of this partition now.
    pub(super) fn forget(&self, partition: i32) {
        let partition = partition.to_string();
        // An error says that there was nothing to remove.
        let _ = self.lag_messages.remove_label_values(&[&partition]);
        let _ = self.lag_seconds.remove_label_values(&[&partition]);
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.dead.clone()))?;
        registry.register(Box::new(self.pauses.clone()))?;
        registry.register(Box::new(self.rebalances.clone()))?;
        registry.register(Box::new(self.partitions.clone()))?;
        registry.register(Box::new(self.in_flight.clone()))?;
        registry.register(Box::new(self.lag_messages.clone()))?;
        registry.register(Box::new(self.lag_seconds.clone()))
    }
}
