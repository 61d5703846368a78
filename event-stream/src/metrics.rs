//! Makes counters whose names and labels are written in this crate.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

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
