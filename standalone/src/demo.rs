//! `standalone demo`: all services against a local Discord with a seeded guild, made ready to be clicked.
#![expect(clippy::print_stdout, reason = "the page's address is what the demo is started for")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use cache::store::CacheDatabase;
use common::{
    config::{Env, FromEnv, Invalid},
    redis::RedisConfig,
    service::Service,
};
use database::DatabaseConfig;
use discord_sim::{Sim, rate_limits::Mode, seed::Seed};
use event_stream::embedded::Broker;
use global_resolver::config::Upstream;
use secrecy::SecretString;
use serde_json::json;
use sharder::config::ShardRange;
use tokio::net::TcpListener;
use url::Url;

use crate::{config::Backends, run::Plan};

/// The variables of the demo: the servers beneath.
pub struct Config(Backends);

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        Backends::from_env(env).map(Self)
    }
}

/// The variables of the demo with its own broker.
pub struct WithoutKafka {
    database: DatabaseConfig,
    cache: CacheDatabase,
    redis: RedisConfig,
}

impl FromEnv for WithoutKafka {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::from_env(env);
        let cache = CacheDatabase::from_env(env);
        let redis = RedisConfig::from_env(env);
        Ok(Self { database: database?, cache: cache?, redis: redis? })
    }
}

/// What the demo stands on.
pub enum Ground {
    /// Real servers.
    Servers(Backends),
    /// Real servers but for Kafka.
    Embedded(WithoutKafka),
}

impl From<Config> for Ground {
    fn from(config: Config) -> Self {
        Self::Servers(config.0)
    }
}

impl From<WithoutKafka> for Ground {
    fn from(config: WithoutKafka) -> Self {
        Self::Embedded(config)
    }
}

/// Runs the demo until the process is told to stop.
///
/// # Errors
///
/// When the page's address is taken, or a service fails.
pub async fn run(ground: Ground, listen: SocketAddr, service: Service) -> anyhow::Result<()> {
    let (backends, _broker) = match ground {
        Ground::Servers(backends) => (backends, None),
        Ground::Embedded(WithoutKafka { database, cache, redis }) => {
            let broker = Broker::start().context("start the embedded broker")?;
            let kafka = broker.config();
            tracing::warn!("Kafka is embedded: every event is lost when this process ends");
            (Backends { database, cache, redis, kafka }, Some(broker))
        }
    };
    let page = page_listener(listen).await?;
    let sim = Sim::start(page)?;
    sim.write(|state| state.rate_limits.mode = Mode::Real);
    let seed = Seed::plant(&sim);
    let config = crate::Config {
        token: SecretString::from(seed.token(&sim)),
        server_addr: (Ipv4Addr::LOCALHOST, 0).into(),
        metrics_addr: Some((Ipv4Addr::LOCALHOST, 0).into()),
        shards: ShardRange::new(0, 1, 1).context("one shard")?,
        message_content: true,
        counter_addr: None,
        counter_interval: Duration::from_secs(10),
        stats_channel: None,
        // The local Discord grants every intent.
        cached_members: cache::Members { told: true, ..cache::Members::default() },
        discord: Upstream::at(Url::parse(&sim.api_url())?),
        backends,
    };
    service.serve_ops(config.metrics_addr).await?;
    let plan = Plan::make(config, &service).await?;
    let endpoint = format!("http://{}/interactions", plan.gateway.addr());
    plan.cache.start(&service);
    plan.worker.start(&service);
    plan.gateway.start(&service);
    plan.sharder.start(&service);
    service.spawn("demo", prepare(sim.clone(), seed, endpoint, service.clone()));
    let finished = service.finished().await;
    sim.stop();
    finished
}

/// The asked-for address, or a free port when that one is taken.
async fn page_listener(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(listen).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::info!("{listen} is taken, the page goes to a free port");
            TcpListener::bind((listen.ip(), 0)).await.context("bind the page's address")
        }
        Err(error) => Err(error).with_context(|| format!("bind the page's address {listen}")),
    }
}

/// Does what an operator and a server owner would do first: names the endpoint in the portal, runs `/setup`, gives the staff its role.
async fn prepare(sim: Sim, seed: Seed, endpoint: String, service: Service) -> anyhow::Result<()> {
    let shutdown = service.shutdown();
    let prepared = shutdown
        .run_until_cancelled(async {
            service
                .connect("interactions endpoint", || async {
                    let ready = sim.read(|state| {
                        state.applications.get(&seed.application).is_some_and(|found| !found.commands.is_empty())
                    });
                    if !ready {
                        return Err("the bot has not registered its commands yet".to_owned());
                    }
                    sim.set_interactions_endpoint(seed.application, &endpoint).await
                })
                .await?;
            // The first click would be put off by services that are not ready.
            while !service.not_ready().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let setup = sim
                .command(seed.admin, seed.support, "setup", &json!([]))
                .map_err(|error| anyhow::anyhow!("/setup: {}", error.body()))?;
            sim.response(setup).await;
            sim.write(|state| {
                let staff_role = state
                    .guilds
                    .get(&seed.guild)
                    .and_then(|guild| guild.roles.values().find(|role| role.name == "Support"))
                    .map(|role| role.id);
                if let Some(role) = staff_role {
                    state.give_role(seed.guild, seed.staff, role);
                }
            });
            anyhow::Ok(())
        })
        .await;
    if let Some(prepared) = prepared {
        prepared?;
        println!(
            "\n  Open {} and press “Open ticket” in #support.\n  Switch between Ada (owner), Sam (staff), Mia and Noah (members) at the bottom left. Ctrl-C ends it.\n",
            sim.page_url()
        );
        shutdown.cancelled().await;
    }
    Ok(())
}
