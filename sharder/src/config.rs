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

use crate::identify::Settings;

/// The configuration of one process of the public bot's sharder.
pub struct Config {
    /// `SHARDER_TOKEN`, else `DISCORD_TOKEN`: the bot's token.
    pub token: SecretString,
    /// `BOT_ID`: the bot; asked from Discord where it is unset.
    pub bot: Option<Id<ApplicationMarker>>,
    /// `SHARDER_ID`, `SHARDER_TOTAL`, `SHARDER_CLUSTER_SIZE`, or `SHARD_START`, `SHARD_END`, `TOTAL_SHARDS`: which shards
    /// this process holds.
    pub shards: Shards,
    /// `LARGE_SHARDING_BUCKETS`: how many shards may identify at once; Discord's answer where it is unset.
    pub buckets: Option<u16>,
    /// `GATEWAY_IDENTIFY_RESERVE`, and how IDENTIFYs are paced.
    pub identify: Settings,
    /// `GATEWAY_MESSAGE_CONTENT`: whether the privileged intent for the text of messages is asked for.
    pub message_content: bool,
    /// `GATEWAY_MEMBERS`: whether the privileged intent for the comings and goings of members is asked for.
    pub members: bool,
    /// Redis, which keeps the sessions.
    pub redis: RedisConfig,
    /// Kafka, which takes the events.
    pub kafka: KafkaConfig,
    /// Discord's address.
    pub discord: DiscordConfig,
    /// `METRICS_ADDR`: where health and metrics are served; inside of another service they are part of that one's.
    pub metrics_addr: Option<SocketAddr>,
}

/// Which shards a process holds, as far as the operator says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shards {
    /// These.
    Fixed(ShardRange),
    /// `SHARDER_TOTAL=auto`: as many in all as Discord recommended at the first start.
    Auto {
        /// Which process this one is.
        process: u32,
        /// Shards per process; where it is unset this process holds all.
        size: Option<u32>,
    },
}

impl Shards {
    /// The range out of what Discord recommended. It is empty for a process beyond the last one that is needed.
    #[must_use]
    pub fn of(self, recommended: u32) -> ShardRange {
        match self {
            Self::Fixed(range) => range,
            Self::Auto { process, size } => {
                let size = size.unwrap_or(recommended);
                let first = process.saturating_mul(size).min(recommended);
                ShardRange { first, end: first.saturating_add(size).min(recommended), total: recommended }
            }
        }
    }
}

impl From<ShardRange> for Shards {
    fn from(range: ShardRange) -> Self {
        Self::Fixed(range)
    }
}

/// The shards of one process among all of the bot's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShardRange {
    first: u32,
    end: u32,
    total: u32,
}

impl ShardRange {
    /// Process `process` of `processes`, each with `size` shards; `None` where there is no such process, or no shard.
    #[must_use]
    pub fn new(process: u32, processes: u32, size: u32) -> Option<Self> {
        let total = processes.checked_mul(size)?;
        (process < processes && size > 0).then(|| Self { first: process * size, end: (process + 1) * size, total })
    }

    /// From shard `first` to shard `last`, both included, of `total`; `None` where there is no such shard.
    #[must_use]
    pub fn between(first: u32, last: u32, total: u32) -> Option<Self> {
        (first <= last && last < total).then(|| Self { first, end: last + 1, total })
    }

    /// How many shards the bot has in all processes.
    #[must_use]
    pub fn total(self) -> u32 {
        self.total
    }

    /// The shards of this process.
    #[must_use]
    pub fn shards(self) -> Range<u32> {
        self.first..self.end
    }

    /// Whether this process holds every shard of the bot.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.first == 0 && self.end == self.total
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
        let shards = shards(env);
        let buckets = env
            .var("LARGE_SHARDING_BUCKETS")
            .about("shards that may identify at once (max_concurrency); asked from Discord when unset")
            .optional_as("a whole number from 1", |text| text.parse().ok().filter(|buckets| *buckets > 0));
        let identify = Settings::from_env(env);
        let message_content = env
            .var("GATEWAY_MESSAGE_CONTENT")
            .about("whether to ask for the privileged intent MESSAGE_CONTENT; without it transcripts lack texts")
            .default("true")
            .required();
        let members = env
            .var("GATEWAY_MEMBERS")
            .about(
                "whether to ask for the privileged intent GUILD_MEMBERS; without it the cache knows members only as they \
                 write or click",
            )
            .default("false")
            .required();
        let redis = RedisConfig::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        let discord = DiscordConfig::from_env(env);
        let metrics_addr =
            env.var("METRICS_ADDR").about("where to serve health and metrics").default("127.0.0.1:9091").optional();
        Ok(Self {
            token: token?,
            bot: bot?,
            shards: shards?,
            buckets: buckets?,
            identify: identify?,
            message_content: message_content?,
            members: members?,
            redis: redis?,
            kafka: kafka?,
            discord: discord?,
            metrics_addr: metrics_addr?,
        })
    }
}

