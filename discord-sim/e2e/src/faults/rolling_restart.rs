//! A deploy of everything: each service, each broker, Redis and Postgres stop politely and start again while people go on.

use std::time::Instant;

use super::{Dose, Report, scene::Scene};
use crate::{
    Ground,
    servers::{Cluster, Postgres, Redis},
};

/// What stands beneath the services.
struct Servers {
    kafka: Cluster,
    redis: Redis,
    postgres: Postgres,
}

/// Who is next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Sharder,
    Worker,
    Gateway,
    Resolver,
    Sync,
    Cache,
    Broker(usize),
    Redis,
    Postgres,
}

impl Next {
    /// The name of the milliseconds that its restarts took.
    fn label(self) -> &'static str {
        match self {
            Self::Sharder => "sharder_ms",
            Self::Worker => "worker_ms",
            Self::Gateway => "gateway_ms",
            Self::Resolver => "resolver_ms",
            Self::Sync => "cache_sync_ms",
            Self::Cache => "cache_ms",
            Self::Broker(_) => "brokers_ms",
            Self::Redis => "redis_ms",
            Self::Postgres => "postgres_ms",
        }
    }
}

const ROUND: [Next; 11] = [
    Next::Sharder,
    Next::Worker,
    Next::Gateway,
    Next::Resolver,
    Next::Sync,
    Next::Cache,
    Next::Broker(0),
    Next::Broker(1),
    Next::Broker(2),
    Next::Redis,
    Next::Postgres,
];

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let (kafka, redis, postgres) = tokio::join!(Cluster::start(3), Redis::start(), Postgres::start());
    let mut servers = Servers { kafka, redis, postgres };
    let ground = Ground::on_cluster(&servers.kafka).await.with_servers(&servers.postgres, &servers.redis).await;
    let mut scene = Scene::of_processes(ground, dose, seed).await;
    let mut struck = Ok(());
    for next in ROUND.into_iter().cycle().take(ROUND.len() * dose.choose(1, 5)) {
        // The brokers' turns are most of the time that a round takes.
        if dose == Dose::Small && matches!(next, Next::Broker(1..)) {
            continue;
        }
        struck = strike(next, &mut servers, &mut scene, &mut report).await;
        if let Err(error) = &mut struck {
            *error = format!("{next:?}: {error}");
            break;
        }
    }
    scene.close(struck, Some(1), &mut report).await;
    report
}

async fn strike(next: Next, servers: &mut Servers, scene: &mut Scene, report: &mut Report) -> Result<(), String> {
    scene.a_while(400).await?;
    report.strikes += 1;
    let before = scene.resumes();
    let since = Instant::now();
    match next {
        Next::Sharder => {
            scene.sharder.stop().await?;
            scene.sharder.restart();
            scene.resumed(before + 1).await?;
            scene.sharder.ready().await?;
        }
        Next::Worker | Next::Gateway | Next::Resolver | Next::Sync | Next::Cache => {
            let service = &mut scene.others[match next {
                Next::Worker => 0,
                Next::Gateway => 1,
                Next::Resolver => 2,
                Next::Sync => 3,
                _ => 4,
            }];
            service.stop().await?;
            service.restart();
            service.ready().await?;
        }
        Next::Broker(broker) => {
            servers.kafka.stop(broker).await;
            servers.kafka.restart(broker);
            servers.kafka.ready().await?;
        }
        Next::Redis => servers.redis.restart().await?,
        Next::Postgres => servers.postgres.restart().await?,
    }
    report.note(next.label(), u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
    scene.recovers(since, report).await
}
