#![doc = include_str!("../README.md")]

pub mod config;
pub mod routes;

pub mod answer;
pub mod interaction;
pub mod late;
pub mod metrics;
pub mod signature;
pub mod worker;

use anyhow::Context;
use common::{clock::Clock, service::Service};
use event_stream::{LateInteractions, Producer, Profile, ensure_topics};

pub use config::Config;

use crate::{late::Late, metrics::Metrics, routes::Cx, worker::Worker};

/// Runs the gateway until the service is told to stop.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let http = service.http(config.server_addr).await?;
    let metrics = Metrics::new(service.metrics()).context("register the metrics")?;
    let worker = Worker::new(service.name(), &config.worker, config.shared_key.as_ref(), metrics.clone())
        .context("build the client for the worker")?;
    let late = Late::default();
    // Clicks are answered before Kafka is there: most need only the worker. Until then the service is not ready.
    http.serve(routes::router(Cx {
        bot: config.bot,
        key: config.key,
        clock: Clock::system(),
        worker,
        late: late.clone(),
        metrics,
    }));
    let producer = service
        .connect("kafka", || async {
            ensure_topics(&config.kafka).await?;
            anyhow::Ok(Producer::connect(&config.kafka, service.name(), Profile::Interactive).await?)
        })
        .await?;
    producer.register(service.metrics()).context("register the producer's metrics")?;
    late.connected(producer.clone());
    service.spawn("kafka", {
        let (kafka, stop) = (service.dependency("kafka"), service.shutdown());
        async move {
            producer.watch::<LateInteractions>(kafka, stop).await;
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
