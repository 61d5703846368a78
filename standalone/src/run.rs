//! Every service as a child of one process.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use common::{
    discord::{self, Discord, DiscordConfig},
    service::Service,
};
use http_gateway::signature::PublicKey;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::net::TcpListener;
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;
use uuid::Uuid;

use crate::{Config, config::StatsChannel, gate};

/// Runs all services until the process is told to stop.
///
/// # Errors
///
/// When a service fails.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    service.serve_ops(config.metrics_addr).await?;
    let plan = Plan::make(config, &service).await?;
    plan.cache.start(&service);
    plan.worker.start(&service);
    plan.gateway.start(&service);
    plan.sharder.start(&service);
    service.finished().await
}

/// The services of one process with what each needs, ready to be started.
pub struct Plan {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// The gate to Discord, which is open already.
    pub discord: DiscordConfig,
    /// What is known of guilds, and who tells how many there are.
    pub cache: Cache,
    /// Ticket logic.
    pub worker: Worker,
    /// Interactions by HTTP.
    pub gateway: Gateway,
    /// Gateway shards.
    pub sharder: Sharder,
}

/// The cache on a loopback address that only the services of this process know, and what stands on it.
pub struct Cache {
    service: cache::Config,
    listener: TcpListener,
    known: Url,
    sync: cache_sync_service::Config,
    counter: Option<(server_counter::Config, TcpListener)>,
    updater: Option<stats_channel_updater::Config>,
}

/// The worker, on a loopback address that only the http-gateway of this process knows.
pub struct Worker(worker::Config, TcpListener);

/// The http-gateway with its bound socket.
pub struct Gateway(http_gateway::Config, TcpListener);

/// The sharder.
pub struct Sharder(sharder::Config);

impl Plan {
    /// Binds the addresses, opens the gate, and asks Discord who the bot is.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound, Discord refuses the token, or the stop comes before it answers.
    pub async fn make(config: Config, service: &Service) -> anyhow::Result<Self> {
        let gateway_listener = service.listener(config.server_addr).await?;
        let gateway_addr = gateway_listener.local_addr()?;
        let worker_listener = loopback("worker").await?;
        let worker_addr = worker_listener.local_addr()?;

        let discord = gate::start(config.discord.clone(), service).await?;
        let client = Discord::new(&discord, config.token.clone()).context("build the Discord client")?;
        let application: Application = discord::ask_json(service, &client, "applications/@me", "DISCORD_TOKEN").await?;
        let key: Option<PublicKey> = application.verify_key.parse().ok();

        let cache = Cache::plan(&config, application.id, &discord).await?;
        // The worker's port is open to whoever is on this machine; only the http-gateway beside it is to be believed.
        let shared_key = secret();
        let worker = worker::Config {
            server_addr: worker_addr,
            token: config.token.clone(),
            bot: Some(application.id),
            shared_key: Some(shared_key.clone()),
            database: config.backends.database,
            kafka: config.backends.kafka.clone(),
            discord: discord.clone(),
            cache: cache.client(),
        };
        let gateway = http_gateway::Config {
            server_addr: gateway_addr,
            bot: application.id,
            key: key.context("Discord's public key of this bot is not a valid ed25519 key")?,
            worker: Url::parse(&format!("http://{worker_addr}"))?,
            shared_key: Some(shared_key),
            kafka: config.backends.kafka.clone(),
        };
        let sharder = sharder::Config {
            token: config.token,
            bot: Some(application.id),
            shards: config.shards.into(),
            buckets: None,
            identify: sharder::identify::Settings::default(),
            message_content: config.message_content,
            members: config.cached_members.told,
            redis: config.backends.redis,
            kafka: config.backends.kafka,
            discord: discord.clone(),
            metrics_addr: None,
        };
        Ok(Self {
            bot: application.id,
            discord,
            cache,
            worker: Worker(worker, worker_listener),
            gateway: Gateway(gateway, gateway_listener),
            sharder: Sharder(sharder),
        })
    }
}

