//! What the updater counts.

use prometheus::{IntCounterVec, Opts, Registry};

/// How a rename ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The channel has the name.
    Renamed,
    /// Discord, or the gate, told to wait.
    Limited,
    /// Discord refuses it until a person changes something.
    Refused,
    /// There was no answer, or it was Discord's own failure.
    Failed,
}

impl Outcome {
    /// The label of the metric.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Renamed => "renamed",
            Self::Limited => "limited",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The counters.
#[derive(Clone)]
pub struct Metrics {
    renames: IntCounterVec,
}

impl Metrics {
    /// Registers the counters.
    ///
    /// # Errors
    ///
    /// When one of the names is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new("channel_renames_total", "Renames of the channel, by how they ended");
        let renames = IntCounterVec::new(opts, &["result"])?;
        registry.register(Box::new(renames.clone()))?;
        Ok(Self { renames })
    }

    /// A rename ended so.
    pub fn renamed(&self, outcome: Outcome) {
        self.renames.with_label_values(&[outcome.label()]).inc();
    }
}
