//! What is counted.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

/// Counters of the service.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// `cache_updates_total{result}`: `applied`, `late` (older than what is known, or again), `known` (a rider that says
    /// nothing new).
    pub(crate) updates: IntCounterVec,
    /// `cache_batch_updates`: updates in a transaction.
    pub(crate) batch: Histogram,
    /// `cache_batch_seconds`: how long one takes.
    pub(crate) seconds: Histogram,
}

impl Metrics {
    /// Makes and registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let updates = Opts::new("cache_updates_total", "Updates of guilds, by what became of them");
        let batch = HistogramOpts::new("cache_batch_updates", "Updates in a transaction")
            .buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
        let seconds = HistogramOpts::new("cache_batch_seconds", "Time of a transaction");
        let metrics = Self {
            updates: IntCounterVec::new(updates, &["result"])?,
            batch: Histogram::with_opts(batch)?,
            seconds: Histogram::with_opts(seconds)?,
        };
        registry.register(Box::new(metrics.updates.clone()))?;
        registry.register(Box::new(metrics.batch.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn count(&self, result: &str) {
        self.updates.with_label_values(&[result]).inc();
    }
}
