//! The payloads of Kafka topics.

use std::fmt;

use bytes::Bytes;
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, InteractionMarker},
};

use crate::trace::TraceParent;

/// A dispatch of the gateway, of topic `tickets-events`.
///
/// (`bot`, `session`, `sequence`) identifies it: a dispatch that comes again has the same three.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayEvent {
    /// The bot that received it.
    pub bot: Id<ApplicationMarker>,
    /// The shard that received it.
    pub shard: u32,
    /// The gateway session.
    pub session: String,
    /// Its number in that session (`s`).
    pub sequence: u64,
    /// Its name (`t`), for example `MESSAGE_CREATE`.
    pub kind: String,
    /// The guild that it is about, where it is about one.
    pub guild: Option<Id<GuildMarker>>,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// Its trace; a record without one, or with a malformed one, has none.
    pub trace: Option<TraceParent>,
    /// The whole gateway frame `{"op","s","t","d"}`, byte for byte.
    pub payload: Bytes,
}

/// A click that was answered by "deferred", of topic `tickets-interactions`.
///
/// Its payload carries the interaction's own token, which lives for 15 minutes: so does the topic.
#[derive(Clone, PartialEq, Eq)]
pub struct LateInteraction {
    /// The bot whose interaction it is.
    pub bot: Id<ApplicationMarker>,
    /// The interaction.
    pub interaction: Id<InteractionMarker>,
    /// The guild that it came from, where it came from one.
    pub guild: Option<Id<GuildMarker>>,
    /// When it was received; the token's 15 minutes count from here.
    pub received_at: OffsetDateTime,
    /// Its trace; a record without one, or with a malformed one, has none.
    pub trace: Option<TraceParent>,
    /// Discord's body, byte for byte.
    pub payload: Bytes,
}

/// What changed in the cache, of topic `cache-changes`: written once Postgres has it.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheChange {
    /// The bot whose cache it is.
    pub bot: Id<ApplicationMarker>,
    /// The guild that it is about, where it is about one.
    pub guild: Option<Id<GuildMarker>>,
    /// The guild's number of changes after this one.
    pub version: u64,
    /// What changed, in the cache's own compact form.
    pub payload: Bytes,
}

// Payloads hold what people wrote, and tokens: only their size is shown.
impl fmt::Debug for GatewayEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayEvent")
            .field("bot", &self.bot)
            .field("shard", &self.shard)
            .field("session", &self.session)
            .field("sequence", &self.sequence)
            .field("kind", &self.kind)
            .field("guild", &self.guild)
            .field("received_at", &self.received_at)
            .field("trace", &self.trace)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

impl fmt::Debug for LateInteraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateInteraction")
            .field("bot", &self.bot)
            .field("interaction", &self.interaction)
            .field("guild", &self.guild)
            .field("received_at", &self.received_at)
            .field("trace", &self.trace)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

impl fmt::Debug for CacheChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheChange")
            .field("bot", &self.bot)
            .field("guild", &self.guild)
            .field("version", &self.version)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_a_payload() {
        let late = LateInteraction {
            bot: Id::new(1),
            interaction: Id::new(2),
            guild: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            trace: None,
            payload: Bytes::from_static(b"{\"token\":\"hush\"}"),
        };
        assert!(!format!("{late:?}").contains("hush"));
        let event = GatewayEvent {
            bot: Id::new(1),
            shard: 0,
            session: "s".to_owned(),
            sequence: 1,
            kind: "MESSAGE_CREATE".to_owned(),
            guild: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            trace: None,
            payload: Bytes::from_static(b"hush"),
        };
        assert!(!format!("{event:?}").contains("hush"));
        let change = CacheChange { bot: Id::new(1), guild: None, version: 1, payload: Bytes::from_static(b"hush") };
        assert!(!format!("{change:?}").contains("hush"));
    }
}
