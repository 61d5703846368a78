//! What the gate counts.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use common::discord::gate::Refused;

use crate::limiter::{Limit, Limiter, No};

/// From "at once" to the default deadline and beyond.
const BUCKETS: [f64; 11] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The counters.
#[derive(Clone)]
pub struct Metrics {
    requests: IntCounterVec,
    limited: IntCounterVec,
    refused: IntCounterVec,
    waits: Histogram,
}

impl Metrics {
    /// Registers the counters, and the gauges of how the limiter stands.
    ///
    /// # Errors
    ///
    /// When one of the names is registered already.
    pub fn new(registry: &Registry, limiter: &Limiter) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let requests = counter(
            "resolver_requests_total",
            "Requests sent to Discord, by route and HTTP status; none: no answer",
            &["route", "status"],
        )?;
        let limited = counter("resolver_limited_total", "Answers 429 of Discord, by what they limit", &["scope"])?;
        let refused = counter("resolver_refused_total", "Calls that were not sent, by why", &["why"])?;
        let opts = HistogramOpts::new("resolver_wait_seconds", "How long calls waited for their turn");
        let waits = Histogram::with_opts(opts.buckets(BUCKETS.to_vec()))?;
        registry.register(Box::new(waits.clone()))?;
        registry.register(Box::new(Standing::new(limiter)?))?;
        Ok(Self { requests, limited, refused, waits })
    }

    pub(crate) fn sent(&self, route: &str, status: &str) {
        self.requests.with_label_values(&[route, status]).inc();
    }

    pub(crate) fn limited(&self, limit: Limit) {
        self.limited.with_label_values(&[limit.as_str()]).inc();
    }

    pub(crate) fn waited(&self, wait: Duration) {
        self.waits.observe(wait.as_secs_f64());
    }

    pub(crate) fn refused(&self, no: &No) {
        let why = match no {
            No::Wait { why, .. } => *why,
            No::Remembered(_) => Refused::Remembered,
        };
        self.refused.with_label_values(&[why.as_str()]).inc();
    }
}

/// How the limiter stands at the moment of asking.
struct Standing {
    limiter: Limiter,
    invalid: prometheus::IntGauge,
    breaker: prometheus::IntGauge,
    queue: prometheus::IntGauge,
    remaining: prometheus::IntGauge,
}

impl Standing {
    fn new(limiter: &Limiter) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| prometheus::IntGauge::new(name, help);
        Ok(Self {
            limiter: limiter.clone(),
            invalid: gauge(
                "resolver_invalid_requests",
                "Requests of the last ten minutes that Discord counts as invalid: 10,000 get the address banned",
            )?,
            breaker: gauge(
                "resolver_breaker",
                "How far the breaker is open: 0 closed, 1 more than 2,000 invalid requests, 2 what nobody waits for is \
                 not sent, 3 nothing is",
            )?,
            queue: gauge("resolver_queue", "Calls that wait for their turn")?,
            remaining: gauge("resolver_global_remaining", "Requests that the bot with the fewest may send at once")?,
        })
    }

    fn gauges(&self) -> [&prometheus::IntGauge; 4] {
        [&self.invalid, &self.breaker, &self.queue, &self.remaining]
    }
}

impl Collector for Standing {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let bots = self.limiter.bots();
        self.invalid.set(whole(self.limiter.invalid()));
        self.breaker.set(self.limiter.breaker() as i64);
        self.queue.set(whole(bots.iter().map(|bot| bot.waiting).sum()));
        self.remaining.set(bots.iter().map(|bot| whole(bot.free)).min().unwrap_or(0));
        self.gauges().into_iter().flat_map(Collector::collect).collect()
    }
}
