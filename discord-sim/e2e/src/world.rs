use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use common::{config::Env, discord::DiscordConfig, redis::RedisConfig, service::Service};
use database::{Database, DatabaseConfig, scratch::Scratch};
use discord_sim::{Sim, seed::Seed};
use event_stream::KafkaConfig;
use secrecy::{ExposeSecret, SecretString};
use sharder::config::ShardRange;
use standalone::{Config, config::Backends, run::Plan};
use tokio::net::TcpListener;
use url::Url;
use uuid::Uuid;

use crate::{Door, process::Sharder};

/// How interactions reach the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interactions {
    /// Signed and posted to the http-gateway.
    ByHttp,
    /// As INTERACTION_CREATE through the sharder and Kafka.
    ByGateway,
}

/// A Discord, the servers beneath, and all services.
pub struct World {
    /// Discord.
    pub sim: Sim,
    /// Who and what is in it.
    pub seed: Seed,
    /// The database of this world.
    pub scratch: Scratch,
    /// Topics of this world.
    pub kafka: KafkaConfig,
    /// Where the http-gateway takes interactions.
    pub endpoint: String,
    service: Service,
}

impl World {
    /// Everything as tasks of this process, ready for clicks.
    pub async fn start(interactions: Interactions) -> Self {
        Self::with_sharder(interactions, |sharder, service, _| sharder.start(service)).await.0
    }

    /// Everything but the sharder, which runs as a process of its own.
    pub async fn start_with_sharder_process(interactions: Interactions) -> (Self, Sharder) {
        Self::with_sharder(interactions, |_, _, config| Sharder::start(config)).await
    }

    /// Everything as tasks of this process, with Postgres, Redis and Kafka behind shut doors. Not waited for; the address answers `/readyz`.
    pub async fn start_behind_doors() -> (Self, [Door; 3], SocketAddr) {
        let mut ground = Ground::lay().await;
        let backends = &mut ground.config.backends;
        let mut uri = Url::parse(backends.database.uri.expose_secret()).expect("DATABASE_URI is an address");
        let server = format!("{}:{}", uri.host_str().unwrap_or("127.0.0.1"), uri.port().unwrap_or(5432));
        let doors = [
            Door::shut(server).await,
            Door::shut(backends.redis.addr.clone()).await,
            Door::shut_before_kafka(backends.kafka.brokers.clone()).await,
        ];
        uri.set_host(Some("127.0.0.1")).expect("a host can be set");
        uri.set_port(Some(doors[0].addr().port())).expect("a port can be set");
        backends.database.uri = SecretString::from(uri.to_string());
        backends.redis.addr = doors[1].addr().to_string();
        backends.kafka.brokers = doors[2].addr().to_string();
        let service = Service::for_test("e2e");
        let ops = service.serve_ops(Some((Ipv4Addr::LOCALHOST, 0).into())).await.expect("a port for health");
        let plan = Plan::make(ground.config.clone(), &service).await.expect("the services can be planned");
        plan.sharder.start(&service);
        let endpoint = start(plan.worker, plan.gateway, &service);
        (ground.world(endpoint, service), doors, ops.expect("an address of health"))
    }

    async fn with_sharder<T>(
        interactions: Interactions,
        sharder: impl FnOnce(standalone::run::Sharder, &Service, &Config) -> T,
    ) -> (Self, T) {
        let ground = Ground::lay().await;
        let service = Service::for_test("e2e");
        let plan = Plan::make(ground.config.clone(), &service).await.expect("the services can be planned");
        let sharder = sharder(plan.sharder, &service, &ground.config);
        let endpoint = start(plan.worker, plan.gateway, &service);
        let world = ground.world(endpoint, service);
        world.ready(interactions).await;
        (world, sharder)
    }

