#![doc = include_str!("../README.md")]

pub mod config;
pub mod fleet;
pub mod health;
pub mod limiter;
pub mod metrics;
pub mod proxy;

use anyhow::Context;
use common::service::Service;

pub use config::Config;

use crate::{fleet::Fleet, limiter::Limiter, metrics::Metrics, proxy::Gate};

/// Runs the gate until the service is told to stop.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let http = service.http(config.server_addr).await?;
    let limiter = Limiter::new(config.upstream.settings());
    service.detail("discord", {
        let limiter = limiter.clone();
        move || health::of(&limiter)
    });
    let metrics = Metrics::new(service.metrics(), &limiter).context("register the metrics")?;
    let fleet = match config.fleet {
        Some(fleet) => Fleet::join(fleet, &limiter, &service).context("join the other instances")?,
        None => Fleet::alone(),
    };
    let gate = Gate::new(&config.upstream.api_url, limiter, fleet, metrics).context("build the client for Discord")?;
    http.serve(proxy::router(gate));
    service.finished().await
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_names_every_variable_and_default() {
        common::config::docs::assert_told::<crate::Config>(include_str!("../README.md"));
    }
}
