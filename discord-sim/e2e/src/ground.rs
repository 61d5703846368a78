use std::{net::Ipv4Addr, time::Duration};

use cache::{ClientConfig, store::CacheDatabase};
use common::{config::Env, redis::RedisConfig, service::Service};
use database::{Database, DatabaseConfig, scratch::Scratch};
use discord_sim::{Sim, rate_limits::Mode, seed::Seed, state::kind};
use event_stream::KafkaConfig;
use global_resolver::config::Upstream;
use secrecy::SecretString;
use sharder::config::ShardRange;
use standalone::{
    Config,
    config::{Backends, StatsChannel},
};
use stats_channel_updater::Pace;
use tokio::net::TcpListener;
use url::Url;
use uuid::Uuid;

use crate::{World, servers};

/// What a world stands on, before any service runs.
pub struct Ground {
    /// Discord.
    pub sim: Sim,
    /// Who and what is in it.
    pub seed: Seed,
    pub(crate) config: Config,
    /// The brokers' own addresses, where the services have others.
    pub(crate) direct: String,
    pub(crate) home: Home,
}

/// Where the tickets are.
pub(crate) enum Home {
    Scratch(Scratch),
    Own(Database),
}

impl Ground {
    /// A Discord and a database of its own as in [`Ground::lay`], with topics of its own on `cluster`.
    ///
    /// # Panics
    ///
    /// When a server is missing.
    pub async fn on_cluster(cluster: &servers::Cluster) -> Self {
        Self::on(topics(cluster.config(KafkaConfig::at(cluster.addresses())))).await
    }

    /// A Discord of its own, a scratch database, and topics of its own on the servers that DATABASE_URI, REDIS_ADDR and KAFKA_BROKERS name.
    ///
    /// # Panics
    ///
    /// When one is missing.
    pub async fn lay() -> Self {
        Self::on(topics(event_stream::testing::config())).await
    }

    /// The same on another Kafka.
    ///
    /// # Panics
    ///
    /// When a server is missing.
    pub async fn on(kafka: KafkaConfig) -> Self {
        common::tls::install_provider();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port for Discord");
        let sim = Sim::start(port).expect("Discord starts");
        sim.write(|state| state.rate_limits.mode = Mode::Real);
        let seed = Seed::plant(&sim);
        let scratch = Scratch::create().await.expect("a scratch database");
        let redis = common::config::read::<RedisConfig>(&mut Env::load()).expect("REDIS_ADDR is valid");
        let direct = kafka.brokers.clone();
        let database = DatabaseConfig { uri: scratch.uri.clone(), threads: 8 };
        let cache = CacheDatabase { uri: scratch.uri.clone(), threads: 4 };
        let config = Config {
            token: SecretString::from(seed.token(&sim)),
            server_addr: (Ipv4Addr::LOCALHOST, 0).into(),
            metrics_addr: None,
            shards: ShardRange::new(0, 1, 1).expect("one shard"),
            message_content: true,
            counter_addr: None,
            counter_interval: Duration::from_millis(100),
            stats_channel: None,
            cached_members: cache::Members { told: true, ..cache::Members::default() },
            discord: Upstream::at(Url::parse(&sim.api_url()).expect("Discord's address")),
            backends: Backends { database, cache, redis, kafka },
        };
        Self { sim, seed, config, direct, home: Home::Scratch(scratch) }
    }

    /// Its Kafka is reached through `addresses`; tests look at it directly.
    #[must_use]
    pub fn behind(mut self, addresses: String) -> Self {
        self.config.backends.kafka.brokers = addresses;
        self
    }

    /// Its bot has so many shards, all of which may identify at once.
    ///
    /// # Panics
    ///
    /// When there are none.
    #[must_use]
    pub fn with_shards(mut self, shards: u32) -> Self {
        self.config.shards = ShardRange::new(0, 1, shards).expect("at least one shard");
        self.sim.write(|state| {
            if let Some(application) = state.applications.get_mut(&self.seed.application) {
                application.shards = shards;
                application.max_concurrency = shards;
            }
        });
        self
    }

    /// Discord lets its bot send so many requests in a second, and the gate knows.
    #[must_use]
    pub fn with_global_limit(mut self, limit: u32) -> Self {
        self.config.discord.global = limit;
        self.sim.write(|state| state.rate_limits.global = usize::try_from(limit).unwrap_or(usize::MAX));
        self
    }

    /// A voice channel of the seeded guild shows how many guilds there are.
    #[must_use]
    pub fn with_stats_channel(mut self) -> Self {
        let channel = self.sim.write(|state| state.add_channel(self.seed.guild, kind::VOICE, "Servers: ?", None));
        let template = "Servers: {count}".parse().expect("a template");
        let pace = Pace { interval: Duration::from_millis(100), ..Pace::every(Duration::from_secs(10)) };
        self.config.stats_channel = Some(StatsChannel { channel, template, pace });
        self
    }

    /// Its topics have so many partitions.
    #[must_use]
    pub fn with_partitions(mut self, partitions: i32) -> Self {
        self.config.backends.kafka.partitions = partitions;
        self
    }

    /// It keeps tickets and sessions on servers of the test's own.
    ///
    /// # Panics
    ///
    /// When Postgres does not answer.
    pub async fn with_servers(mut self, postgres: &servers::Postgres, redis: &servers::Redis) -> Self {
        let backends = &mut self.config.backends;
        backends.redis = redis.config();
        backends.database = postgres.config();
        backends.cache.uri = backends.database.uri.clone();
        self.home = Home::Own(Database::connect(&postgres.config()).await.expect("Postgres answers"));
        self
    }

    pub(crate) fn world(self, endpoint: String, cache: ClientConfig, service: Service) -> World {
        World::new(self, endpoint, cache, service)
    }
}

impl Home {
    pub(crate) fn database(&self) -> &Database {
        match self {
            Self::Scratch(scratch) => &scratch.database,
            Self::Own(database) => database,
        }
    }

    pub(crate) async fn leave(self) {
        match self {
            Self::Scratch(scratch) => scratch.close().await.expect("the scratch database is dropped"),
            Self::Own(database) => database.close().await,
        }
    }
}

/// Topics and groups that no other test has.
pub(crate) fn topics(cluster: KafkaConfig) -> KafkaConfig {
    let unique = Uuid::new_v4().simple().to_string();
    KafkaConfig {
        events_topic: format!("e2e-{unique}-events"),
        interactions_topic: format!("e2e-{unique}-interactions"),
        cache_topic: format!("e2e-{unique}-changes"),
        group: Some(format!("e2e-{unique}")),
        partitions: 3,
        ..cluster
    }
}
