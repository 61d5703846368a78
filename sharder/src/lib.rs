#![doc = include_str!("../README.md")]

pub mod config;
pub mod shard;

pub mod budget;
pub mod envelope;
pub mod gateway;
pub mod identify;
pub mod metrics;
pub mod outbox;
pub mod persist;
pub mod presence;
pub mod sessions;
pub mod total;
pub mod whitelabel;
pub mod window;

mod walk;

use anyhow::Context;
use common::{
    clock::Clock,
    discord::{self, Discord},
    service::Service,
};
use event_stream::{Producer, Profile, ensure_topics};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use twilight_gateway::ConfigBuilder;

pub use config::Config;

use crate::{
    budget::Budget,
    config::Shards,
    identify::{Bot, Line},
    metrics::Metrics,
    sessions::Sessions,
    total::Totals,
};

/// Runs the sharder until the service is told to stop.
///
/// # Errors
///
/// When Discord refuses the bot for good, or a dependency cannot be used.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    service.serve_ops(config.metrics_addr).await?;
    let gateway = service.dependency("gateway");
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
    let info = gateway::ask(&service, &discord).await?;
    let pool = common::redis::connect(&config.redis);
    let totals = matches!(config.shards, Shards::Auto { .. }).then(|| Totals::new(pool.clone()));
    let range = match &totals {
        Some(totals) => {
            let agree = async || totals.agree(bot, info.shards).await.map_err(anyhow::Error::from);
            config.shards.of(service.connect("redis", agree).await?)
        }
        None => config.shards.of(info.shards),
    };
    let sessions = Sessions::new(pool.clone(), bot, range.total());
    let mut starts = Vec::new();
    for number in range.shards() {
        let load = async || sessions.load(number).await.map_err(anyhow::Error::from);
        starts.push((number, service.connect("redis", load).await?));
    }
    if starts.is_empty() {
        tracing::warn!("all {} shards are held by other processes, this one only stands by", range.total());
        gateway.up();
    }

    let buckets = config.buckets;
    let line = Bot { id: bot, discord: discord.clone(), buckets, sole: range.is_whole(), alone: true };
    let identify = Line::new(pool, line, config.identify, metrics.clone());
    let allowance = identify.allowance().clone();
    allowance.tell(info.session_start_limit.clone()).await;
    let watch = total::watch(discord, allowance, bot, range.total(), info.shards, totals, metrics.clone());
    let stop = service.shutdown();
    service.spawn(
        "recommendation",
        async move { stop.run_until_cancelled(watch).await.map_or(Ok(()), |end| match end {}) },
    );
    let intents = gateway::intents(config.message_content, config.members);
    let cx = shard::Cx {
        bot,
        total: range.total(),
        config: ConfigBuilder::new(config.token.expose_secret().to_owned(), intents).proxy_url(info.base_url()).build(),
        identify,
        // The public bot has none.
        presence: watch::channel(None).1,
        producer,
        sessions,
        budget: Budget::default(),
        clock: Clock::system(),
        metrics,
        gateway,
        kafka: service.dependency("kafka"),
        redis: service.dependency("redis"),
    };
    for (number, start) in starts {
        let cx = cx.part(format_args!("shard {number}"));
        service.spawn("shard", shard::run(cx, number, start, service.shutdown()));
    }
    service.finished().await
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_names_every_variable_and_default() {
        // What follows is of the other binary, see `whitelabel::config`.
        let readme = include_str!("../README.md").split("\n## Whitelabel").next().unwrap();
        common::config::docs::assert_told::<crate::Config>(readme);
    }
}
