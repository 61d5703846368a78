//! The Redis pool.

use std::time::Duration;

pub use deadpool_redis;
use deadpool_redis::{
    Config, ConnectionAddr, ConnectionInfo, Pool, PoolConfig, RedisConnectionInfo, Runtime, Timeouts,
};
use secrecy::{ExposeSecret, SecretString};

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

/// A pool that connects when a connection is first wanted; waiting for one ends after 5 s.
#[must_use]
pub fn connect(config: &RedisConfig) -> Pool {
    let (host, port) = host_and_port(&config.addr).unwrap_or((&config.addr, 6379));
    let mut pool = Config::from_connection_info(ConnectionInfo {
        addr: ConnectionAddr::Tcp(host.to_owned(), port),
        redis: RedisConnectionInfo {
            password: config.password.as_ref().map(|password| password.expose_secret().to_owned()),
            ..RedisConnectionInfo::default()
        },
    });
    let limit = Some(Duration::from_secs(5));
    pool.pool = Some(PoolConfig {
        timeouts: Timeouts { wait: limit, create: limit, recycle: limit },
        ..PoolConfig::new(config.threads)
    });
    #[expect(clippy::expect_used, reason = "fails only for a URL that cannot be parsed, or limits without a runtime")]
    pool.create_pool(Some(Runtime::Tokio1)).expect("a pool from an address")
}

fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty() && !host.contains('/')).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::cmd;

    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(host_and_port("redis:6379"), Some(("redis", 6379)));
        assert_eq!(host_and_port("[::1]:6379"), Some(("::1", 6379)));
        assert_eq!(host_and_port("redis"), None);
        assert_eq!(host_and_port("redis://redis:6379"), None);
    }

    #[tokio::test]
    async fn the_pool_reaches_redis() {
        let addr = std::env::var("REDIS_ADDR").expect("run scripts/test, or set REDIS_ADDR");
        let pool = connect(&RedisConfig { addr, password: None, threads: 2 });
        let mut connection = pool.get().await.unwrap();
        let pong: String = cmd("PING").query_async(&mut *connection).await.unwrap();
        assert_eq!(pong, "PONG");
    }
}
