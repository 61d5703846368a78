use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use common::redis::{
    self, RedisConfig,
    deadpool_redis::{
        Pool, PoolError,
        redis::{FromRedisValue, RedisError, Script, ScriptInvocation},
    },
};
use tokio::time::{Instant, timeout};

use super::Settings;
use crate::limiter::{About, Fact};

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("renew.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));
static REMEMBER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("remember.lua")));
static ADDRESS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("address.lua")));

/// What instances have in common, in Redis.
///
/// Keys, each after the prefix and a colon; of a bot stands a digest of its token, of a webhook its id:
///
/// - `owner:{bot}`: the address of the instance that sends for the bot, and which claim of which process it is. Ends with
///   the lease.
/// - `memory:{bot}`: what the next owner must know, and until when. Ends with the last of it.
/// - `run`, `young`: which server this is, and that it may not know yet who has what.
/// - `ban`: Cloudflare bans the address. Ends with the ban.
/// - `invalid`: how many invalid requests each instance has counted.
#[derive(Clone)]
pub(super) struct Store {
    pool: Pool,
    prefix: Arc<str>,
    patience: Duration,
}

/// Redis did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No connection.
    #[error("get a connection to Redis")]
    Connect(#[from] PoolError),
    /// It refused, or the connection broke.
    #[error("ask Redis who sends for a bot")]
    Command(#[from] RedisError),
    /// It did not answer in time.
    #[error("Redis does not answer")]
    Late,
}

/// What came of a claim.
#[derive(Debug)]
pub(super) enum Claimed {
    /// The bot is the asker's.
    Mine {
        /// What it must know of it.
        facts: Vec<Fact>,
        /// How long the address is banned.
        ban: Option<Duration>,
    },
    /// It is another's: the value of its claim.
    Theirs(String),
    /// Redis may have forgotten whose it is; for so long nobody gets it.
    Young(Duration),
}

impl Store {
    pub(super) fn new(config: &RedisConfig, settings: &Settings) -> Self {
        let pool = redis::connect(config);
        Self { pool, prefix: settings.prefix.as_str().into(), patience: settings.patience }
    }

    /// Claims a bot by this value, whose beginning names the instance.
    pub(super) async fn claim(
        &self,
        bot: &str,
        value: &str,
        instance: &str,
        lease: Duration,
    ) -> Result<Claimed, Error> {
        let mut script = CLAIM.prepare_invoke();
        script.key(self.owner(bot)).key(self.memory(bot));
        for name in ["run", "young", "ban"] {
            script.key(self.key(name));
        }
        script.arg(value).arg(instance).arg(milliseconds(lease));
        let (whose, time, rest): (String, i64, Vec<String>) = self.call(&script).await?;
        let time = u64::try_from(time).ok().map(Duration::from_millis);
        Ok(match whose.as_str() {
            "mine" => Claimed::Mine { facts: facts(&rest), ban: time },
            "theirs" => Claimed::Theirs(rest.into_iter().next().unwrap_or_default()),
            _ => Claimed::Young(time.unwrap_or(lease)),
        })
    }

    /// Renews the leases of these bots, claimed by these values: which of them go on, and which server said so. `known` is
    /// the one of before.
    pub(super) async fn renew(
        &self,
        claims: impl Iterator<Item = (&str, &str)>,
        known: &str,
        lease: Duration,
    ) -> Result<(String, Vec<bool>), Error> {
        let mut script = RENEW.prepare_invoke();
        script.arg(milliseconds(lease)).arg(known);
        for (bot, value) in claims {
            script.key(self.owner(bot)).arg(value);
        }
        self.call(&script).await
    }

    /// Lets go of these bots, so long from now.
    pub(super) async fn release(
        &self,
        claims: impl Iterator<Item = (&str, &str)>,
        left: Duration,
    ) -> Result<(), Error> {
        let mut script = RELEASE.prepare_invoke();
        script.arg(milliseconds(left));
        for (bot, value) in claims {
            script.key(self.owner(bot)).arg(value);
        }
        self.call(&script).await
    }

    /// Remembers facts of a bot for its next owner; those without a time are none any more.
    pub(super) async fn remember(
        &self,
        bot: &str,
        facts: impl Iterator<Item = (&About, Option<Instant>)>,
    ) -> Result<(), Error> {
        let mut script = REMEMBER.prepare_invoke();
        script.key(self.memory(bot));
        let now = Instant::now();
        for (about, until) in facts {
            let left = until.map_or(0, |until| milliseconds(until.saturating_duration_since(now)));
            script.arg(serde_json::to_string(about).unwrap_or_default()).arg(left);
        }
        self.call(&script).await
    }

    /// Tells the others of the address what this instance knows, and gives what they know: for how long it is banned, and
    /// how many invalid requests they counted, each with how long they count still.
    pub(super) async fn exchange(
        &self,
        instance: &str,
        invalid: &[(Duration, usize)],
        ban: Option<Duration>,
    ) -> Result<(Option<Duration>, Vec<(Duration, usize)>), Error> {
        let own: Vec<_> = invalid.iter().map(|(left, count)| format!("{}:{count}", milliseconds(*left))).collect();
        let mut script = ADDRESS.prepare_invoke();
        script.key(self.key("invalid")).key(self.key("ban"));
        script.arg(instance).arg(own.join(" ")).arg(ban.map_or(0, milliseconds));
        let (ban, others): (i64, Vec<u64>) = self.call(&script).await?;
        let others = others.chunks_exact(2).map(|pair| {
            let count = usize::try_from(pair[1]).unwrap_or(usize::MAX);
            (Duration::from_millis(pair[0]), count)
        });
        Ok((u64::try_from(ban).ok().map(Duration::from_millis), others.collect()))
    }

    async fn call<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Error> {
        let answer = async {
            let mut redis = self.pool.get().await?;
            Ok(script.invoke_async(&mut redis).await?)
        };
        timeout(self.patience, answer).await.unwrap_or(Err(Error::Late))
    }

    fn owner(&self, bot: &str) -> String {
        format!("{}:owner:{bot}", self.prefix)
    }

    fn memory(&self, bot: &str) -> String {
        format!("{}:memory:{bot}", self.prefix)
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}

fn facts(pairs: &[String]) -> Vec<Fact> {
    let now = Instant::now();
    let fact = |pair: &[String]| {
        let about = serde_json::from_str(&pair[0]).ok()?;
        Some(Fact { about, until: now + Duration::from_millis(pair[1].parse().ok()?) })
    };
    pairs.chunks_exact(2).filter_map(fact).collect()
}

/// Rounded up: a wait is never shorter than it was meant.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use common::redis::deadpool_redis::redis::AsyncCommands;

    use super::*;
    use crate::limiter::Field;

    #[tokio::test]
    async fn what_is_over_does_not_pile_up() {
        let addr = std::env::var("REDIS_ADDR").expect("run scripts/test, or set REDIS_ADDR");
        let settings = Settings { prefix: format!("resolver-test:{:x}", rand::random::<u64>()), ..Settings::default() };
        let store = Store::new(&RedisConfig { addr, password: None, threads: 1 }, &settings);
        let about = |id| About::Change { channel: "channels/1".to_owned(), field: Field::Name, id };
        for id in 0..1_000 {
            let (over, held) = (about(id), about(5_000));
            let now = Instant::now();
            let facts = [(&over, now), (&held, now + Duration::from_secs(5))]
                .map(|(about, until)| (about, Some(until + Duration::from_millis(1))));
            store.remember("1", facts.into_iter()).await.unwrap();
        }
        let mut redis = store.pool.get().await.unwrap();
        let kept: usize = redis.hlen(store.memory("1")).await.unwrap();
        assert!((1..500).contains(&kept), "{kept}");
        let left: i64 = redis.pttl(store.memory("1")).await.unwrap();
        assert!((1..=5_001).contains(&left), "it goes by itself: {left}");
    }
}
