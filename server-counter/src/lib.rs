#![doc = include_str!("../README.md")]

pub mod config;
pub mod routes;

pub mod cache;
pub mod metrics;
pub mod poll;
pub mod total;

use anyhow::Context;
use common::{clock::Clock, service::Service};

pub use config::Config;

use crate::{cache::Cache, metrics::Gauges, routes::Cx, total::Total};

/// Runs the counter until the service is told to stop.
///
/// # Errors
///
/// When the address cannot be bound, or the shared key cannot be sent in a header.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let http = service.http(config.server_addr).await?;
    let total = Total::default();
    let gauges = Gauges::new(&total).context("describe the metrics")?;
    service.metrics().register(Box::new(gauges)).context("register the metrics")?;
    let cache = Cache::new(service.name(), &config).context("build the client for the cache")?;
    let cx = Cx::new(total.clone(), config.interval).context("describe what Prometheus is told")?;
    http.serve(routes::router(cx));
    let polling = poll::run(cache, total, Clock::system(), config.interval, service.dependency("cache"));
    service.spawn("poll", {
        let stop = service.shutdown();
        async move {
            stop.run_until_cancelled(polling).await;
            Ok(())
        }
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