/// A key that only services of this process know.
fn secret() -> SecretString {
    SecretString::from(Uuid::new_v4().simple().to_string())
}

/// A port that nobody outside of this machine reaches.
async fn loopback(whose: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.with_context(|| format!("bind an address for {whose}"))
}

impl Cache {
    /// Binds its addresses.
    async fn plan(config: &Config, bot: Id<ApplicationMarker>, discord: &DiscordConfig) -> anyhow::Result<Self> {
        let listener = loopback("the cache").await?;
        let server_addr = listener.local_addr()?;
        let known = Url::parse(&format!("http://{server_addr}"))?;
        let service = cache::Config {
            server_addr,
            shared_key: Some(secret()),
            bot: Some(bot),
            members: config.cached_members,
            database: config.backends.cache.clone(),
            kafka: config.backends.kafka.clone(),
        };
        let sync = cache_sync_service::Config {
            metrics_addr: None,
            keep_unused: config.cached_members.keep_unused,
            database: config.backends.cache.clone(),
            kafka: config.backends.kafka.clone(),
        };
        let counter = match (config.counter_addr, &config.stats_channel) {
            (Some(addr), _) => {
                Some(TcpListener::bind(addr).await.with_context(|| format!("listen on {addr} (SERVER_COUNTER_ADDR)"))?)
            }
            (None, Some(_)) => Some(loopback("server-counter").await?),
            (None, None) => None,
        };
        let counter = match counter {
            Some(listener) => {
                let config = server_counter::Config {
                    server_addr: listener.local_addr()?,
                    cache: known.clone(),
                    shared_key: service.shared_key.clone(),
                    bot: Some(bot),
                    interval: config.counter_interval,
                };
                Some((config, listener))
            }
            None => None,
        };
        let updater = match (&config.stats_channel, &counter) {
            (Some(StatsChannel { channel, template, pace }), Some((counter, _))) => {
                Some(stats_channel_updater::Config {
                    counter: Url::parse(&format!("http://{}/total", counter.server_addr))?,
                    token: config.token.clone(),
                    channel: *channel,
                    template: template.clone(),
                    pace: *pace,
                    discord: discord.clone(),
                    metrics_addr: None,
                })
            }
            _ => None,
        };
        Ok(Self { service, listener, known, sync, counter, updater })
    }

    /// How it is asked.
    pub fn client(&self) -> cache::ClientConfig {
        let uri = self.known.clone();
        cache::ClientConfig { uri, shared_key: self.service.shared_key.clone() }
    }

    /// Starts it, and what stands on it, as children of `service`.
    pub fn start(self, service: &Service) {
        let child = service.child("cache").with_listener(self.listener);
        service.spawn("cache", cache::run(self.service, child));
        let child = service.child("cache-sync-service");
        service.spawn("cache-sync-service", cache_sync_service::run(self.sync, child));
        if let Some((config, listener)) = self.counter {
            let child = service.child("server-counter").with_listener(listener);
            service.spawn("server-counter", server_counter::run(config, child));
        }
        if let Some(config) = self.updater {
            let child = service.child("stats-channel-updater");
            service.spawn("stats-channel-updater", stats_channel_updater::run(config, child));
        }
    }
}

impl Worker {
    /// Starts it as a child of `service`.
    pub fn start(self, service: &Service) {
        let child = service.child("worker").with_listener(self.1);
        service.spawn("worker", worker::run(self.0, child));
    }
}

impl Gateway {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.0.server_addr
    }

    /// Starts it as a child of `service`.
    pub fn start(self, service: &Service) {
        let child = service.child("http-gateway").with_listener(self.1);
        service.spawn("http-gateway", http_gateway::run(self.0, child));
    }
}

impl Sharder {
    /// Starts it as a child of `service`.
    pub fn start(self, service: &Service) {
        service.spawn("sharder", sharder::run(self.0, service.child("sharder")));
    }
}

/// What a bot can read about itself: with it one token is configuration enough.
#[derive(Deserialize)]
struct Application {
    id: Id<ApplicationMarker>,
    verify_key: String,
}
