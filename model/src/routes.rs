//! The internal HTTP routes between our processes.

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
