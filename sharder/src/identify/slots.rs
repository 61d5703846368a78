use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use common::redis::deadpool_redis::{
    Pool, PoolError,
    redis::{RedisError, Script},
};
use tokio::time::{Instant, timeout};
use twilight_model::id::{Id, marker::ApplicationMarker};
use uuid::Uuid;

use super::Settings;

/// One script, so that each step is one step for all processes.
static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("slots.lua")));

/// The slots of one bot, in Redis.
///
/// Keys, which expire a week after their last use:
///
/// - `sharder:identify:{bot}`: how many buckets there are, when one was taken last, and from when on all are free.
/// - `sharder:identify:{bot}:bucket`: from when on the bucket is free, and who holds the slot.
/// - `sharder:identify:{bot}:bucket:queue` and `…:seen`: who waits, in which order, and until when without a word.
///
/// Whoever holds a slot uses it within its lease or not at all, and tells; until then the bucket counts as taken for as
/// long as the lease and one spacing. What Redis does not know (it was flushed, restarted, or another server took
/// over) counts as taken just now.
#[derive(Clone)]
pub struct Slots {
    pool: Pool,
    bot: Id<ApplicationMarker>,
    settings: Settings,
    /// Tells this process from the others.
    process: Arc<str>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The shard that wants to identify.
    pub shard: u32,
    /// How many buckets there are (`max_concurrency`).
    pub buckets: u32,
    /// The time between any two slots of the bot.
    pub spread: Duration,
    /// Nobody has identified in this period, and nobody else could be about to: what Redis does not know is free.
    pub untouched: bool,
}

/// A slot of a bucket, until its lease ends.
#[derive(Debug)]
pub struct Claim {
    shard: u32,
    buckets: u32,
    token: String,
    /// Counted from before the question, on a clock that nobody sets: no later than Redis counts.
    pub(super) until: Instant,
}

/// Redis did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("get a connection to Redis")]
    Connect(#[from] PoolError),
    /// It refused, or the connection broke.
    #[error("ask Redis for a slot to identify in")]
    Command(#[from] RedisError),
    /// An answer would come too late to be of use.
    #[error("Redis does not answer")]
    Late,
}

impl Claim {
    /// The bucket that it is for.
    #[must_use]
    pub fn bucket(&self) -> u32 {
        self.shard % self.buckets
    }
}

impl Slots {
    /// The slots of this bot.
    #[must_use]
    pub fn new(pool: Pool, bot: Id<ApplicationMarker>, settings: Settings) -> Self {
        Self { pool, bot, settings, process: Uuid::new_v4().simple().to_string().into() }
    }

    /// Asks for a slot, and takes a place in the queue: `Err` of the answer is for how long asking again is of no use.
    ///
    /// # Errors
    ///
    /// When Redis does not answer in time.
    pub async fn ask(&self, asked: Asked) -> Result<Result<Claim, Duration>, Error> {
        let token = Uuid::new_v4().simple().to_string();
        let until = Instant::now() + self.settings.lease;
        let wait = self.call("ask", asked, &token).await?;
        Ok(match wait {
            0 => Ok(Claim { shard: asked.shard, buckets: asked.buckets.max(1), token, until }),
            wait => Err(Duration::from_millis(wait)),
        })
    }

    /// The slot was used just now: the next one counts from here.
    ///
    /// # Errors
    ///
    /// When Redis does not answer in time; the bucket then stays taken as long as it would for a slot used at its end.
    pub async fn used(&self, claim: &Claim) -> Result<(), Error> {
        self.tell("used", claim).await
    }

    /// The slot was not used, and will not be.
    ///
    /// # Errors
    ///
    /// As of [`used`](Self::used).
    pub async fn unused(&self, claim: &Claim) -> Result<(), Error> {
        self.tell("left", claim).await
    }

    async fn tell(&self, what: &str, claim: &Claim) -> Result<(), Error> {
        let Claim { shard, buckets, .. } = *claim;
        self.call(what, Asked { shard, buckets, spread: Duration::ZERO, untouched: false }, &claim.token)
            .await
            .map(drop)
    }

    async fn call(&self, what: &str, asked: Asked, token: &str) -> Result<u64, Error> {
        let buckets = asked.buckets.max(1);
        let bot = format!("sharder:identify:{{{}}}", self.bot);
        let bucket = format!("{bot}:{}", asked.shard % buckets);
        let Settings { lease, patience, .. } = self.settings;
        let mut script = SCRIPT.prepare_invoke();
        script.key(&bot).key(&bucket).key(format!("{bucket}:queue")).key(format!("{bucket}:seen"));
        script.arg(what).arg(format!("{:010}:{}", asked.shard, self.process)).arg(token);
        script.arg(milliseconds(self.settings.spacing())).arg(milliseconds(lease)).arg(milliseconds(patience));
        script.arg(milliseconds(asked.spread)).arg(buckets).arg(u8::from(asked.untouched));
        let answer = async {
            let mut redis = self.pool.get().await?;
            Ok(script.invoke_async(&mut redis).await?)
        };
        timeout(lease, answer).await.unwrap_or(Err(Error::Late))
    }
}

/// Rounded up: a wait is never shorter than it was meant.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}
