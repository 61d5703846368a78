#![doc = include_str!("../README.md")]

pub mod config;

pub mod channel;
pub mod counter;
pub mod limit;
pub mod metrics;
pub mod name;
pub mod reach;
pub mod template;
pub mod updater;

use std::time::Duration;

use anyhow::Context;
use common::{discord::Discord, service::Service};

pub use config::{Config, Pace};
pub use template::Template;

use crate::{channel::Channel, counter::Counter, metrics::Metrics, reach::Reach, updater::Updater};

/// How long a call to Discord may take in all. Where its turn comes later, it is made later, with a newer count.
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs the updater until the service is told to stop.
///
/// # Errors
///
/// When Discord refuses the token, or a client cannot be built.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let discord = Discord::new(&config.discord, config.token).context("build the client for Discord")?;
    discord.register_metrics(service.metrics()).context("register the metrics of Discord's client")?;
    let metrics = Metrics::new(service.metrics()).context("register the metrics")?;
    let counter = Counter::new(service.name(), config.counter).context("build the client for the counter")?;
    service.serve_ops(config.metrics_addr).await?;
    let reach = |name| Reach::new(service.dependency(name), &config.pace);
    let discord = discord.in_bulk().with_deadline(DEADLINE);
    let channel = Channel::new(discord, config.channel, reach("discord"), &config.pace, metrics);
    let updater = Updater::new(counter, reach("counter"), channel, config.template, config.pace.interval);
    service.spawn("update", {
        let stop = service.shutdown();
        // A rename that the stop cuts off is no loss: the next start asks for the name.
        async move { stop.run_until_cancelled(updater.run()).await.unwrap_or(Ok(())) }
    });
    service.finished().await
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_names_every_variable_and_default() {
        common::config::docs::assert_told::<crate::Config>(include_str!("../README.md"));
    }
}
