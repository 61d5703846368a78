use serde::{Deserialize, Serialize};
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::Session;
use crate::state::Principal;

/// Whose sessions a fault hits: those of every bot, of one bot, of one shard, or one alone. People are never hit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Target {
    /// Only this bot's.
    pub bot: Option<Id<ApplicationMarker>>,
    /// Only the shards with this number.
    pub shard: Option<u32>,
    /// Only this session.
    pub session: Option<String>,
}

impl Target {
    /// The sessions of every bot.
    pub fn all() -> Self {
        Self::default()
    }

    /// The sessions of one bot.
    pub fn bot(bot: Id<ApplicationMarker>) -> Self {
        Self { bot: Some(bot), ..Self::default() }
    }

    /// The sessions of one shard of a bot.
    pub fn shard(bot: Id<ApplicationMarker>, shard: u32) -> Self {
        Self { bot: Some(bot), shard: Some(shard), session: None }
    }

    /// One session.
    pub fn session(id: impl Into<String>) -> Self {
        Self { session: Some(id.into()), ..Self::default() }
    }

    /// Whether a session is meant.
    pub fn hits(&self, session: &Session) -> bool {
        let Principal::Bot(bot) = session.principal else { return false };
        self.bot.is_none_or(|only| only == bot)
            && self.shard.is_none_or(|only| only == session.shard[0])
            && self.session.as_ref().is_none_or(|only| *only == session.id)
    }
}
