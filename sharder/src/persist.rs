//! Writes a shard's position to Redis while it moves.

use std::time::Duration;

use anyhow::Context;
use common::{backoff, service::Dependency};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{metrics::Metrics, sessions::Sessions, window::Position};

/// The least time between two writes; with the time of a write it stays below 250 ms.
const EVERY: Duration = Duration::from_millis(200);
/// How long one write may take.
const WRITE: Duration = Duration::from_secs(2);
/// How long the last write is tried once the shard has stopped.
const LAST: Duration = Duration::from_secs(5);

/// Writes each new position, at most every 200 ms, until the sender is gone; then the last one.
///
/// While Redis is away it tries on and the position goes on moving in memory: a crash then repeats more events, and
/// loses none.
///
/// # Errors
///
/// When the last position could not be written.
pub async fn positions(
    sessions: &Sessions,
    shard: u32,
    mut latest: watch::Receiver<Option<Position>>,
    redis: &Dependency,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    while latest.changed().await.is_ok() {
        write(sessions, shard, &mut latest, redis, metrics).await?;
        if !is_closed(&latest) {
            sleep(EVERY).await;
        }
    }
    Ok(())
}

/// Writes the newest position, again and again until it is written.
async fn write(
    sessions: &Sessions,
    shard: u32,
    latest: &mut watch::Receiver<Option<Position>>,
    redis: &Dependency,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let mut waits = backoff::exponential(Duration::from_millis(50), Duration::from_secs(1));
    let mut failed = false;
    let mut give_up = None;
    loop {
        let position = latest.borrow_and_update().clone();
        let error = match timeout(WRITE, sessions.save(shard, position.as_ref())).await {
            Ok(Ok(())) => {
                metrics.saves.with_label_values(&["saved"]).inc();
                if failed {
                    redis.up();
                    tracing::info!(shard, "the session of shard {shard} is stored again");
                }
                return Ok(());
            }
            Ok(Err(error)) => anyhow::Error::from(error),
            Err(_elapsed) => anyhow::anyhow!("Redis does not answer"),
        };
        metrics.saves.with_label_values(&["failed"]).inc();
        if !std::mem::replace(&mut failed, true) {
            redis.down(format_args!("{error:#}"));
            tracing::warn!(
                shard,
                "the session of shard {shard} cannot be stored, a crash now would repeat events: {error:#}"
            );
        }
        if is_closed(latest) && Instant::now() >= *give_up.get_or_insert_with(|| Instant::now() + LAST) {
            return Err(error).with_context(|| format!("store where shard {shard} stopped"));
        }
        sleep(waits.next().unwrap_or(EVERY)).await;
    }
}

fn is_closed(latest: &watch::Receiver<Option<Position>>) -> bool {
    latest.has_changed().is_err()
}
