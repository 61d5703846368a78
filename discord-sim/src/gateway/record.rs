//! What is remembered of a session beyond its end.

use time::OffsetDateTime;
use twilight_model::id::{Id, marker::ApplicationMarker};

/// A session of a bot, also one that is over.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Whose.
    pub bot: Id<ApplicationMarker>,
    /// Shard id and count.
    pub shard: [u32; 2],
    /// When it began.
    pub begun: OffsetDateTime,
    /// The highest sequence that its bot is known to have received: by a heartbeat, a RESUME, or its answer to a WebSocket ping.
    pub confirmed: u64,
    /// When and why it ended.
    pub end: Option<(OffsetDateTime, End)>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nobody resumed it in time.
    Expired,
    /// op 9 `d: false`, out of the blue.
    Invalidated,
    /// Closed with 4009.
    TimedOut,
    /// A RESUME was refused.
    Refused,
    /// A RESUME named a sequence that is not replayable (any more).
    BadSequence,
    /// Its bot closed with this code, 1000 or 1001.
    GivenUp(u16),
    /// The bot's token is no longer good.
    TokenReset,
    /// It was taken out of [`Sessions::by_id`](super::Sessions::by_id) by hand.
    Removed,
}

impl End {
    /// Whether Discord ended it, so that its bot has to begin a new one.
    pub fn is_by_discord(self) -> bool {
        !matches!(self, Self::GivenUp(_))
    }
}
