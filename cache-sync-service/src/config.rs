//! The variables of the service.

use std::{net::SocketAddr, time::Duration};

use cache::store::CacheDatabase;
use common::config::{Env, FromEnv, Invalid};
use event_stream::KafkaConfig;

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `METRICS_ADDR`: where to serve health and metrics.
    pub metrics_addr: Option<SocketAddr>,
    /// `CACHE_KEEP_UNUSED`: how long members and users are kept of whom nobody tells and whom nobody asks for.
    pub keep_unused: Duration,
    /// `CACHE_DATABASE_URI` and `CACHE_DATABASE_THREADS`.
    pub database: CacheDatabase,
    /// Kafka.
    pub kafka: KafkaConfig,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let metrics_addr = env
            .var("METRICS_ADDR")
            .about("where to serve health and metrics; unset, nowhere")
            .example("127.0.0.1:9096")
            .optional();
        let keep_unused = env
            .var("CACHE_KEEP_UNUSED")
            .about("how long members and users are kept of whom nobody tells and whom nobody asks for")
            .default("30d")
            .required();
        let database = CacheDatabase::from_env(env);
        let kafka = KafkaConfig::from_env(env);
        Ok(Self { metrics_addr: metrics_addr?, keep_unused: keep_unused?, database: database?, kafka: kafka? })
    }
}
