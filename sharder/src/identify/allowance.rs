use std::{sync::Arc, time::Duration};

use common::{
    backoff,
    discord::{self, Discord},
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::Settings;
use crate::{
    gateway::{GatewayInfo, StartLimit},
    metrics::Metrics,
};

/// The longest that an answer of Discord is believed while IDENTIFYs are spread, or none is left.
const LOW: Duration = Duration::from_secs(30);

/// How many IDENTIFYs Discord still allows a bot. Clones share it, and one of them asks for all.
#[derive(Clone)]
pub struct Allowance(Arc<Inner>);

struct Inner {
    discord: Discord,
    settings: Settings,
    /// Whether it is the only bot that the gauges speak of.
    alone: bool,
    metrics: Metrics,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    said: Option<(StartLimit, Instant)>,
    low: bool,
}

/// What is left, by Discord's word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Left {
    /// IDENTIFYs in this period, of all processes, but for the last one: Discord punishes "upon hitting this limit".
    pub usable: u32,
    /// The time between any two of them; zero while more than the reserve is left.
    pub spread: Duration,
    /// How long until the period ends.
    pub reset: Duration,
    /// Shards that may identify at once.
    pub max_concurrency: u32,
    /// Nobody has identified in this period.
    pub untouched: bool,
}

impl Allowance {
    /// That of the bot of `discord`. With `alone` the gauges `gateway_identify_remaining` and
    /// `gateway_identify_reserve` are this bot's; `gateway_identify_low` counts every bot.
    #[must_use]
    pub fn new(discord: Discord, settings: Settings, alone: bool, metrics: Metrics) -> Self {
        Self(Arc::new(Inner { discord, settings, alone, metrics, known: Mutex::default() }))
    }

    /// Takes in an answer that somebody else asked for.
    pub async fn tell(&self, limit: StartLimit) {
        self.0.take_in(&mut *self.0.known.lock().await, limit, Instant::now());
    }

    /// What is left, by an answer that is a few seconds old at most. Asks on until Discord answers: without an answer
    /// nobody identifies.
    ///
    /// # Errors
    ///
    /// When Discord refuses the token.
    pub async fn left(&self) -> Result<Left, discord::Error> {
        // The lock is held while Discord is asked: the others wait for the same answer.
        let mut known = self.0.known.lock().await;
        let low = known.low;
        if let Some((limit, at)) = &known.said
            && at.elapsed() < self.0.age(limit, low)
        {
            return Ok(self.0.left(limit, *at));
        }
        let limit = self.ask().await?;
        let left = self.0.left(&limit, Instant::now());
        self.0.take_in(&mut known, limit, Instant::now());
        Ok(left)
    }

    /// An IDENTIFY was sent.
    pub async fn spent(&self) {
        let mut known = self.0.known.lock().await;
        if let Some((mut limit, at)) = known.said.take() {
            limit.remaining = limit.remaining.saturating_sub(1);
            self.0.take_in(&mut known, limit, at);
        }
    }

    async fn ask(&self) -> Result<StartLimit, discord::Error> {
        let mut waits = backoff::exponential(Duration::from_secs(1), Duration::from_secs(30));
        let mut warned = false;
        loop {
            match self.0.discord.get_json::<GatewayInfo>("gateway/bot").await {
                Ok(info) => return Ok(info.session_start_limit),
                Err(error) if error.status() == Some(401) => return Err(error),
                Err(error) => {
                    if !std::mem::replace(&mut warned, true) {
                        let error = anyhow::Error::from(error);
                        tracing::warn!("nobody identifies until Discord says how many IDENTIFYs are left: {error:#}");
                    }
                }
            }
            sleep(waits.next().unwrap_or(LOW)).await;
        }
    }
}

impl Inner {
    fn take_in(&self, known: &mut Known, limit: StartLimit, at: Instant) {
        let Self { settings, alone, metrics, .. } = self;
        let (total, remaining) = (limit.total, limit.remaining);
        let reserve = reserve(&limit, settings.reserve);
        let low = remaining <= reserve;
        if *alone {
            metrics.identify_remaining.set(remaining.into());
            metrics.identify_reserve.set(reserve.into());
        }
        let minutes = limit.reset_after / 60_000;
        match (std::mem::replace(&mut known.low, low), low) {
            (false, true) => {
                metrics.identify_low.inc();
                tracing::error!(
                    remaining,
                    total,
                    "only {remaining} IDENTIFYs are left for the next {minutes} min, and are spread over them: find out \
                     why sessions are lost"
                );
            }
            (true, false) => {
                metrics.identify_low.dec();
                tracing::info!(remaining, total, "{remaining} IDENTIFYs are left for the next {minutes} min");
            }
            _ => {}
        }
        known.said = Some((limit, at));
    }

    /// For how long an answer is believed: longer where the next IDENTIFY is far away.
    fn age(&self, limit: &StartLimit, low: bool) -> Duration {
        let fresh = self.settings.fresh;
        if low { LOW.min(spread(limit) / 2).max(fresh) } else { fresh }
    }

    fn left(&self, limit: &StartLimit, at: Instant) -> Left {
        let low = limit.remaining <= reserve(limit, self.settings.reserve);
        Left {
            usable: usable(limit),
            spread: if low { spread(limit) } else { Duration::ZERO },
            reset: Duration::from_millis(limit.reset_after).saturating_sub(at.elapsed()),
            max_concurrency: limit.max_concurrency.into(),
            untouched: limit.remaining >= limit.total,
        }
    }
}

fn usable(limit: &StartLimit) -> u32 {
    limit.remaining.saturating_sub(1)
}

/// The period shared out among what is left. As of the answer: what the others used since is not known.
fn spread(limit: &StartLimit) -> Duration {
    Duration::from_millis(limit.reset_after) / usable(limit).max(1)
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.known.get_mut().low {
            self.metrics.identify_low.dec();
        }
    }
}

/// At least as many as may be under way at once, of which Discord has not told yet; but no more than a tenth of all.
fn reserve(limit: &StartLimit, percent: u8) -> u32 {
    let part = u32::try_from(u64::from(limit.total) * u64::from(percent) / 100).unwrap_or(u32::MAX);
    part.max(u32::from(limit.max_concurrency).min(limit.total / 10))
}
