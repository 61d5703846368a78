use prometheus::{IntCounterVec, Opts, Registry};

use super::loss::Cause;
use crate::metrics::counters;

/// What the followers of a process count together: after a loss another one takes the place of the first.
#[derive(Clone, Debug)]
pub struct FollowerMetrics {
    records: IntCounterVec,
    losses: IntCounterVec,
}

impl FollowerMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    ///
    /// When the registry has them already.
    pub fn register(registry: &Registry) -> Result<FollowerMetrics, prometheus::Error> {
        let metrics = FollowerMetrics::default();
        registry.register(Box::new(metrics.records.clone()))?;
        registry.register(Box::new(metrics.losses.clone()))?;
        Ok(metrics)
    }

    pub(super) fn handed_out(&self, topic: &'static str, records: usize) {
        self.records.with_label_values(&[topic]).inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    pub(super) fn lost(&self, topic: &'static str, cause: Cause) {
        self.losses.with_label_values(&[topic, cause.as_str()]).inc();
    }
}

/// Metrics that no registry shows.
impl Default for FollowerMetrics {
    fn default() -> FollowerMetrics {
        let records = Opts::new("follower_records_total", "Records of followed topics that were handed out");
        let losses = Opts::new("follower_losses_total", "Times that a follower lost track of its topic, by why");
        FollowerMetrics { records: counters(records, &["topic"]), losses: counters(losses, &["topic", "cause"]) }
    }
}
