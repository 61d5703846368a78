//! The gateway as a whole: over HTTP, with a real Kafka behind it and a worker that behaves as the test wants.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod harness;
mod signatures;
mod start;
