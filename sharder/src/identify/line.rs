use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use common::{
    backoff,
    discord::{self, Discord},
    redis::deadpool_redis::Pool,
};
use tokio::time::{Instant, sleep, sleep_until};
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{Allowance, Asked, Claim, Gate, Left, Settings, Slots};
use crate::metrics::Metrics;

/// How often a bot without any IDENTIFY left asks whether that has changed.
const NONE_LEFT: Duration = Duration::from_secs(60);

/// The line in which the shards of one bot wait for their IDENTIFYs, of all processes. Clones are the same.
#[derive(Clone)]
pub struct Line(Arc<Inner>);

struct Inner {
    slots: Slots,
    allowance: Allowance,
    settings: Settings,
    /// What the operator says of `max_concurrency`, in place of Discord.
    buckets: Option<u16>,
    /// Whether this process has every shard of the bot.
    sole: bool,
    /// When this process identified last, by bucket: what Redis may forget.
    used: Mutex<HashMap<u32, Instant>>,
}

/// The bot of a line.
pub struct Bot {
    /// Its id.
    pub id: Id<ApplicationMarker>,
    /// Discord, with its token.
    pub discord: Discord,
    /// In place of the `max_concurrency` that Discord says.
    pub buckets: Option<u16>,
    /// Whether this process has every shard of it. Its first IDENTIFY of a day then need not wait for others.
    pub sole: bool,
    /// Whether it is the only bot of the process, and the gauges speak of it.
    pub alone: bool,
}

/// Leave for one IDENTIFY, until its lease ends.
#[derive(Debug)]
pub struct Permit(Claim);

impl Permit {
    /// Whether it may still be used.
    #[must_use]
    pub fn holds(&self) -> bool {
        Instant::now() < self.0.until
    }

    /// When it ends.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.0.until
    }
}

impl Line {
    /// The line of this bot.
    #[must_use]
    pub fn new(pool: Pool, bot: Bot, settings: Settings, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            slots: Slots::new(pool, bot.id, settings),
            allowance: Allowance::new(bot.discord, settings, bot.alone, metrics),
            settings,
            buckets: bot.buckets,
            sole: bot.sole,
            used: Mutex::default(),
        }))
    }

    /// The gate of one shard.
    #[must_use]
    pub fn gate(&self, shard: u32) -> Gate {
        Gate::new(self.clone(), shard)
    }

    /// What Discord says about how often the bot may identify.
    #[must_use]
    pub fn allowance(&self) -> &Allowance {
        &self.0.allowance
    }

    /// Waits until this shard may identify.
    ///
    /// # Errors
    ///
    /// When Discord refuses the token.
    pub async fn permit(&self, shard: u32) -> Result<Permit, discord::Error> {
        let mut waits = None;
        loop {
            let left = self.0.allowance.left().await?;
            if left.usable == 0 {
                sleep(left.reset.min(NONE_LEFT).max(Duration::from_secs(1))).await;
                continue;
            }
            let buckets = self.buckets(&left);
            if let Some(own) = self.own(shard % buckets) {
                sleep_until(own).await;
                continue;
            }
            let asked = Asked { shard, buckets, spread: left.spread, untouched: left.untouched && self.0.sole };
            match self.0.slots.ask(asked).await {
                Ok(Ok(claim)) => {
                    if self.own(claim.bucket()).is_none() {
                        return Ok(Permit(claim));
                    }
                    // Another shard of this process has used the bucket, and Redis has forgotten it.
                    self.unused(Permit(claim)).await;
                }
                Ok(Err(wait)) => {
                    waits = None;
                    sleep(wait.min(self.0.settings.patience / 3)).await;
                }
                Err(error) => {
                    let waits = waits.get_or_insert_with(|| {
                        let error = anyhow::Error::from(error);
                        tracing::warn!(shard, "shard {shard} cannot identify without Redis, and waits: {error:#}");
                        backoff::exponential(Duration::from_millis(100), Duration::from_secs(2))
                    });
                    sleep(waits.next().unwrap_or(self.0.settings.lease)).await;
                }
            }
        }
    }

    /// The permit was used, as [`note`](Self::note) has it. Tells Redis, for as long as that matters.
    pub async fn used(&self, permit: Permit) {
        self.0.allowance.spent().await;
        let until = Instant::now() + self.0.settings.unknown();
        let mut waits = backoff::exponential(Duration::from_millis(50), Duration::from_secs(1));
        while self.0.slots.used(&permit.0).await.is_err() && Instant::now() < until {
            sleep(waits.next().unwrap_or_default()).await;
        }
    }

    /// The permit is used now: no other of this process is for that bucket's time, whatever Redis says.
    pub fn note(&self, permit: &Permit) {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner).insert(permit.0.bucket(), Instant::now());
    }

    /// The permit will not be used.
    pub async fn unused(&self, permit: Permit) {
        // Without the word it ends by itself.
        let _ = self.0.slots.unused(&permit.0).await;
    }

    /// Until when this process itself keeps the bucket taken.
    fn own(&self, bucket: u32) -> Option<Instant> {
        let used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        let free = *used.get(&bucket)? + self.0.settings.spacing();
        (Instant::now() < free).then_some(free)
    }

    fn buckets(&self, left: &Left) -> u32 {
        self.0.buckets.map_or(left.max_concurrency, u32::from).max(1)
    }
}
