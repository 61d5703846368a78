//! `SHARDER_TOTAL=auto`: how many shards a bot has, agreed on by all processes.
//!
//! Two processes that count differently would hold guilds twice, or not at all. So the first one writes what Discord
//! recommends to Redis, under `sharder:total:{bot}`, and all others take it from there, also after a restart: another
//! total costs an IDENTIFY of every shard, and when to pay that is for a person to say.

use std::{convert::Infallible, time::Duration};

use common::{
    discord::Discord,
    redis::deadpool_redis::{
        Pool, PoolError,
        redis::{RedisError, pipe},
    },
};
use tokio::time::sleep;
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::{gateway::GatewayInfo, identify::Allowance, metrics::Metrics};

/// How often a running process looks whether things have changed.
const EVERY: Duration = Duration::from_secs(600);

/// The agreed number of shards of each bot.
#[derive(Clone)]
pub struct Totals(Pool);

/// The number could not be agreed on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to Redis.
    #[error("get a connection to Redis")]
    Connect(#[from] PoolError),
    /// Redis refused, or the connection broke.
    #[error("agree on the number of shards of bot {bot}")]
    Command {
        /// The bot.
        bot: Id<ApplicationMarker>,
        /// What Redis said.
        source: RedisError,
    },
}

impl Totals {
    /// The numbers in this Redis.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self(pool)
    }

    /// The number that was agreed on; `proposal` where there is none yet.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn agree(&self, bot: Id<ApplicationMarker>, proposal: u32) -> Result<u32, Error> {
        let mut redis = self.0.get().await?;
        let key = format!("sharder:total:{bot}");
        let agreed = pipe().set_nx(&key, proposal).ignore().get(&key).query_async(&mut redis).await;
        let (agreed,): (u32,) = agreed.map_err(|source| Error::Command { bot, source })?;
        Ok(agreed)
    }
}

/// Looks on, while the process runs, at what Discord recommends, and, with `totals`, at what the others count.
///
/// Both are only said: nothing is sharded anew. What comes along of the limit of IDENTIFYs is told to `allowance`.
pub async fn watch(
    discord: Discord,
    allowance: Allowance,
    bot: Id<ApplicationMarker>,
    total: u32,
    mut recommended: u32,
    totals: Option<Totals>,
    metrics: Metrics,
) -> Infallible {
    compare(total, 0, recommended, &metrics);
    let mut agreed = total;
    loop {
        sleep(EVERY).await;
        if let Ok(info) = discord.get_json::<GatewayInfo>("gateway/bot").await {
            compare(total, std::mem::replace(&mut recommended, info.shards), info.shards, &metrics);
            allowance.tell(info.session_start_limit).await;
        }
        // Also writes ours again where Redis has lost it.
        if let Some(totals) = &totals
            && let Ok(other) = totals.agree(bot, total).await
            && other != std::mem::replace(&mut agreed, other)
            && other != total
        {
            tracing::error!(
                total,
                other,
                "this process counts {total} shards and others {other}: stop all, then start them again"
            );
        }
    }
}

/// Says where Discord's recommendation changed to more shards than there are: beyond 2,500 guilds a shard is refused.
fn compare(total: u32, before: u32, recommended: u32, metrics: &Metrics) {
    metrics.recommended.set(recommended.into());
    if before != recommended && total < recommended {
        tracing::warn!(total, recommended, "Discord recommends {recommended} shards, there are {total}");
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn what_discord_recommends_is_shown_and_changes_nothing_else() {
        let metrics = Metrics::new(&Registry::new()).unwrap();
        compare(3, 0, 3, &metrics);
        assert_eq!(metrics.recommended.get(), 3);
        compare(3, 3, 5, &metrics);
        assert_eq!(metrics.recommended.get(), 5);
    }
}
