//! Forgets what nobody uses.

use std::time::Duration;

use cache::store::Postgres;
use common::clock::Clock;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_hours(1);
/// Rows of a table that one statement takes: it holds nobody up.
const ROWS: i64 = 1_000;

pub(crate) async fn run(db: Postgres, keep: Duration, clock: Clock, stop: CancellationToken) -> anyhow::Result<()> {
    let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let since_ms = clock.now_ms().saturating_sub(keep_ms);
        loop {
            match stop.run_until_cancelled(db.purge(since_ms, ROWS)).await {
                Some(Ok(purged)) if purged.all() > 0 => {
                    tracing::info!(
                        "forgot {} members and {} users that nobody used, and {} guilds that were left",
                        purged.members,
                        purged.users,
                        purged.places
                    );
                }
                Some(Err(error)) => {
                    tracing::warn!("what nobody uses stays for now: {:#}", anyhow::Error::from(error));
                    break;
                }
                Some(Ok(_)) | None => break,
            }
        }
    }
    Ok(())
}
