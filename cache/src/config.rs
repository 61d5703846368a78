//! The variables of the service and of its client.

use std::{net::SocketAddr, time::Duration};

use common::config::{Env, FromEnv, Invalid};
use event_stream::KafkaConfig;
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;

use crate::store::CacheDatabase;

/// The configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    /// `SERVER_ADDR`: where to listen.
    pub server_addr: SocketAddr,
    /// `CACHE_SHARED_KEY`: what clients must know; unset, whoever reaches the address is answered.
    pub shared_key: Option<SecretString>,
    /// `PUBLIC_BOT_ID`: the bot that is meant where a request names none.
    pub bot: Option<Id<ApplicationMarker>>,
    /// How members are kept.
    pub members: Members,
    /// `CACHE_DATABASE_URI` and `CACHE_DATABASE_THREADS`.
    pub database: CacheDatabase,
    /// Kafka.
    pub kafka: KafkaConfig,
}

/// How members are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Members {
    /// `GATEWAY_MEMBERS`: whether Discord tells the public bot of every change of a member, because its sharder asks for that.
    /// Customers' bots do not ask.
    pub told: bool,
    /// `CACHE_MEMBER_MAX_AGE`: how long what is known of a member counts where Discord does not tell.
    pub max_age: Duration,
    /// `CACHE_KEEP_UNUSED`: how long members are kept that nobody asks for and nobody tells of.
    pub keep_unused: Duration,
}

impl Default for Members {
    fn default() -> Self {
        Self { told: false, max_age: Duration::from_mins(1), keep_unused: Duration::from_hours(30 * 24) }
    }
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let server_addr = env
            .var("SERVER_ADDR")
            .about("where to listen for our services' questions")
            .default("127.0.0.1:7878")
            .required();
        let shared_key = env
            .var("CACHE_SHARED_KEY")
            .about("a long random text that our services have too; without it whoever reaches the address is answered")
            .optional_secret();
        let bot = env
            .var("PUBLIC_BOT_ID")
            .about("the bot that is meant where a request names none; with one bot it need not be set")
            .example("508391840525975553")
            .optional();
        let members = Members::from_env(env);
        let database = CacheDatabase::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        Ok(Self {
            server_addr: server_addr?,
            shared_key: shared_key?,
            bot: bot?,
            members: members?,
            database: database?,
            kafka: kafka?,
        })
    }
}

impl FromEnv for Members {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let told = env
            .var("GATEWAY_MEMBERS")
            .about("whether the sharder asks for the privileged intent GUILD_MEMBERS, so that Discord tells PUBLIC_BOT_ID of every change")
            .default("false")
            .required();
        let max_age = env
            .var("CACHE_MEMBER_MAX_AGE")
            .about("how long what is known of a member counts where Discord does not tell of changes")
            .default("1m")
            .required();
        let keep_unused = env
            .var("CACHE_KEEP_UNUSED")
            .about("how long members and users are kept of whom nobody tells and whom nobody asks for")
            .default("30d")
            .required();
        Ok(Self { told: told?, max_age: max_age?, keep_unused: keep_unused? })
    }
}

/// Where the cache is, for its [`Client`](crate::client::Client).
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `CACHE_URI`: its address.
    pub uri: Url,
    /// `CACHE_SHARED_KEY`: what it demands.
    pub shared_key: Option<SecretString>,
}

impl FromEnv for ClientConfig {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let uri = env
            .var("CACHE_URI")
            .about("the cache; while it does not answer Discord is asked")
            .default("http://127.0.0.1:7878")
            .required();
        let shared_key = env
            .var("CACHE_SHARED_KEY")
            .about("a long random text that the cache has too, where it demands one")
            .optional_secret();
        Ok(Self { uri: uri?, shared_key: shared_key? })
    }
}
