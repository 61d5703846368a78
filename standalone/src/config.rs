//! The variables of `standalone run`: the services' own, less what one process can find out by itself.

use std::{net::SocketAddr, time::Duration};

use cache::store::CacheDatabase;
use common::{
    config::{Env, FromEnv, Invalid},
    redis::RedisConfig,
};
use database::DatabaseConfig;
use event_stream::KafkaConfig;
use global_resolver::config::Upstream;
use secrecy::SecretString;
use sharder::config::ShardRange;
use twilight_model::id::{Id, marker::ChannelMarker};

/// The configuration of all services in one process.
#[derive(Clone)]
pub struct Config {
    /// `DISCORD_TOKEN`: the bot's token. Its id and public key are asked from Discord.
    pub token: SecretString,
    /// `SERVER_ADDR`: where the http-gateway takes interactions, if Discord is told to send them there.
    pub server_addr: SocketAddr,
    /// `METRICS_ADDR`: health and metrics of all services together.
    pub metrics_addr: Option<SocketAddr>,
    /// `SHARDER_CLUSTER_SIZE`: shards of the bot, all held here.
    pub shards: ShardRange,
    /// `GATEWAY_MESSAGE_CONTENT`: whether the text of messages is asked for.
    pub message_content: bool,
    /// Discord, behind the gate of this process.
    pub discord: Upstream,
    /// `SERVER_COUNTER_ADDR`: where server-counter tells how many guilds there are; unset, nowhere.
    pub counter_addr: Option<SocketAddr>,
    /// `COUNTER_INTERVAL`: how often it asks the cache.
    pub counter_interval: Duration,
    /// `CHANNEL_ID` and what belongs to it: the channel whose name shows how many guilds there are, if there is one.
    pub stats_channel: Option<StatsChannel>,
    /// How members are kept in the cache.
    pub cached_members: cache::Members,
    /// The servers beneath.
    pub backends: Backends,
}

/// A channel whose name shows how many guilds there are.
#[derive(Clone)]
pub struct StatsChannel {
    /// `CHANNEL_ID`.
    pub channel: Id<ChannelMarker>,
    /// `CHANNEL_NAME_TEMPLATE`.
    pub template: stats_channel_updater::Template,
    /// `UPDATE_INTERVAL`.
    pub pace: stats_channel_updater::Pace,
}

/// Postgres, Redis and Kafka.
#[derive(Clone)]
pub struct Backends {
    /// Tickets, panels and settings.
    pub database: DatabaseConfig,
    /// The cache; the same database unless another is named.
    pub cache: CacheDatabase,
    /// Gateway sessions.
    pub redis: RedisConfig,
    /// Events.
    pub kafka: KafkaConfig,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let token = env.var("DISCORD_TOKEN").about("the bot's token, from its page in the developer portal").secret();
        let server_addr = env
            .var("SERVER_ADDR")
            .about(
                "where to take interactions by HTTP; without an endpoint URL in the portal they come over the gateway",
            )
            .default("127.0.0.1:8080")
            .required();
        let metrics_addr = env
            .var("METRICS_ADDR")
            .about("where to serve health and metrics of all services")
            .default("127.0.0.1:9091")
            .optional();
        let shards = env
            .var("SHARDER_CLUSTER_SIZE")
            .about("shards of the bot, one for up to 2,500 guilds; all are held here")
            .default("1")
            .required_as("a number from 1", |text| ShardRange::new(0, 1, text.parse().ok()?));
        let message_content = env
            .var("GATEWAY_MESSAGE_CONTENT")
            .about("whether to ask for the privileged intent MESSAGE_CONTENT; without it transcripts lack texts")
            .default("true")
            .required();
        let counter_addr = env
            .var("SERVER_COUNTER_ADDR")
            .about("where to tell how many guilds there are (/total); unset, nowhere")
            .example("127.0.0.1:8083")
            .optional();
        let counter_interval = server_counter::config::interval(env);
        let stats_channel = stats_channel(env);
        let cached_members = cache::Members::from_env(env);
        let discord = Upstream::from_env(env);
        let backends = Backends::from_env(env);
        Ok(Self {
            token: token?,
            server_addr: server_addr?,
            metrics_addr: metrics_addr?,
            shards: shards?,
            message_content: message_content?,
            counter_addr: counter_addr?,
            counter_interval: counter_interval?,
            stats_channel: stats_channel?,
            cached_members: cached_members?,
            discord: discord?,
            backends: backends?,
        })
    }
}

/// The updater's own variables; the others it has from the process.
fn stats_channel(env: &mut Env) -> Result<Option<StatsChannel>, Invalid> {
    let channel = env
        .var("CHANNEL_ID")
        .about("a channel whose name is to show how many guilds there are; unset, none")
        .example("1000000000000000003")
        .optional();
    let template = stats_channel_updater::Template::from_env(env);
    let pace = stats_channel_updater::Pace::from_env(env);
    let (channel, template, pace) = (channel?, template?, pace?);
    Ok(channel.map(|channel| StatsChannel { channel, template, pace }))
}

impl FromEnv for Backends {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::from_env(env);
        let cache = CacheDatabase::from_env(env);
        let redis = RedisConfig::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        Ok(Self { database: database?, cache: cache?, redis: redis?, kafka: kafka? })
    }
}
