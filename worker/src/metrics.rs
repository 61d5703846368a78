//! What the worker counts. No label ever holds an id or an error's text.

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

/// Milliseconds: Discord waits 3,000.
const ACK_BUCKETS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 3_000.0, 15_000.0];

/// The worker's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// From the click to its first answer, by kind of interaction.
    pub ack_ms: HistogramVec,
    /// Gateway events, by type and result.
    pub events: IntCounterVec,
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
            events: IntCounterVec::new(
                Opts::new("bot_events_total", "Gateway events handled"),
                &["event_type", "result"],
            )?,
            opened: IntCounter::new("tickets_opened_total", "Tickets opened")?,
            closed: IntCounter::new("tickets_closed_total", "Tickets closed")?,
            reconciled: IntCounterVec::new(
                Opts::new("reconciled_total", "Openings and closings that the reconciler finished"),
                &["direction"],
            )?,
        };
        registry.register(Box::new(metrics.ack_ms.clone()))?;
        registry.register(Box::new(metrics.events.clone()))?;
        registry.register(Box::new(metrics.opened.clone()))?;
        registry.register(Box::new(metrics.closed.clone()))?;
        registry.register(Box::new(metrics.reconciled.clone()))?;
        Ok(metrics)
    }
}
