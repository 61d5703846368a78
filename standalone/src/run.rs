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

use crate::{Config, gate};

/// Runs all services until the process is told to stop.
///
/// # Errors
///
/// When a service fails.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    service.serve_ops(config.metrics_addr).await?;
    let plan = Plan::make(config, &service).await?;
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
    /// Ticket logic.
    pub worker: Worker,
    /// Interactions by HTTP.
    pub gateway: Gateway,
    /// Gateway shards.
    pub sharder: Sharder,
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
        let worker_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind the worker's address")?;
        let worker_addr = worker_listener.local_addr()?;

        let discord = gate::start(config.discord, service).await?;
        let client = Discord::new(&discord, config.token.clone()).context("build the Discord client")?;
        let application: Application = discord::ask_json(service, &client, "applications/@me", "DISCORD_TOKEN").await?;
        let key: Option<PublicKey> = application.verify_key.parse().ok();

        // The worker's port is open to whoever is on this machine; only the http-gateway beside it is to be believed.
        let shared_key = SecretString::from(Uuid::new_v4().simple().to_string());
        let worker = worker::Config {
            server_addr: worker_addr,
            token: config.token.clone(),
            bot: Some(application.id),
            shared_key: Some(shared_key.clone()),
            database: config.backends.database,
            kafka: config.backends.kafka.clone(),
            discord: discord.clone(),
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
            redis: config.backends.redis,
            kafka: config.backends.kafka,
            discord: discord.clone(),
            metrics_addr: None,
        };
        Ok(Self {
            bot: application.id,
            discord,
            worker: Worker(worker, worker_listener),
            gateway: Gateway(gateway, gateway_listener),
            sharder: Sharder(sharder),
        })
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
