use std::{net::SocketAddr, num::NonZeroU32};

use common::{
    config::{Env, FromEnv, Invalid},
    crypto::Vault,
    discord::DiscordConfig,
    redis::RedisConfig,
};
use database::DatabaseConfig;
use event_stream::KafkaConfig;
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{SIGNAL, Timing};
use crate::identify::Settings;

/// The configuration of one process of the whitelabel sharder.
pub struct Config {
    /// `SHARDER_ID`, `SHARDER_TOTAL`: which bots this process holds.
    pub process: Process,
    /// `ENCRYPTION_KEYS`: opens the bots' tokens.
    pub vault: Vault,
    /// `PUBLIC_TOKEN`, else `DISCORD_TOKEN`: the public bot, which tells owners that Discord refused their bot.
    pub public_token: Option<SecretString>,
    /// `GATEWAY_IDENTIFY_RESERVE`, and how IDENTIFYs are paced.
    pub identify: Settings,
    /// Postgres, which says what bots there are.
    pub database: DatabaseConfig,
    /// Redis, which keeps the sessions and passes on signals.
    pub redis: RedisConfig,
    /// Kafka, which takes the events.
    pub kafka: KafkaConfig,
    /// Discord's address.
    pub discord: DiscordConfig,
    /// `METRICS_ADDR`: where health and metrics are served.
    pub metrics_addr: Option<SocketAddr>,
    /// How often things are looked at.
    pub timing: Timing,
    /// The channel of Redis on which changes are signalled.
    pub signal: String,
}

/// One process of several: it holds the bots with `bot_id % of == number`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process {
    /// Which one, from 0.
    pub number: u32,
    /// How many there are.
    pub of: NonZeroU32,
}

impl Process {
    /// Process `number` of `of`; `None` where there is no such process.
    #[must_use]
    pub fn new(number: u32, of: u32) -> Option<Self> {
        let of = NonZeroU32::new(of).filter(|of| number < of.get())?;
        Some(Self { number, of })
    }

    /// Whether it holds this bot.
    #[must_use]
    pub fn holds(self, bot: Id<ApplicationMarker>) -> bool {
        bot.get() % u64::from(self.of.get()) == u64::from(self.number)
    }
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let process = process(env);
        let vault = Vault::from_env(env);
        let public_token = env
            .var("PUBLIC_TOKEN")
            .or("DISCORD_TOKEN")
            .about("the public bot's token; that bot tells owners when Discord refuses theirs")
            .optional_secret();
        let identify = Settings::from_env(env);
        let database = DatabaseConfig::from_env(env);
        let redis = RedisConfig::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        let discord = DiscordConfig::from_env(env);
        let metrics_addr =
            env.var("METRICS_ADDR").about("where to serve health and metrics").default("127.0.0.1:9095").optional();
        Ok(Self {
            process: process?,
            vault: vault?,
            public_token: public_token?,
            identify: identify?,
            database: database?,
            redis: redis?,
            kafka: kafka?,
            discord: discord?,
            metrics_addr: metrics_addr?,
            timing: Timing::default(),
            signal: SIGNAL.to_owned(),
        })
    }
}

fn process(env: &mut Env) -> Result<Process, Invalid> {
    let number = env
        .var("SHARDER_ID")
        .about(
            "which of the processes this one is, from 0; it holds the bots with `bot_id % SHARDER_TOTAL = SHARDER_ID`",
        )
        .default("0")
        .required();
    let of = env
        .var("SHARDER_TOTAL")
        .about("how many processes share out the customers' bots")
        .default("1")
        .required::<u32>();
    let (number, of) = (number?, of?);
    Process::new(number, of)
        .ok_or_else(|| env.invalid("SHARDER_ID", format!("is {number}: it must be below SHARDER_TOTAL ({of})")))
}

#[cfg(test)]
mod tests {
    use common::config::docs;

    use super::*;

    #[test]
    fn each_bot_belongs_to_one_process() {
        for bot in (1..100).map(Id::new) {
            let holders = (0..3).filter(|number| Process::new(*number, 3).unwrap().holds(bot));
            assert_eq!(holders.count(), 1);
        }
        assert_eq!((Process::new(3, 3), Process::new(0, 0)), (None, None));
    }

    #[test]
    fn all_problems_are_named_at_once_and_no_secret_is_shown() {
        let mut env = Env::from_pairs([("SHARDER_ID", "2"), ("SHARDER_TOTAL", "2"), ("ENCRYPTION_KEYS", "hunter2")]);
        let text = common::config::read::<Config>(&mut env).err().unwrap().to_string();
        for name in ["SHARDER_ID", "ENCRYPTION_KEYS", "DATABASE_URI", "KAFKA_BROKERS"] {
            assert!(text.contains(name), "{name}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_readme_names_every_variable_and_default() {
        let readme = include_str!("../../README.md").split_once("\n## Whitelabel").unwrap().1;
        docs::assert_told::<Config>(readme);
    }
}
