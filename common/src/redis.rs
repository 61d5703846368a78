//! The Redis pool.

use std::time::Duration;

pub use deadpool_redis;
use deadpool_redis::{
    Config, ConnectionAddr, ConnectionInfo, Pool, PoolConfig, RedisConnectionInfo, Runtime, Timeouts,
    redis::{Client, ErrorKind, Msg, RedisError},
};
use futures_util::Stream;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::config::{Env, FromEnv, Invalid};

/// Where Redis is.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `REDIS_ADDR`: host and port.
    pub addr: String,
    /// `REDIS_PASSWORD`.
    pub password: Option<SecretString>,
    /// `REDIS_THREADS`: how many connections the pool holds at most.
    pub threads: usize,
}

impl FromEnv for RedisConfig {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let addr = env
            .var("REDIS_ADDR")
            .about("host and port of Redis")
            .default("127.0.0.1:6379")
            .required_as("a host and a port", |text| host_and_port(text).map(|_| text.to_owned()));
        let password = env.var("REDIS_PASSWORD").about("password of Redis").optional_secret();
        let threads = env
            .var("REDIS_THREADS")
            .about("connections to Redis at most")
            .default("4")
            .required_as("a whole number from 1", |text| text.parse().ok().filter(|threads| *threads > 0));
        Ok(RedisConfig { addr: addr?, password: password?, threads: threads? })
    }
}

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// A pool that connects when a connection is first wanted; waiting for one ends after 5 s.
#[must_use]
pub fn connect(config: &RedisConfig) -> Pool {
    let mut pool = Config::from_connection_info(info(config));
    let limit = Some(CONNECT);
    pool.pool = Some(PoolConfig {
        timeouts: Timeouts { wait: limit, create: limit, recycle: limit },
        ..PoolConfig::new(config.threads)
    });
    #[expect(clippy::expect_used, reason = "fails only for a URL that cannot be parsed, or limits without a runtime")]
    pool.create_pool(Some(Runtime::Tokio1)).expect("a pool from an address")
}

/// What is published on a channel from now on, over a connection of its own, until that ends. Redis keeps nothing for
/// those who were away.
///
/// # Errors
///
/// When Redis does not answer within 5 s, or refuses.
pub async fn subscribe(
    config: &RedisConfig,
    channel: &str,
) -> Result<impl Stream<Item = Msg> + Send + Unpin + use<>, RedisError> {
    let client = Client::open(info(config))?;
    let subscribing = async {
        let mut connection = client.get_async_pubsub().await?;
        connection.subscribe(channel).await?;
        Ok(connection.into_on_message())
    };
    let late = |_| RedisError::from((ErrorKind::Io, "no answer to a subscription"));
    timeout(CONNECT, subscribing).await.map_err(late)?
}

fn info(config: &RedisConfig) -> ConnectionInfo {
    let (host, port) = host_and_port(&config.addr).unwrap_or((&config.addr, 6379));
    ConnectionInfo {
        addr: ConnectionAddr::Tcp(host.to_owned(), port),
        redis: RedisConnectionInfo {
            password: config.password.as_ref().map(|password| password.expose_secret().to_owned()),
            ..RedisConnectionInfo::default()
        },
    }
}

fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty() && !host.contains('/')).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::{AsyncCommands, cmd};
    use futures_util::StreamExt;

    use super::*;

    fn config() -> RedisConfig {
        let addr = std::env::var("REDIS_ADDR").expect("run scripts/test, or set REDIS_ADDR");
        RedisConfig { addr, password: None, threads: 2 }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(host_and_port("redis:6379"), Some(("redis", 6379)));
        assert_eq!(host_and_port("[::1]:6379"), Some(("::1", 6379)));
        assert_eq!(host_and_port("redis"), None);
        assert_eq!(host_and_port("redis://redis:6379"), None);
    }

    #[tokio::test]
    async fn the_pool_reaches_redis() {
        let pool = connect(&config());
        let mut connection = pool.get().await.unwrap();
        let pong: String = cmd("PING").query_async(&mut *connection).await.unwrap();
        assert_eq!(pong, "PONG");
    }
    #[tokio::test]
    async fn what_is_published_reaches_who_has_subscribed() {
        let channel = format!("common:test:{}", rand::random::<u64>());
        let mut messages = subscribe(&config(), &channel).await.unwrap();
        let receivers: u64 = connect(&config()).get().await.unwrap().publish(&channel, "hello").await.unwrap();
        assert_eq!(receivers, 1);
        assert_eq!(messages.next().await.unwrap().get_payload::<String>().unwrap(), "hello");
        drop(messages);
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_is_an_error() {
        let nowhere = RedisConfig { addr: "127.0.0.1:1".to_owned(), ..config() };
        assert!(subscribe(&nowhere, "channel").await.is_err());
    }
}
