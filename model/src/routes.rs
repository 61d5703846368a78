//! The internal HTTP routes between our processes.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// `POST` http-gateway → worker: Discord's interaction, its body unchanged.
///
/// Carries [`BOT_ID`], [`RECEIVED_AT_MS`] and [`traceparent`](crate::trace::HEADER), and `Authorization: Bearer` with the shared key where there is one. Answers 200
/// with Discord's interaction response as JSON; 202 where the answer takes longer than Discord waits, so that http-gateway
/// keeps the click on Kafka and says "the answer comes later"; 503 while the worker is not ready.
pub const INTERACTIONS: &str = "/interactions";

/// Header: the decimal id of the bot whose interaction it is.
pub const BOT_ID: &str = "x-bot-id";

/// Header: when the click was received, in milliseconds since 1970.
pub const RECEIVED_AT_MS: &str = "x-received-at-ms";

/// `GET` server-counter → cache: [`Count`] of the bot that [`BOT_ID`] names, of the cache's own without it. 404 where no
/// guild of the bot was ever known, 503 while the cache may be wrong.
pub const GUILD_COUNT: &str = "/guilds/count";

/// `GET` anyone → server-counter: [`Total`] as JSON; 503 while no count is known.
pub const TOTAL: &str = "/total";

/// How many guilds a bot is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Those in an outage included: the bot did not leave them.
    pub count: u64,
}

/// How many guilds the bot is in, as far as is known. Of another counter than ours, the count is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The last count that was learnt.
    pub count: u64,
    /// How long ago the cache was asked for it, in seconds.
    #[serde(default)]
    pub age_seconds: u64,
    /// When that was, in whole seconds; as RFC 3339 on the wire.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub as_of: Option<OffsetDateTime>,
    /// Whether the cache had no answer when it was asked last.
    #[serde(default)]
    pub stale: bool,
}
