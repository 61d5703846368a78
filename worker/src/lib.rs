#![doc = include_str!("../README.md")]

mod config;
mod context;
mod metrics;

pub mod action;
pub mod commands;
pub mod components;
pub mod events;
pub mod modals;
pub mod setup;
pub mod tickets;

pub mod answer;
pub mod dispatch;
mod error;
pub mod interaction;
mod limits;
mod refused;
pub mod register;
pub mod reply;
pub mod routes;
pub mod text;

#[cfg(test)]
mod registry;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use anyhow::Context as _;
use common::{
    clock::Clock,
    discord::{self, Discord},
    service::Service,
};
use database::Database;
use event_stream::{Consumer, EventMetrics, GatewayEvents, LateInteractions, Producer, Profile, ensure_topics};
use tokio_util::task::TaskTracker;

pub use self::{
    config::Config,
    context::Context,
    error::{CommandError, Refusal},
    metrics::Metrics,
};

/// Where the bot's token comes from, for whoever has to mend it.
const TOKEN: &str = "DISCORD_TOKEN (or PUBLIC_TOKEN)";

/// Gateway events handled at once; each takes a connection to the database for a moment.
const EVENTS_AT_ONCE: usize = 64;

/// Late clicks handled at once; each may wait for Discord.
const CLICKS_AT_ONCE: usize = 256;

/// Runs the worker until the stop.
///
/// # Errors
///
/// When it cannot listen, or one of its tasks fails.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let http = service.http(config.server_addr).await?;
    let discord = Discord::new(&config.discord, config.token).context("make the discord client")?;
    discord.register_metrics(service.metrics()).context("register discord's metrics")?;
    let metrics = Metrics::register(service.metrics()).context("register the metrics")?;
    let db = service.connect("postgres", || Database::connect(&config.database)).await?;
    db.migrate().await.context("migrate the ticket database")?;
    let name = service.name();
    let bot = match config.bot {
        Some(bot) => bot,
        None => discord::ask_own_id(&service, &discord, TOKEN).await?,
    };
    // Workers of several bots may share the topics, and each passes the others' events over.
    let kafka = &config.kafka.of_bot(name, bot);
    let (events, clicks, producer) = service
        .connect("kafka", || async {
            ensure_topics(kafka).await?;
            let producer = Producer::connect(kafka, name, Profile::Interactive).await?;
            let events = Consumer::<GatewayEvents>::connect(kafka, name, &producer).await?;
            let clicks = Consumer::<LateInteractions>::connect(kafka, name, &producer).await?;
            Ok::<_, event_stream::Error>((events, clicks, producer))
        })
        .await?;
    producer.register(service.metrics()).context("register the producer's metrics")?;
    let health = service.dependency("kafka");
    let (events, clicks) = (events.with_health(health.part("events")), clicks.with_health(health.part("clicks")));
    let both = EventMetrics::register(service.metrics()).context("register the metrics of both topics")?;
    let (events, clicks) = (events.with_event_metrics(both.clone()), clicks.with_event_metrics(both));
    events.register(service.metrics()).context("register the metrics of events")?;
    clicks.register(service.metrics()).context("register the metrics of clicks")?;
    let cache =
        cache::client::Client::new(&config.cache, name, bot, discord.clone()).context("make the cache's client")?;
    cache.register_metrics(service.metrics()).context("register the cache's metrics")?;
    let cx = Context {
        db,
        discord,
        cache,
        bot,
        clock: Clock::system(),
        metrics,
        late_clicks: producer,
        tasks: TaskTracker::new(),
        wake: Arc::default(),
    };
    if let Err(error) = discord::ask(&service, || register::register(&cx)).await? {
        if error.status() == Some(401) {
            return Err(discord::explained(error, TOKEN));
        }
        // Those that Discord has may do; it allows 200 new ones a day.
        tracing::error!("discord does not take our commands: {error}");
    }

    http.serve(routes::router(cx.clone(), config.shared_key));
    service.spawn("token", discord::watch_token(service.clone(), cx.discord.clone(), TOKEN));
    service.spawn("events", {
        let (cx, stop) = (cx.clone(), service.shutdown());
        async move {
            let handler = move |event, _| {
                let cx = cx.clone();
                async move { events::handle(&cx, &event).await }
            };
            events.run(stop, EVENTS_AT_ONCE, handler).await.context("consume gateway events")
        }
    });
    service.spawn("late clicks", {
        let (cx, stop) = (cx.clone(), service.shutdown());
        async move {
            let handler = move |late, _| {
                let cx = cx.clone();
                async move { answer::late::answer(&cx, &late).await }
            };
            clicks.run(stop, CLICKS_AT_ONCE, handler).await.context("consume late interactions")
        }
    });
    service.spawn("reconciler", tickets::reconcile::run(cx.clone(), service.clone()));

    let outcome = service.finished().await;
    // Nobody begins work any more; what runs may end in the time that the stop leaves.
    cx.tasks.close();
    service.hard_stop().run_until_cancelled(cx.tasks.wait()).await;
    outcome
}
