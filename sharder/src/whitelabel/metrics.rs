use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// What is counted beside what every shard counts.
#[derive(Clone)]
pub(super) struct Metrics {
    /// `whitelabel_bots{state}`: `running`, `waiting` (to start again after a failure), `refused`, `disabled`.
    pub(super) bots: IntGaugeVec,
    /// `whitelabel_refusals_total{code}`: bots that Discord refused for good.
    pub(super) refusals: IntCounterVec,
    /// `whitelabel_failures_total`: bots that failed otherwise and start again.
    pub(super) failures: IntCounter,
    /// `whitelabel_notices_total{result}`: `told`, `undeliverable`, `failed` (and tried again), `no_token`.
    pub(super) notices: IntCounterVec,
    /// `whitelabel_sweeps_total{result}`: looks at the table.
    pub(super) sweeps: IntCounterVec,
}

impl Metrics {
    /// Registers the counters.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let bots =
            IntGaugeVec::new(Opts::new("whitelabel_bots", "Customers' bots of this process by state"), &["state"])?;
        registry.register(Box::new(bots.clone()))?;
        for state in ["running", "waiting", "refused", "disabled"] {
            bots.with_label_values(&[state]).set(0);
        }
        let failures = IntCounter::new("whitelabel_failures_total", "Times that a bot failed and was to start again")?;
        registry.register(Box::new(failures.clone()))?;
        Ok(Self {
            bots,
            refusals: counters("whitelabel_refusals_total", "Bots that Discord refused for good, by code", "code")?,
            failures,
            notices: counters("whitelabel_notices_total", "Notices to owners of refused bots, by result", "result")?,
            sweeps: counters("whitelabel_sweeps_total", "Looks at the table of bots, by result", "result")?,
        })
    }

    /// Counts a bot in this state until the answer is dropped.
    pub(super) fn stay(&self, state: &'static str) -> Stay {
        let gauge = self.bots.with_label_values(&[state]);
        gauge.inc();
        Stay(gauge)
    }
}

/// One bot in one state.
pub(super) struct Stay(prometheus::IntGauge);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
