//! What the worker counts. No label ever holds an id or an error's text.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::interaction::Kind;

/// Milliseconds: Discord waits 3,000.
const ACK_BUCKETS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 3_000.0, 15_000.0];

/// The worker's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    ack_ms: HistogramVec,
    /// Tickets opened.
    pub opened: IntCounter,
    /// Tickets closed.
    pub closed: IntCounter,
    /// Tickets that the reconciler finished, by direction: `opening` or `closing`.
    pub reconciled: IntCounterVec,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    ///
    /// When the registry has one of that name already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Metrics {
            ack_ms: HistogramVec::new(
                HistogramOpts::new(
                    "bot_interaction_ack_ms",
                    "Milliseconds from receiving an interaction to its first answer",
                )
                .buckets(ACK_BUCKETS.to_vec()),
                &["kind"],
            )?,
            opened: IntCounter::new("tickets_opened_total", "Tickets opened")?,
            closed: IntCounter::new("tickets_closed_total", "Tickets closed")?,
            reconciled: IntCounterVec::new(
                Opts::new("reconciled_total", "Openings and closings that the reconciler finished"),
                &["direction"],
            )?,
        };
        registry.register(Box::new(metrics.ack_ms.clone()))?;
        registry.register(Box::new(metrics.opened.clone()))?;
        registry.register(Box::new(metrics.closed.clone()))?;
        registry.register(Box::new(metrics.reconciled.clone()))?;
        Ok(metrics)
    }

    /// An interaction had its first answer, so long after it was received: by http-gateway or by the sharder.
    pub fn acknowledged(&self, kind: Kind<'_>, after: Duration) {
        // A ping is no click, and an unknown one has no answer.
        if !matches!(kind, Kind::Ping | Kind::Unknown) {
            self.ack_ms.with_label_values(&[kind.as_str()]).observe(after.as_secs_f64() * 1_000.0);
        }
    }
}