fn shards(env: &mut Env) -> Result<Shards, Invalid> {
    let process = env.var("SHARDER_ID").about("which of the sharder's processes this one is, from 0 (`0`)").optional();
    let processes = env
        .var("SHARDER_TOTAL")
        .about("how many processes the sharder has (`1`), or `auto`: as many shards as Discord recommends")
        .optional_as("a whole number from 1, or auto", |text| match text {
            "auto" => Some(None),
            number => number.parse().ok().filter(|number| *number > 0).map(Some),
        });
    let size = env
        .var("SHARDER_CLUSTER_SIZE")
        .about("shards per process (`1`; all with `auto`); the bot has SHARDER_TOTAL times as many")
        .optional_as("a whole number from 1", |text| text.parse::<u32>().ok().filter(|size| *size > 0));
    let first = env.var("SHARD_START").about("first shard of this process (`0`); goes with TOTAL_SHARDS").optional();
    let last = env
        .var("SHARD_END")
        .about("last shard of this process, itself included (the last of all); goes with TOTAL_SHARDS")
        .optional();
    let total =
        env.var("TOTAL_SHARDS").about("all shards of the bot, in place of SHARDER_TOTAL and its kin").optional();
    let (process, processes, size): (Option<u32>, Option<Option<u32>>, Option<u32>) = (process?, processes?, size?);
    let (first, last, total): (Option<u32>, Option<u32>, Option<u32>) = (first?, last?, total?);

    let by_process = process.is_some() || processes.is_some() || size.is_some();
    let by_shard = first.is_some() || last.is_some() || total.is_some();
    if by_process && by_shard {
        return Err(env.invalid(
            "TOTAL_SHARDS",
            "either SHARDER_ID, SHARDER_TOTAL and SHARDER_CLUSTER_SIZE, or SHARD_START, SHARD_END and TOTAL_SHARDS: \
             both are set in part",
        ));
    }
    if by_shard {
        let Some(total) = total else {
            return Err(env.invalid("TOTAL_SHARDS", "is not set: SHARD_START and SHARD_END are shards out of it"));
        };
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(total.saturating_sub(1)));
        return ShardRange::between(first, last, total).map(Shards::Fixed).ok_or_else(|| {
            env.invalid(
                "SHARD_END",
                format!(
                    "SHARD_START ({first}) ≤ SHARD_END ({last}) < TOTAL_SHARDS ({total}) must hold: shards count from \
                     0, and SHARD_END is included"
                ),
            )
        });
    }
    let process = process.unwrap_or(0);
    match processes.unwrap_or(Some(1)) {
        Some(processes) => {
            let size = size.unwrap_or(1);
            ShardRange::new(process, processes, size).map(Shards::Fixed).ok_or_else(|| {
                env.invalid("SHARDER_ID", format!("is {process}: it must be below SHARDER_TOTAL ({processes})"))
            })
        }
        None if process > 0 && size.is_none() => Err(env.invalid(
            "SHARDER_CLUSTER_SIZE",
            format!(
                "is not set: with SHARDER_TOTAL=auto and no size the first process holds all shards, and SHARDER_ID is \
                 {process}"
            ),
        )),
        None => Ok(Shards::Auto { process, size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_holds_its_own_part_of_all_shards() {
        let range = ShardRange::new(2, 3, 16).unwrap();
        assert_eq!((range.shards(), range.total(), range.is_whole()), (32..48, 48, false));
        let range = ShardRange::new(0, 1, 1).unwrap();
        assert_eq!((range.shards(), range.total(), range.is_whole()), (0..1, 1, true));
    }

    #[test]
    fn a_process_beyond_the_last_is_refused() {
        assert_eq!(ShardRange::new(1, 1, 1), None);
        assert_eq!(ShardRange::new(0, 0, 1), None);
        assert_eq!(ShardRange::new(0, 1, 0), None);
        assert_eq!(ShardRange::new(0, u32::MAX, 2), None);
        assert_eq!(ShardRange::between(0, 3, 3), None);
        assert_eq!(ShardRange::between(2, 1, 3), None);
        assert_eq!(ShardRange::between(0, u32::MAX, u32::MAX), None);
    }

    /// The shards, where the two that must be set are, and so are these.
    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Shards, String> {
        let always = [("DISCORD_TOKEN", "t"), ("KAFKA_BROKERS", "127.0.0.1:9092")];
        let mut env = Env::from_pairs(always.into_iter().chain(pairs.iter().copied()));
        let config = common::config::read::<Config>(&mut env).map_err(|error| error.to_string())?;
        Ok(config.shards)
    }

    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], shards: Range<u32>, total: u32) {
        let range = read(pairs).unwrap().of(7);
        assert_eq!((range.shards(), range.total()), (shards, total), "{pairs:?}");
    }

    #[test]
    fn shards_are_given_by_process_or_by_their_numbers() {
        check(&[], 0..1, 1);
        check(&[("SHARDER_ID", "1"), ("SHARDER_TOTAL", "3"), ("SHARDER_CLUSTER_SIZE", "2")], 2..4, 6);
        check(&[("SHARD_START", "3"), ("SHARD_END", "5"), ("TOTAL_SHARDS", "9")], 3..6, 9);
        check(&[("SHARD_START", "0"), ("SHARD_END", "0"), ("TOTAL_SHARDS", "9")], 0..1, 9);
        check(&[("TOTAL_SHARDS", "9")], 0..9, 9);
        check(&[("SHARD_START", "8"), ("TOTAL_SHARDS", "9")], 8..9, 9);
    }

    #[test]
    fn auto_shares_out_what_discord_recommends() {
        check(&[("SHARDER_TOTAL", "auto")], 0..7, 7);
        check(&[("SHARDER_TOTAL", "auto"), ("SHARDER_ID", "0")], 0..7, 7);
        let part = |id| [("SHARDER_TOTAL", "auto"), ("SHARDER_CLUSTER_SIZE", "3"), ("SHARDER_ID", id)];
        check(&part("0"), 0..3, 7);
        check(&part("1"), 3..6, 7);
        check(&part("2"), 6..7, 7);
        check(&part("3"), 7..7, 7);
        check(&part("4294967295"), 7..7, 7);
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_every_name() {
        let all = ["SHARDER_ID", "SHARDER_TOTAL", "SHARDER_CLUSTER_SIZE", "SHARD_START", "SHARD_END", "TOTAL_SHARDS"];
        /// Variables with their values, and what the refusal names.
        type Case<'a> = (&'a [(&'static str, &'static str)], &'a [&'a str]);
        #[rustfmt::skip]
        let wrong: [Case<'_>; 10] = [
            (&[("SHARDER_ID", "0"), ("TOTAL_SHARDS", "2")], &all),
            (&[("SHARDER_TOTAL", "auto"), ("SHARD_START", "0")], &all),
            (&[("SHARDER_CLUSTER_SIZE", "2"), ("SHARD_END", "1")], &all),
            (&[("SHARD_START", "0"), ("SHARD_END", "1")], &["TOTAL_SHARDS", "SHARD_START", "SHARD_END"]),
            (&[("SHARD_START", "2"), ("SHARD_END", "1"), ("TOTAL_SHARDS", "9")], &["SHARD_START (2)", "SHARD_END (1)"]),
            (&[("SHARD_END", "9"), ("TOTAL_SHARDS", "9")], &["SHARD_END (9)", "TOTAL_SHARDS (9)", "included"]),
            (&[("TOTAL_SHARDS", "0")], &["TOTAL_SHARDS (0)"]),
            (&[("SHARDER_TOTAL", "auto"), ("SHARDER_ID", "1")], &["SHARDER_CLUSTER_SIZE", "auto", "SHARDER_ID is 1"]),
            (&[("SHARDER_TOTAL", "2"), ("SHARDER_ID", "2")], &["SHARDER_ID", "SHARDER_TOTAL (2)"]),
            (&[("SHARDER_TOTAL", "automatic")], &["SHARDER_TOTAL", "or auto"]),
        ];
        for (pairs, names) in wrong {
            let text = read(pairs).unwrap_err();
            for name in names {
                assert!(text.contains(name), "{pairs:?}: {name} is missing: {text}");
            }
        }
    }

    #[test]
    fn the_token_may_come_from_the_shared_variable() {
        let mut env = Env::from_pairs([("DISCORD_TOKEN", "t"), ("KAFKA_BROKERS", "127.0.0.1:9092")]);
        let config: Config = common::config::read(&mut env).unwrap();
        assert!(config.message_content && !config.members && config.bot.is_none() && config.buckets.is_none());
        assert_eq!(config.identify, Settings::default());
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let mut env = Env::from_pairs([
            ("SHARDER_ID", "3"),
            ("LARGE_SHARDING_BUCKETS", "many"),
            ("GATEWAY_IDENTIFY_RESERVE", "101"),
        ]);
        let text = common::config::read::<Config>(&mut env).err().unwrap().to_string();
        for name in
            ["SHARDER_TOKEN", "SHARDER_ID", "LARGE_SHARDING_BUCKETS", "GATEWAY_IDENTIFY_RESERVE", "KAFKA_BROKERS"]
        {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}
