//! Keeps what is known of the count up to date.

use std::time::Duration;

use common::{backoff, clock::Clock, service::Dependency};
use tokio::time::{Instant, sleep};

use crate::{
    cache::{Cache, Error},
    total::Total,
};

/// The wait after a first failure; further ones grow up to the interval.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Asks the cache for ever. While it has no answer, what is known stays, and `dependency` is down.
pub async fn run(cache: Cache, total: Total, clock: Clock, interval: Duration, dependency: Dependency) {
    let waits = || backoff::exponential(FIRST_WAIT.min(interval), interval);
    let mut failures = waits();
    let mut last: Option<String> = None;
    loop {
        // Its age counts from the question on: nobody knows at which moment after it the cache counted.
        let (asked, as_of) = (Instant::now(), clock.now());
        let wait = match cache.count().await {
            Ok(count) => {
                total.learn(count, asked, as_of);
                dependency.up();
                if last.take().is_some() {
                    tracing::info!("the cache tells the count again: {count}");
                }
                failures = waits();
                interval
            }
            Err(error) => {
                total.miss();
                let key = matches!(error, Error::Key);
                let reason = format!("{:#}", anyhow::Error::from(error));
                dependency.down(&reason);
                if last.as_deref() != Some(&reason) {
                    note(key, &reason);
                }
                last = Some(reason);
                failures.next().unwrap_or(interval)
            }
        };
        sleep(wait.min(interval)).await;
    }
}

/// A key is not mended by waiting.
fn note(key: bool, reason: &str) {
    if key {
        tracing::error!("the cache does not tell the count: {reason}");
    } else {
        tracing::warn!("the cache does not tell the count: {reason}");
    }
}
