//! What a run calls its own on the servers.

use std::process::Command;

use crate::program::Servers;

/// A bot of its own, and topics: what an earlier run left is neither resumed nor read.
pub(crate) struct Names {
    pub(crate) bot: u64,
    pub(crate) events: String,
    interactions: String,
    cache: String,
}

impl Names {
    pub(crate) fn new() -> Self {
        let bot = rand::random_range(1 << 40..1_u64 << 60);
        let (events, interactions) = (format!("bench-{bot}"), format!("bench-{bot}-clicks"));
        Self { bot, events, interactions, cache: format!("bench-{bot}-cache") }
    }

    /// Tells a program where they are.
    pub(crate) fn give(&self, servers: &Servers, command: &mut Command) {
        command
            .env("BOT_ID", self.bot.to_string())
            .env("PUBLIC_BOT_ID", self.bot.to_string())
            .env("KAFKA_BROKERS", &servers.kafka)
            .env("KAFKA_TOPIC", &self.events)
            .env("KAFKA_INTERACTIONS_TOPIC", &self.interactions)
            .env("KAFKA_CACHE_TOPIC", &self.cache)
            .env("KAFKA_GROUP_ID", format!("bench-{}", self.bot))
            .env("REDIS_ADDR", &servers.redis);
    }

    /// All that may have been made.
    pub(crate) fn topics(&self) -> Vec<String> {
        let Self { events, interactions, cache, .. } = self;
        vec![events.clone(), interactions.clone(), cache.clone()]
    }
}
