//! The variables of the sharder.

use std::{net::SocketAddr, ops::Range};

use common::{
    config::{Env, FromEnv, Invalid},
    discord::DiscordConfig,
    redis::RedisConfig,
};
use event_stream::KafkaConfig;
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ApplicationMarker};

/// The configuration of one process of the public bot's sharder.
pub struct Config {
    /// `SHARDER_TOKEN`, else `DISCORD_TOKEN`: the bot's token.
    pub token: SecretString,
    /// `BOT_ID`: the bot; asked from Discord where it is unset.
    pub bot: Option<Id<ApplicationMarker>>,
    /// `SHARDER_ID`, `SHARDER_TOTAL`, `SHARDER_CLUSTER_SIZE`: which shards this process holds.
    pub range: ShardRange,
    /// `LARGE_SHARDING_BUCKETS`: how many shards may identify at once; Discord's answer where it is unset.
    pub buckets: Option<u16>,
    /// `GATEWAY_MESSAGE_CONTENT`: whether the privileged intent for the text of messages is asked for.
    pub message_content: bool,
    /// Redis, which keeps the sessions.
    pub redis: RedisConfig,
    /// Kafka, which takes the events.
    pub kafka: KafkaConfig,
    /// Discord's address.
    pub discord: DiscordConfig,
    /// `METRICS_ADDR`: where health and metrics are served; inside of another service they are part of that one's.
    pub metrics_addr: Option<SocketAddr>,
}

/// The shards of one process among all of the bot's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShardRange {
    process: u32,
    size: u32,
    total: u32,
}

impl ShardRange {
    /// Process `process` of `processes`, each with `size` shards; `None` where there is no such process, or no shard.
    #[must_use]
    pub fn new(process: u32, processes: u32, size: u32) -> Option<Self> {
        let total = processes.checked_mul(size)?;
        (process < processes && size > 0).then_some(Self { process, size, total })
    }

    /// How many shards the bot has in all processes.
    #[must_use]
    pub fn total(self) -> u32 {
        self.total
    }

    /// The shards of this process.
    #[must_use]
    pub fn shards(self) -> Range<u32> {
        self.process * self.size..(self.process + 1) * self.size
    }
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let token = env
            .var("SHARDER_TOKEN")
            .or("DISCORD_TOKEN")
            .about("the bot's token, from its page in the developer portal")
            .secret();
        let bot = env.var("BOT_ID").about("the bot's id; asked from Discord when unset").optional();
        let range = range(env);
        let buckets = env
            .var("LARGE_SHARDING_BUCKETS")
            .about("shards that may identify at once (max_concurrency); asked from Discord when unset")
            .optional();
        let message_content = env
            .var("GATEWAY_MESSAGE_CONTENT")
            .about("whether to ask for the privileged intent MESSAGE_CONTENT; without it transcripts lack texts")
            .default("true")
            .required();
        let redis = RedisConfig::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        let discord = DiscordConfig::from_env(env);
        let metrics_addr =
            env.var("METRICS_ADDR").about("where to serve health and metrics").default("127.0.0.1:9091").optional();
        Ok(Self {
            token: token?,
            bot: bot?,
            range: range?,
            buckets: buckets?,
            message_content: message_content?,
            redis: redis?,
            kafka: kafka?,
            discord: discord?,
            metrics_addr: metrics_addr?,
        })
    }
}

fn range(env: &mut Env) -> Result<ShardRange, Invalid> {
    let process =
        env.var("SHARDER_ID").about("which of the sharder's processes this one is, from 0").default("0").required();
    let processes = env.var("SHARDER_TOTAL").about("how many processes the sharder has").default("1").required();
    let size = env
        .var("SHARDER_CLUSTER_SIZE")
        .about("shards per process; the bot has SHARDER_TOTAL times as many")
        .default("1")
        .required();
    let (process, processes, size) = (process?, processes?, size?);
    ShardRange::new(process, processes, size).ok_or_else(|| {
        env.invalid(
            "SHARDER_ID",
            format!(
                "is {process}: it must be below SHARDER_TOTAL ({processes}), \
                 and SHARDER_CLUSTER_SIZE ({size}) at least 1"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_holds_its_own_part_of_all_shards() {
        let range = ShardRange::new(2, 3, 16).unwrap();
        assert_eq!((range.shards(), range.total()), (32..48, 48));
        let range = ShardRange::new(0, 1, 1).unwrap();
        assert_eq!((range.shards(), range.total()), (0..1, 1));
    }

    #[test]
    fn a_process_beyond_the_last_is_refused() {
        assert_eq!(ShardRange::new(1, 1, 1), None);
        assert_eq!(ShardRange::new(0, 0, 1), None);
        assert_eq!(ShardRange::new(0, 1, 0), None);
        assert_eq!(ShardRange::new(0, u32::MAX, 2), None);
    }

    #[test]
    fn the_token_may_come_from_the_shared_variable() {
        let mut env = Env::from_pairs([("DISCORD_TOKEN", "t"), ("KAFKA_BROKERS", "127.0.0.1:9092")]);
        let config: Config = common::config::read(&mut env).unwrap();
        assert!(config.message_content && config.bot.is_none() && config.buckets.is_none());
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let mut env = Env::from_pairs([("SHARDER_ID", "3"), ("LARGE_SHARDING_BUCKETS", "many")]);
        let text = common::config::read::<Config>(&mut env).err().unwrap().to_string();
        for name in ["SHARDER_TOKEN", "SHARDER_ID", "LARGE_SHARDING_BUCKETS", "KAFKA_BROKERS"] {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}
