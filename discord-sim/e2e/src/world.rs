use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use cache::ClientConfig;
use common::{discord::DiscordConfig, service::Service};
use database::Database;
use discord_sim::{Sim, seed::Seed};
use event_stream::KafkaConfig;
use secrecy::{ExposeSecret, SecretString};
use standalone::run::{Gateway, Plan, Worker};

use crate::{
    Door, Ground, cache_differences,
    ground::Home,
    servers::Process,
    wait::{until, wait_for},
};

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
    /// Topics of this world.
    pub kafka: KafkaConfig,
    /// Where the http-gateway takes interactions.
    pub endpoint: String,
    /// Where guilds are cached.
    pub cache: ClientConfig,
    pub(crate) shards: usize,
    home: Home,
    service: Service,
}

/// The services as processes, in the order in which they lean on each other.
pub struct Processes {
    /// The gate to Discord.
    pub resolver: Process,
    /// Ticket logic.
    pub worker: Process,
    /// Interactions by HTTP.
    pub gateway: Process,
    /// Gateway shards.
    pub sharder: Process,
    /// What every cache follows.
    pub sync: Process,
    /// Guilds in memory.
    pub cache: Process,
}

impl World {
    /// Everything as tasks of this process, ready for clicks.
    pub async fn start(interactions: Interactions) -> Self {
        Self::whole_on(Ground::lay().await, interactions).await
    }

    /// The same on a ground of the test's choice.
    pub async fn whole_on(ground: Ground, interactions: Interactions) -> Self {
        let (world, ()) = Self::run(ground, |_, sharder, service| sharder.start(service)).await;
        world.ready(interactions).await;
        world
    }

    /// Everything but the sharder, which runs as a process of its own.
    pub async fn start_with_sharder_process(interactions: Interactions) -> (Self, Process) {
        Self::on_ground(Ground::lay().await, interactions).await
    }

    /// The same, and that on a ground of the test's choice.
    pub async fn on_ground(ground: Ground, interactions: Interactions) -> (Self, Process) {
        let config = ground.config.clone();
        let (world, sharder) = Self::run(ground, |gate, _, _| Process::sharder(&config, gate)).await;
        world.ready(interactions).await;
        (world, sharder)
    }

    /// Every service as a process of its own.
    ///
    /// # Errors
    ///
    /// When one does not get ready.
    pub async fn of_processes(ground: Ground, interactions: Interactions) -> Result<(Self, Processes), String> {
        let config = &ground.config;
        let (bot, key) = (ground.seed.application.to_string(), ground.seed.public_key(&ground.sim));
        let resolver = Process::resolver(config);
        let (sync, cache) = (Process::cache_sync(config), Process::cache(config));
        let worker = Process::worker(config, &resolver.gate(), &cache);
        let gateway = Process::gateway(config, &worker, bot, key);
        let sharder = Process::sharder(config, &resolver.gate());
        let mut processes = Processes { resolver, worker, gateway, sharder, sync, cache };
        let endpoint = format!("http://{}/interactions", processes.gateway.address());
        let cached = processes.cache.cached();
        let world = ground.world(endpoint, cached, Service::unattended("e2e"));
        let Processes { resolver, worker, gateway, sharder, sync, cache } = &mut processes;
        for process in [resolver, worker, gateway, sharder, sync, cache] {
            process.ready().await?;
        }
        world.ready(interactions).await;
        Ok((world, processes))
    }

    /// Everything as tasks of this process, with Postgres, Redis and Kafka behind shut doors. Not waited for; the address answers `/readyz`.
    pub async fn start_behind_doors() -> (Self, [Door; 3], SocketAddr) {
        let mut ground = Ground::lay().await;
        let backends = &mut ground.config.backends;
        let (postgres, uri) = Door::shut_before_postgres(backends.database.uri.expose_secret()).await;
        let doors = [
            postgres,
            Door::shut_before(backends.redis.addr.clone()).await,
            Door::shut_before_kafka(backends.kafka.brokers.clone()).await,
        ];
        backends.database.uri = SecretString::from(uri);
        backends.cache.uri = backends.database.uri.clone();
        backends.redis.addr = doors[1].addr().to_string();
        backends.kafka.brokers = doors[2].addr().to_string();
        let service = Service::unattended("e2e");
        let ops = service.serve_ops(Some((Ipv4Addr::LOCALHOST, 0).into())).await.expect("a port for health");
        let plan = Plan::make(ground.config.clone(), &service).await.expect("the services can be planned");
        plan.sharder.start(&service);
        let cached = plan.cache.client();
        plan.cache.start(&service);
        let endpoint = start(plan.worker, plan.gateway, &service);
        (ground.world(endpoint, cached, service), doors, ops.expect("an address of health"))
    }

