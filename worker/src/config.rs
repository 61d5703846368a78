//! The variables of the worker.

use std::net::SocketAddr;

use cache::ClientConfig;
use common::{
    config::{Env, FromEnv, Invalid},
    discord::DiscordConfig,
};
use database::DatabaseConfig;
use event_stream::KafkaConfig;
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ApplicationMarker};

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `SERVER_ADDR`, default `127.0.0.1:8081`: where to listen.
    pub server_addr: SocketAddr,
    /// `DISCORD_TOKEN`, or `PUBLIC_TOKEN`: the bot's token.
    pub token: SecretString,
    /// `PUBLIC_BOT_ID`: the bot's id; Discord is asked where it is unset.
    pub bot: Option<Id<ApplicationMarker>>,
    /// `WORKER_SHARED_KEY`: what http-gateway must know; unset, whoever reaches the address is believed.
    pub shared_key: Option<SecretString>,
    /// `DATABASE_URI` and `DATABASE_THREADS`.
    pub database: DatabaseConfig,
    /// Kafka.
    pub kafka: KafkaConfig,
    /// Where Discord is.
    pub discord: DiscordConfig,
    /// Where the cache is.
    pub cache: ClientConfig,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let server_addr = env
            .var("SERVER_ADDR")
            .about("where to listen for http-gateway's requests")
            .default("127.0.0.1:8081")
            .required();
        let token = env
            .var("DISCORD_TOKEN")
            .or("PUBLIC_TOKEN")
            .about("the bot's token, from its page in the developer portal")
            .secret();
        let bot = env
            .var("PUBLIC_BOT_ID")
            .about("the bot's id; Discord is asked where it is unset")
            .example("508391840525975553")
            .optional();
        let shared_key = env
            .var("WORKER_SHARED_KEY")
            .about("a long random text that http-gateway has too; without it whoever reaches the address is believed")
            .optional_secret();
        let database = DatabaseConfig::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        let discord = DiscordConfig::from_env(env);
        let cache = ClientConfig::from_env(env);
        Ok(Config {
            server_addr: server_addr?,
            token: token?,
            bot: bot?,
            shared_key: shared_key?,
            database: database?,
            kafka: kafka?,
            discord: discord?,
            cache: cache?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 3] = [
        ("PUBLIC_TOKEN", "hush"),
        ("DATABASE_URI", "postgres://127.0.0.1/tickets"),
        ("KAFKA_BROKERS", "127.0.0.1:9092"),
    ];

    #[test]
    fn token_database_and_brokers_are_enough() {
        let config = common::config::read::<Config>(&mut Env::from_pairs(REQUIRED)).unwrap();
        assert_eq!(config.server_addr.port(), 8081);
        assert_eq!(config.database.threads, 8);
        assert_eq!(config.bot, None);
    }

    #[test]
    fn all_that_is_missing_is_reported_at_once_and_no_secret_is_shown() {
        let mut env = Env::from_pairs([("DATABASE_THREADS", "one"), ("DISCORD_TOKEN", "hush")]);
        let report = common::config::read::<Config>(&mut env).unwrap_err().to_string();
        for name in ["DATABASE_URI", "DATABASE_THREADS", "KAFKA_BROKERS"] {
            assert!(report.contains(name), "{name}: {report}");
        }
        assert!(!report.contains("hush"));
    }
}
