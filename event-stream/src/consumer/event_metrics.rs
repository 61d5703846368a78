//! What every consumer of a process counts together, by priority and kind of event.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::attempts::How;
use crate::{
    kind::{Each, Kind, Priority},
    metrics::{counters, histograms},
};

/// Milliseconds, from what nobody notices to what somebody is called for.
const BUCKETS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 15_000.0, 60_000.0];

/// How events fare, by priority: one set of metrics for all consumers of a process ([`Consumer::with_event_metrics`]).
///
/// [`Consumer::with_event_metrics`]: crate::Consumer::with_event_metrics
#[derive(Clone, Debug)]
pub struct EventMetrics {
    events: IntCounterVec,
    errors: IntCounterVec,
    waits: HistogramVec,
    blocks: HistogramVec,
    wait: Each<Histogram>,
    block: Each<Histogram>,
}

impl EventMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    ///
    /// When the registry has them already.
    pub fn register(registry: &Registry) -> Result<EventMetrics, prometheus::Error> {
        let metrics = EventMetrics::default();
        registry.register(Box::new(metrics.events.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.waits.clone()))?;
        registry.register(Box::new(metrics.blocks.clone()))?;
        Ok(metrics)
    }

    /// A record came into a queue, or left it: `result` is one of a few words.
    pub(super) fn event(&self, kind: Kind, result: &'static str) {
        self.events.with_label_values(&[kind.priority.as_str(), kind.name, result]).inc();
    }

    pub(super) fn error(&self, kind: Kind, how: How) {
        self.errors.with_label_values(&[kind.priority.as_str(), kind.name, how.as_str()]).inc();
    }

    /// From being taken from Kafka to the first call of the handler.
    pub(super) fn waited(&self, priority: Priority, time: Duration) {
        self.wait[priority].observe(milliseconds(time));
    }

    /// A queue was full for so long.
    pub(super) fn blocked(&self, priority: Priority, time: Duration) {
        self.block[priority].observe(milliseconds(time));
    }
}

/// Metrics that no registry shows.
impl Default for EventMetrics {
    fn default() -> EventMetrics {
        let labels = &["priority", "event_type", "result"];
        let buckets = |name, help| HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        let waits = buckets("bot_queue_wait_ms", "Milliseconds that events waited for the first call of their handler");
        let waits = histograms(waits, &["priority"]);
        let blocks =
            buckets("bot_queue_enqueue_block_ms", "Milliseconds that fetching waited because a queue was full");
        let blocks = histograms(blocks, &["priority"]);
        EventMetrics {
            events: counters(Opts::new("bot_events_total", "Events taken into a queue, and how they ended"), labels),
            errors: counters(Opts::new("bot_handler_errors_total", "Calls of handlers that failed"), labels),
            wait: Each::new(|priority| waits.with_label_values(&[priority.as_str()])),
            block: Each::new(|priority| blocks.with_label_values(&[priority.as_str()])),
            waits,
            blocks,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
