//! The service.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use common::{clock::Clock, service::Service};
use event_stream::{FollowerMetrics, Producer, Profile, ensure_topics};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    hot::{Following, Hot},
    http::{self, Answering, DefaultBot},
    metrics::Guilds,
    news::Use,
    store::{Memory, Postgres},
};

/// How often it is looked which members nobody uses.
const PURGE_EVERY: Duration = Duration::from_hours(1);
/// How often uses are noted in the truth.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// So many uses are noted at once; more, and some are noted another day.
const USES: usize = 4_096;

/// Runs the cache until the stop.
///
/// # Errors
///
/// When it cannot listen, or one of its tasks fails.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    // Down from the first moment on: ready is who has heard everything.
    service.dependency("cache-changes").down("nothing is read yet");
    let http = service.http(config.server_addr).await?;
    let metrics = FollowerMetrics::register(service.metrics()).context("register the follower's metrics")?;
    let db = service.connect("postgres", || Postgres::connect(&config.database)).await?;
    service.connect("postgres", || db.migrate()).await?;
    let name = service.name();
    let producer = service
        .connect("kafka", || async {
            ensure_topics(&config.kafka).await?;
            Producer::connect(&config.kafka, name, Profile::Interactive).await
        })
        .await?;
    producer.register(service.metrics()).context("register the producer's metrics")?;

    let (memory, clock) = (Memory::new(), Clock::system());
    let guilds = Guilds::new(memory.clone()).context("describe the metrics")?;
    service.metrics().register(Box::new(guilds)).context("register the metrics")?;
    service.detail("guilds", {
        let memory = memory.clone();
        move || serde_json::json!({ "bots": memory.bots().len(), "guilds": memory.count_of_all() })
    });
    let hot = Hot::new(memory.clone());
    let (uses, noted) = mpsc::channel(USES);
    let answering = Answering {
        hot: hot.clone(),
        db: db.clone(),
        producer,
        clock: clock.clone(),
        bot: DefaultBot(config.bot),
        members: config.members,
        uses,
    };
    http.serve(http::router(answering, config.shared_key));
    let following = Following { hot, db: db.clone(), kafka: config.kafka, clock: clock.clone(), metrics };
    service.spawn("follow", following.run(service.clone()));
    service.spawn("note uses", note_uses(db, noted, clock.clone(), service.shutdown()));
    service.spawn("purge", purge(memory, config.members.keep_unused, clock, service.shutdown()));
    service.finished().await
}

/// Notes in the truth who was asked for, so that a restart does not forget them.
async fn note_uses(
    db: Postgres,
    mut uses: mpsc::Receiver<Use>,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(NOTE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let mut noted = Vec::new();
        while let Ok(used) = uses.try_recv() {
            noted.push(used);
        }
        if noted.is_empty() {
            continue;
        }
        if let Err(error) = db.note_uses(&noted, clock.now_ms()).await {
            tracing::warn!("who was asked for is not noted today: {:#}", anyhow::Error::from(error));
        }
    }
    Ok(())
}

async fn purge(memory: Memory, keep: Duration, clock: Clock, stop: CancellationToken) -> anyhow::Result<()> {
    let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let memory = Arc::new(memory);
    let mut ticks = tokio::time::interval(PURGE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let (memory, since_ms) = (Arc::clone(&memory), clock.now_ms().saturating_sub(keep_ms));
        let purged = tokio::task::spawn_blocking(move || memory.purge(since_ms)).await;
        let (members, users) = purged.context("purge members")?;
        if members + users > 0 {
            tracing::info!("forgot {members} members and {users} users that nobody used");
        }
    }
    Ok(())
}
