//! The sharder as a whole: the simulator as Discord, a real Redis, a real Kafka.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod door;
mod edges;
mod envelope;
mod forwarding;
mod harness;
mod identify;
mod outages;
mod process;
mod range;
mod refusals;
mod sessions;
mod whitelabel;
mod whitelabel_process;
mod whitelabel_town;
