//! What the gateway counts.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::{interaction::Kind, signature::Refused};

/// Around the usual milliseconds, the worker's budget of 2 s and Discord's limit of 3 s.
const BUCKETS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0];

/// How an interaction was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// By the worker in time, or the answer to a ping.
    Answered,
    /// The click is kept and a worker follows up.
    Deferred,
    /// No suggestions, in place of the worker's.
    NoChoices,
    /// The click could not be kept.
    TryAgain,
}

impl Outcome {
    /// The label of the metric.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Deferred => "deferred",
            Self::NoChoices => "no_choices",
            Self::TryAgain => "try_again",
        }
    }
}

/// The counters.
#[derive(Clone)]
pub struct Metrics {
    interactions: IntCounterVec,
    ack: HistogramVec,
    refused: IntCounterVec,
    signatures: IntCounterVec,
    silences: IntCounterVec,
}

impl Metrics {
    /// Registers the counters.
    ///
    /// # Errors
    ///
    /// When one of the names is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let opts = HistogramOpts::new("interaction_ack_seconds", "From receipt to answer, by result");
        let ack = HistogramVec::new(opts.buckets(BUCKETS.to_vec()), &["result"])?;
        registry.register(Box::new(ack.clone()))?;
        Ok(Self {
            interactions: counter("interactions_total", "Interactions answered", &["kind", "result"])?,
            ack,
            refused: counter("interaction_requests_refused_total", "Requests refused, by HTTP status", &["status"])?,
            signatures: counter("interaction_signature_failures_total", "Requests not from Discord", &["reason"])?,
            silences: counter("worker_silences_total", "Clicks that the worker did not answer", &["reason"])?,
        })
    }

    /// An interaction was answered.
    pub fn answered(&self, kind: Kind, outcome: Outcome, after: Duration) {
        self.interactions.with_label_values(&[kind.label(), outcome.label()]).inc();
        self.ack.with_label_values(&[outcome.label()]).observe(after.as_secs_f64());
    }

    /// The worker had no answer, for this reason.
    pub fn silent(&self, reason: &'static str) {
        self.silences.with_label_values(&[reason]).inc();
    }

    /// A request was refused with this status.
    pub fn refused(&self, status: StatusCode) {
        self.refused.with_label_values(&[status.as_str()]).inc();
    }

    /// A request is not from Discord.
    pub fn refused_signature(&self, why: Refused) {
        self.signatures.with_label_values(&[why.label()]).inc();
    }
}
