//! The updater between a counter under the test's control and a Discord that counts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod counter;
mod house;
mod limits;
mod outages;
mod process;
mod refusals;
mod renames;