    /// Waits for registered commands, a connected shard and ready services, and names the endpoint in the portal.
    pub async fn ready(&self, interactions: Interactions) {
        let application = self.seed.application;
        self.sim
            .wait_for("registered commands and a connected shard", |state| {
                let registered = state.applications.get(&application).is_some_and(|found| !found.commands.is_empty());
                (registered && state.sessions.connected_shards(application) == 1).then_some(())
            })
            .await;
        // Commands are there before the worker takes its first click.
        wait_for("services that are ready", async || self.service.not_ready().is_empty().then_some(())).await;
        if interactions == Interactions::ByHttp {
            self.service
                .connect("interactions endpoint", || self.sim.set_interactions_endpoint(application, &self.endpoint))
                .await
                .expect("the endpoint answers PING and refuses a forged signature");
        }
    }

    /// The database.
    pub fn db(&self) -> &Database {
        &self.scratch.database
    }

    /// Waits until `look` finds something in the database.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub async fn wait_for_db<T, Fut>(&self, what: &str, mut look: impl FnMut() -> Fut) -> T
    where
        Fut: Future<Output = Option<T>>,
    {
        wait_for(what, async || look().await).await
    }

    /// Ends the world, and fails the test if anything happened that must not: requests against Discord's description, dead letters, a
    /// service that failed.
    pub async fn finish(self) {
        self.service.stop();
        self.service.finished().await.expect("every service stops cleanly");
        let violations = self.sim.read(|state| state.ledger.violations.clone());
        assert!(violations.is_empty(), "against Discord's description: {violations:#?}");
        let dead = crate::dead_letters(&self.kafka).await;
        assert!(dead.is_empty(), "dead letters were left: {dead:#?}");
        self.sim.stop();
        self.scratch.close().await.expect("the scratch database is dropped");
    }
}

/// Asks again and again: neither Postgres nor a service's health tells of a change.
async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(discord_sim::sim::PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// What a world stands on, before any service runs.
struct Ground {
    sim: Sim,
    seed: Seed,
    scratch: Scratch,
    config: Config,
}

impl Ground {
    async fn lay() -> Self {
        common::tls::install_provider();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port for Discord");
        let sim = Sim::start(port).expect("Discord starts");
        let seed = Seed::plant(&sim);
        let scratch = Scratch::create().await.expect("a scratch database");
        let redis = common::config::read::<RedisConfig>(&mut Env::load()).expect("REDIS_ADDR is valid");
        let config = Config {
            token: SecretString::from(seed.token(&sim)),
            server_addr: (Ipv4Addr::LOCALHOST, 0).into(),
            metrics_addr: None,
            shards: ShardRange::new(0, 1, 1).expect("one shard"),
            message_content: true,
            discord: DiscordConfig { api_url: Url::parse(&sim.api_url()).expect("Discord's address") },
            backends: Backends {
                database: DatabaseConfig { uri: scratch.uri.clone(), threads: 8 },
                redis,
                kafka: topics(),
            },
        };
        Self { sim, seed, scratch, config }
    }

    fn world(self, endpoint: String, service: Service) -> World {
        // Tests look at the topics directly, not through a door.
        let kafka = KafkaConfig { brokers: event_stream::testing::config().brokers, ..self.config.backends.kafka };
        World { sim: self.sim, seed: self.seed, scratch: self.scratch, kafka, endpoint, service }
    }
}

fn start(worker: standalone::run::Worker, gateway: standalone::run::Gateway, service: &Service) -> String {
    let endpoint = format!("http://{}/interactions", gateway.addr());
    worker.start(service);
    gateway.start(service);
    endpoint
}

/// Topics and groups that no other test has.
fn topics() -> KafkaConfig {
    let unique = Uuid::new_v4().simple().to_string();
    let base = event_stream::testing::config();
    KafkaConfig {
        events_topic: format!("e2e-{unique}-events"),
        interactions_topic: format!("e2e-{unique}-interactions"),
        group: Some(format!("e2e-{unique}")),
        partitions: 3,
        ..base
    }
}
