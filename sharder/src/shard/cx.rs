//! What a shard is run with.

use std::fmt;

use common::{clock::Clock, service::Dependency};
use event_stream::Producer;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use twilight_gateway::Config;
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::forwarder::Forwarder;
use crate::{
    budget::Budget, identify::Line, metrics::Metrics, persist, presence::Presence, sessions::Sessions, window::Position,
};

/// What the shards of one bot share: a process may have one bot with many shards, or many with one.
#[derive(Clone)]
pub struct Cx {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// How many shards the bot has.
    pub total: u32,
    /// Token, intents, address and TLS. The queue in it is not used.
    pub config: Config,
    /// Where the bot's shards wait for their IDENTIFYs.
    pub identify: Line,
    /// What is to stand under the bot's name; a change is sent within seconds.
    pub presence: watch::Receiver<Option<Presence>>,
    /// The producer of events.
    pub producer: Producer,
    /// The stored sessions.
    pub sessions: Sessions,
    /// How much all shards of the process may have on their way to Kafka.
    pub budget: Budget,
    /// Wall time.
    pub clock: Clock,
    /// The counters.
    pub metrics: Metrics,
    /// Whether the shard is connected.
    pub gateway: Dependency,
    /// Whether Kafka takes the shard's events.
    pub kafka: Dependency,
    /// Whether Redis takes the shard's positions.
    pub redis: Dependency,
}

impl Cx {
    /// The same for one shard: `part` names it where a dependency is down.
    #[must_use]
    pub fn part(&self, part: impl fmt::Display) -> Self {
        let Self { gateway, kafka, redis, .. } = self;
        Self { gateway: gateway.part(&part), kafka: kafka.part(&part), redis: redis.part(&part), ..self.clone() }
    }
}

/// Runs one shard until `shutdown`: from the stored position, if there is one, by RESUME, else by IDENTIFY.
///
/// # Errors
///
/// [`FatalClose`](crate::gateway::FatalClose) when Discord closes the connection for good, or refuses the token; another error when the last
/// position could not be stored.
pub async fn run(cx: Cx, number: u32, start: Option<Position>, shutdown: CancellationToken) -> anyhow::Result<()> {
    let (position, latest) = watch::channel(start.clone());
    let forwarder = Forwarder::new(cx.clone(), number, start, position);
    // The forwarder holds the sender, so its end lets the last position be written, also when it failed.
    let (forwarded, persisted) = tokio::join!(
        forwarder.run(shutdown),
        persist::positions(&cx.sessions, number, latest, &cx.redis, &cx.metrics),
    );
    forwarded.and(persisted)
}
