use std::{sync::Arc, time::Duration};

use common::{
    backoff,
    redis::{
        self, RedisConfig,
        deadpool_redis::{Pool, PoolError, redis::AsyncCommands},
    },
    service::Dependency,
};
use futures_util::StreamExt;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use twilight_model::id::{Id, marker::ApplicationMarker};

/// The channel of Redis on which changes of customers' bots are published. A message is the bot's id, for whoever reads
/// along: it only wakes the processes, which then read the table.
pub const SIGNAL: &str = "whitelabel:changed";

/// Wakes whoever holds customers' bots: the row of one of them was changed, and committed.
///
/// # Errors
///
/// When Redis does not answer; the change is then found by the next sweep.
pub async fn announce(pool: &Pool, channel: &str, bot: Id<ApplicationMarker>) -> Result<(), PoolError> {
    let mut redis = pool.get().await?;
    let _receivers: u64 = redis.publish(channel, bot.get()).await?;
    Ok(())
}

/// Wakes at each signal, and whenever signals may have been missed, until the stop.
pub(super) async fn listen(
    redis: RedisConfig,
    channel: String,
    wake: Arc<Notify>,
    health: Dependency,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listening = async {
        let mut waits = None;
        loop {
            match redis::subscribe(&redis, &channel).await {
                Ok(mut signals) => {
                    if waits.take().is_some() {
                        tracing::info!("changes of bots are signalled again");
                    }
                    health.up();
                    wake.notify_one();
                    while signals.next().await.is_some() {
                        wake.notify_one();
                    }
                    health.down("the connection for signals ended");
                }
                Err(error) => {
                    health.down(format_args!("no signals: {error}"));
                    if waits.is_none() {
                        tracing::warn!("changes of bots are not signalled but found by sweeps: {error}");
                    }
                }
            }
            let waits =
                waits.get_or_insert_with(|| backoff::exponential(Duration::from_millis(200), Duration::from_secs(5)));
            sleep(waits.next().unwrap_or_default()).await;
        }
    };
    shutdown.run_until_cancelled(listening).await.unwrap_or(Ok(()))
}
