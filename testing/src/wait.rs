//! Waiting for a state: with a deadline, and never for a time.

use std::time::{Duration, Instant};

/// How often a state is looked at that nobody tells of.
const LOOK: Duration = Duration::from_millis(20);

/// Asks again and again until `look` finds something: neither Postgres, Kafka nor another process tells of a change.
///
/// # Errors
///
/// When it finds nothing for `patience`; the text names `what`.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T, String> {
    let began = Instant::now();
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    // Also when a single look hangs.
    tokio::time::timeout(patience, waiting)
        .await
        .map_err(|_| format!("waited {:.1} s in vain for {what}", began.elapsed().as_secs_f64()))
}

/// Waits until nothing is left of something, however long it takes as long as it becomes less. `look` gives how much there
/// is, where that can be known.
///
/// # Errors
///
/// When it has not become less for `patience`; the text names `what`.
pub async fn until_none_left(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Option<u64>,
) -> Result<(), String> {
    let mut least = u64::MAX;
    loop {
        let before = least;
        let less = until(what, patience, async || look().await.filter(|left| *left < before)).await;
        least = less.map_err(|vain| if before == u64::MAX { vain } else { format!("{vain}: {before} are left") })?;
        if least == 0 {
            return Ok(());
        }
    }
}

/// As [`until`], for a test that fails by it.
///
/// # Panics
///
/// When it finds nothing for `patience`.
pub async fn wait_for<T>(what: &str, patience: Duration, look: impl AsyncFnMut() -> Option<T>) -> T {
    match until(what, patience, look).await {
        Ok(found) => found,
        Err(vain) => panic!("{vain}"),
    }
}
