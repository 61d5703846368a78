//! Makes metrics whose names and labels are written in this crate.

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

const REASON: &str = "prometheus refuses only malformed names, and these are literals that every test makes";

#[expect(clippy::expect_used, reason = "only a malformed name fails, and every name is a literal in this crate")]
pub(crate) fn counters(opts: Opts, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(opts, labels).expect(REASON)
}

#[expect(clippy::expect_used, reason = "only a malformed name fails, and every name is a literal in this crate")]
pub(crate) fn counter(opts: Opts) -> IntCounter {
    IntCounter::with_opts(opts).expect(REASON)
}

#[expect(clippy::expect_used, reason = "only a malformed name fails, and every name is a literal in this crate")]
pub(crate) fn gauge(opts: Opts) -> IntGauge {
    IntGauge::with_opts(opts).expect(REASON)
}

#[expect(clippy::expect_used, reason = "only a malformed name fails, and every name is a literal in this crate")]
pub(crate) fn gauges(opts: Opts, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(opts, labels).expect(REASON)
}

#[expect(clippy::expect_used, reason = "only a malformed name fails, and every name is a literal in this crate")]
pub(crate) fn fractions(opts: Opts, labels: &[&str]) -> GaugeVec {
    GaugeVec::new(opts, labels).expect(REASON)
}

#[expect(clippy::expect_used, reason = "only a malformed name fails, and every name is a literal in this crate")]
pub(crate) fn histograms(opts: HistogramOpts, labels: &[&str]) -> HistogramVec {
    HistogramVec::new(opts, labels).expect(REASON)
}