    /// Worker and http-gateway as tasks, and whatever `sharder` makes of the sharder.
    async fn run<T>(
        ground: Ground,
        sharder: impl FnOnce(&DiscordConfig, standalone::run::Sharder, &Service) -> T,
    ) -> (Self, T) {
        let service = Service::unattended("e2e");
        let plan = Plan::make(ground.config.clone(), &service).await.expect("the services can be planned");
        let sharder = sharder(&plan.discord, plan.sharder, &service);
        let cached = plan.cache.client();
        plan.cache.start(&service);
        let endpoint = start(plan.worker, plan.gateway, &service);
        (ground.world(endpoint, cached, service), sharder)
    }

    pub(crate) fn new(ground: Ground, endpoint: String, cache: ClientConfig, service: Service) -> Self {
        let Ground { sim, seed, config, direct, home } = ground;
        let shards = config.shards.shards().len();
        // Tests look at the topics directly, not through a door.
        let kafka = KafkaConfig { brokers: direct, ..config.backends.kafka };
        World { sim, seed, kafka, endpoint, cache, shards, home, service }
    }

    /// Waits for registered commands, connected shards and ready services, and names the endpoint in the portal.
    pub async fn ready(&self, interactions: Interactions) {
        let application = self.seed.application;
        self.sim
            .wait_for("registered commands and connected shards", |state| {
                let registered = state.applications.get(&application).is_some_and(|found| !found.commands.is_empty());
                (registered && state.sessions.connected_shards(application) == self.shards).then_some(())
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
        self.home.database()
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
        if let Err(differs) = self.cache_comes_right(discord_sim::sim::PATIENCE).await {
            panic!("{differs}");
        }
        let stopped = self.stop().await;
        assert!(stopped.is_ok(), "every service stops cleanly: {stopped:?}");
        let violations = self.sim.read(|state| state.ledger.violations.clone());
        assert!(violations.is_empty(), "against Discord's description: {violations:#?}");
        let dead = crate::dead_letters(&self.kafka).await;
        assert!(dead.is_empty(), "dead letters were left: {dead:#?}");
        self.leave().await;
    }

    /// Waits until the cache knows of every guild what Discord has.
    ///
    /// # Errors
    ///
    /// When it does not in time, with what differs.
    pub async fn cache_comes_right(&self, patience: Duration) -> Result<(), String> {
        self.comes_right(&self.cache, patience).await
    }

    /// The same of another cache process.
    ///
    /// # Errors
    ///
    /// When it does not in time, with what differs.
    pub async fn comes_right(&self, cache: &ClientConfig, patience: Duration) -> Result<(), String> {
        let mut last = String::new();
        let waiting = until("the cache to be right", patience, async || {
            last = match cache_differences(&self.sim, self.seed.application, cache).await {
                Ok(differences) if differences.is_empty() => return Some(()),
                Ok(differences) => differences.join("\n"),
                Err(silence) => silence,
            };
            None
        });
        waiting.await.map_err(|vain| format!("{vain}:\n{last}"))
    }

    /// Stops the services that are tasks of this process.
    ///
    /// # Errors
    ///
    /// When one failed.
    pub async fn stop(&self) -> Result<(), String> {
        self.service.stop();
        self.service.finished().await.map_err(|error| format!("{error:#}"))
    }

    /// Ends Discord, and drops the scratch database.
    pub async fn leave(self) {
        self.sim.stop();
        self.home.leave().await;
    }
}

fn start(worker: Worker, gateway: Gateway, service: &Service) -> String {
    let endpoint = format!("http://{}/interactions", gateway.addr());
    worker.start(service);
    gateway.start(service);
    endpoint
}
