//! The sharder as a whole: the simulator as Discord, a real Redis, a real Kafka.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod door;
mod forwarding;
mod harness;
mod outages;
mod process;
mod refusals;
mod sessions;
