#![doc = include_str!("../README.md")]

pub mod config;
pub mod shard;

pub mod envelope;
pub mod gateway;
pub mod metrics;
pub mod outbox;
pub mod persist;
pub mod readiness;
pub mod sessions;
pub mod window;

use anyhow::Context;
use common::{
    clock::Clock,
    discord::{self, Discord},
    service::Service,
};
use event_stream::{Producer, Profile, ensure_topics};
use secrecy::ExposeSecret;
use twilight_gateway::ConfigBuilder;

pub use config::Config;

use crate::{metrics::Metrics, readiness::Shared, sessions::Sessions, window::Limits};

/// How much a process may have on its way to Kafka, over all its shards. When it is reached, sockets are not read.
const IN_FLIGHT: Limits = Limits { events: 20_000, bytes: 32 << 20 };

/// Runs the sharder until the service is told to stop.
///
/// # Errors
///
/// When Discord refuses the bot for good, or a dependency cannot be used.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    service.serve_ops(config.metrics_addr).await?;
    let gateway = Shared::new(service.dependency("gateway"));
    let metrics = Metrics::new(service.metrics()).context("register the metrics")?;
    let discord = Discord::new(&config.discord, config.token.clone()).context("build the Discord client")?;
    discord.register_metrics(service.metrics()).context("register the metrics of Discord's API")?;
    let bot = match config.bot {
        Some(bot) => bot,
        None => discord::ask_own_id(&service, &discord, gateway::TOKEN).await?,
    };
    let producer = service
        .connect("kafka", || async {
            ensure_topics(&config.kafka).await?;
            anyhow::Ok(Producer::connect(&config.kafka, service.name(), Profile::Bulk).await?)
        })
        .await?;
    producer.register(service.metrics()).context("register the producer's metrics")?;
    let range = config.range;
    let sessions = Sessions::new(common::redis::connect(&config.redis), bot, range.total());
    let mut starts = Vec::new();
    for number in range.shards() {
        let load = async || sessions.load(number).await.map_err(anyhow::Error::from);
        starts.push((number, service.connect("redis", load).await?));
    }
    // Last, because what it says about the limits of IDENTIFY does not keep.
    let info = gateway::ask(&service, &discord).await?;
    gateway::compare_shards(range.total(), info.shards);

    let token = config.token.expose_secret().to_owned();
    let shards = range.shards().len().max(1);
    let cx = shard::Cx {
        bot,
        total: range.total(),
        config: ConfigBuilder::new(token, gateway::intents(config.message_content))
            .proxy_url(info.base_url())
            .queue(gateway::identify_queue(&info.session_start_limit, config.buckets))
            .build(),
        producer,
        sessions,
        limits: Limits { events: IN_FLIGHT.events / shards, bytes: IN_FLIGHT.bytes / shards },
        clock: Clock::system(),
        metrics,
        gateway,
        kafka: Shared::new(service.dependency("kafka")),
        redis: Shared::new(service.dependency("redis")),
    };
    for (number, start) in starts {
        service.spawn("shard", shard::run(cx.clone(), number, start, service.shutdown()));
    }
    service.finished().await
}

#[cfg(test)]
mod tests {
    use common::config::docs;

    /// Name and default of each row; what a variable is may be said in other words.
    fn rows(markdown: &str) -> Vec<(&str, &str)> {
        let rows = markdown.lines().filter(|line| line.starts_with("| `") && line.split(" | ").count() == 3);
        rows.filter_map(|row| Some((row.split(" | ").next()?, row.split(" | ").last()?))).collect()
    }

    #[test]
    fn the_readme_names_every_variable_and_default() {
        let table = docs::table(&docs::describe::<crate::Config>());
        assert_eq!(rows(include_str!("../README.md")), rows(&table), "{table}");
    }
}
