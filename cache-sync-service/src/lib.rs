#![doc = include_str!("../README.md")]

mod config;
mod metrics;

mod failure;
mod handle;
mod riders;
mod writer;

mod purge;

use anyhow::Context as _;
use cache::store::Postgres;
use common::{clock::Clock, service::Service};
use event_stream::{Consumer, EventMetrics, GatewayEvents, Producer, Profile, ensure_topics};

pub use self::config::Config;
use self::{handle::Context, metrics::Metrics, riders::Riders, writer::Writer};

/// Events handled at once. Most wait for the batch that they are in: so many updates, each of another guild, a batch can
/// have at most.
const EVENTS_AT_ONCE: usize = 512;

/// Runs the service until the stop.
///
/// # Errors
///
/// When one of its tasks fails.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    service.serve_ops(config.metrics_addr).await?;
    let metrics = Metrics::register(service.metrics()).context("register the metrics")?;
    let db = service.connect("postgres", || Postgres::connect(&config.database)).await?;
    service.connect("postgres", || db.migrate()).await?;
    let name = service.name();
    let kafka = &config.kafka;
    let (events, producer) = service
        .connect("kafka", || async {
            ensure_topics(kafka).await?;
            let producer = Producer::connect(kafka, name, Profile::Interactive).await?;
            let events = Consumer::<GatewayEvents>::connect(kafka, name, &producer).await?;
            Ok::<_, event_stream::Error>((events, producer))
        })
        .await?;
    producer.register(service.metrics()).context("register the producer's metrics")?;
    let events = events.with_health(service.dependency("kafka").part("events"));
    let events = events.with_event_metrics(EventMetrics::register(service.metrics()).context("register the metrics")?);
    events.register(service.metrics()).context("register the consumer's metrics")?;

    let writer = Writer::start(&service, &db, &producer, &metrics, config.database.threads);
    service.spawn("purge", purge::run(db.clone(), config.keep_unused, Clock::system(), service.shutdown()));
    let cx = Context { db, writer, producer, riders: Riders::default(), metrics };
    service.spawn("events", {
        let stop = service.shutdown();
        async move {
            let handler = move |event, meta: event_stream::Meta| {
                let cx = cx.clone();
                async move { handle::handle(&cx, &event, meta.assignment).await }
            };
            events.run(stop, EVENTS_AT_ONCE, handler).await.context("consume gateway events")
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
