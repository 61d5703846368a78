//! The counter beside a cache under the test's control.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod answers;
mod house;
mod outage;
mod process;
