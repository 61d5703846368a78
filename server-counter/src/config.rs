//! The variables of the counter.

use std::{net::SocketAddr, time::Duration};

use common::config::{Env, FromEnv, Invalid, Value};
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;

/// The shortest time between two questions to the cache.
const SHORTEST: Duration = Duration::from_secs(1);

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `SERVER_ADDR`: where to listen.
    pub server_addr: SocketAddr,
    /// `CACHE_URI`: the cache service, which knows every guild.
    pub cache: Url,
    /// `CACHE_SHARED_KEY`: what the cache demands, if it does.
    pub shared_key: Option<SecretString>,
    /// `PUBLIC_BOT_ID`: whose guilds are counted; the cache's own bot where it is unset.
    pub bot: Option<Id<ApplicationMarker>>,
    /// `COUNTER_INTERVAL`: how often the cache is asked.
    pub interval: Duration,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let server_addr =
            env.var("SERVER_ADDR").about("where to listen for who wants to know").default("127.0.0.1:8083").required();
        let cache = env
            .var("CACHE_URI")
            .about("the cache service, which knows every guild")
            .default("http://127.0.0.1:7878")
            .required();
        let shared_key =
            env.var("CACHE_SHARED_KEY").about("the long random text that the cache demands").optional_secret();
        let bot = env
            .var("PUBLIC_BOT_ID")
            .about("the bot whose guilds are counted; the cache's own when unset")
            .example("508391840525975553")
            .optional();
        let interval = interval(env);
        Ok(Self { server_addr: server_addr?, cache: cache?, shared_key: shared_key?, bot: bot?, interval: interval? })
    }
}

/// `COUNTER_INTERVAL`: how often the cache is asked.
///
/// # Errors
///
/// When it is no duration, or too short.
pub fn interval(env: &mut Env) -> Result<Duration, Invalid> {
    env.var("COUNTER_INTERVAL")
        .about("how often the cache is asked")
        .default("10s")
        .required_as("a duration from 1s on, in seconds or with a unit (10s, 1m)", |text| {
            <Duration as Value>::parse(text).filter(|interval| *interval >= SHORTEST)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_without_any_variable() {
        let config = common::config::read::<Config>(&mut Env::from_pairs([])).unwrap();
        assert_eq!((config.server_addr.port(), config.cache.port()), (8083, Some(7878)));
        assert_eq!((config.bot, config.interval), (None, Duration::from_secs(10)));
        assert!(config.shared_key.is_none());
    }

    #[test]
    fn the_cache_is_not_asked_without_a_pause() {
        let mut env = Env::from_pairs([("COUNTER_INTERVAL", "10ms")]);
        let text = common::config::read::<Config>(&mut env).unwrap_err().to_string();
        assert!(text.contains("COUNTER_INTERVAL") && text.contains("from 1s on"), "{text}");
    }
}
