//! Waiting for a state: with a deadline, and never for a time.

pub use testing::wait::{until, until_none_left};

/// As [`testing::wait::wait_for`], for as long as the simulator waits.
///
/// # Panics
///
/// When it finds nothing in time.
pub async fn wait_for<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    testing::wait::wait_for(what, discord_sim::sim::PATIENCE, look).await
}
