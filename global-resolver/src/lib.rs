#![doc = include_str!("../README.md")]

pub mod config;
pub mod health;
pub mod limiter;
pub mod metrics;
pub mod proxy;
pub mod route;

use anyhow::Context;
use common::service::Service;

pub use config::Config;

use crate::{limiter::Limiter, metrics::Metrics, proxy::Gate};

/// Runs the gate until the service is told to stop.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let http = service.http(config.server_addr).await?;
    let limiter = Limiter::new(config.limits());
    service.detail("discord", {
        let limiter = limiter.clone();
        move || health::of(&limiter)
    });
    let metrics = Metrics::new(service.metrics(), &limiter).context("register the metrics")?;
    let gate = Gate::new(&config.upstream, limiter, metrics).context("build the client for Discord")?;
    http.serve(proxy::router(gate));
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
