use std::sync::Arc;

use anyhow::Context;
use common::{clock::Clock, discord::Discord, redis::deadpool_redis::redis::cmd, service::Service};
use database::Database;
use event_stream::{Producer, Profile, ensure_topics};
use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore};

use super::{Config, bot::Cx, fleet, metrics::Metrics, notice, signal};
use crate::budget::Budget;

/// How many bots may be starting at once: each asks Discord where the gateway is.
const STARTS: usize = 8;

/// Runs the whitelabel sharder until the service is told to stop.
///
/// # Errors
///
/// When a dependency cannot be used.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    service.serve_ops(config.metrics_addr).await?;
    let (postgres, kafka, redis_health) =
        (service.dependency("postgres"), service.dependency("kafka"), service.dependency("redis"));
    let metrics = Metrics::new(service.metrics()).context("register the metrics")?;
    let shard_metrics = crate::metrics::Metrics::new(service.metrics()).context("register the metrics of shards")?;
    let db = service.connect("postgres", || Database::connect(&config.database)).await?;
    db.migrate().await.context("migrate the ticket database")?;
    let redis = common::redis::connect(&config.redis);
    service
        .connect("redis", || async {
            let pong: String = cmd("PING").query_async(&mut *redis.get().await?).await?;
            anyhow::Ok(pong)
        })
        .await?;
    let producer = service
        .connect("kafka", || async {
            ensure_topics(&config.kafka).await?;
            anyhow::Ok(Producer::connect(&config.kafka, service.name(), Profile::Bulk).await?)
        })
        .await?;
    producer.register(service.metrics()).context("register the producer's metrics")?;
    let nobody = config.public_token.clone().unwrap_or_else(|| SecretString::from(""));
    let discord = Discord::new(&config.discord, nobody).context("build the Discord client")?;
    discord.register_metrics(service.metrics()).context("register the metrics of Discord's API")?;

    let (wake, due) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let cx = Cx {
        vault: config.vault,
        db: db.clone(),
        producer,
        redis,
        discord: discord.clone(),
        identify: config.identify,
        budget: Budget::default(),
        clock: Clock::system(),
        shard_metrics,
        metrics: metrics.clone(),
        timing: config.timing,
        starts: Arc::new(Semaphore::new(STARTS)),
        notices: config.public_token.is_some().then(|| due.clone()),
        kafka,
        redis_health: redis_health.clone(),
    };
    let listening = redis_health.part("signals");
    listening.down("signals are not listened to yet");
    let signals = signal::listen(config.redis, config.signal, wake.clone(), listening, service.shutdown());
    service.spawn("signals", signals);
    service.spawn("fleet", fleet::run(cx, config.process, wake, postgres, service.shutdown()));
    if config.public_token.is_some() {
        let notices = notice::run(db, discord, config.process, config.timing, metrics, due, service.shutdown());
        service.spawn("notices", notices);
    } else {
        tracing::warn!("neither PUBLIC_TOKEN nor DISCORD_TOKEN is set: nobody is told when Discord refuses their bot");
    }
    service.finished().await
}
