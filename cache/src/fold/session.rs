//! What is about the bot itself.

use std::collections::HashSet;

use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use super::{Folded, Frame, Unreadable};
use crate::{
    change::{Change, Position, Update},
    entity::User,
    wire,
};

/// A session that began: it names every guild of its shard. What is not named was left while nobody listened.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// The bot as a user.
    pub user: User,
    /// Number of the shard, and of how many.
    pub shard: (u64, u64),
    /// The guilds of the shard.
    pub guilds: HashSet<Id<GuildMarker>>,
    position: Position,
}

impl Ready {
    /// What this says of a guild of the shard that it does not name.
    #[must_use]
    pub fn left(&self, guild: Id<GuildMarker>) -> Update {
        Update { bot: self.bot, guild, position: self.position.clone(), changes: vec![Change::Left] }
    }
}

pub(super) fn ready(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Data {
        user: User,
        guilds: Vec<Named>,
        /// Missing where there is only one.
        shard: Option<(u64, u64)>,
    }
    #[derive(Deserialize)]
    struct Named {
        #[serde(with = "wire::id")]
        id: Id<GuildMarker>,
    }
    let Data { user, guilds, shard } = frame.data()?;
    Ok(Folded::Ready(Ready {
        bot: frame.bot(),
        user,
        shard: shard.filter(|(_, of)| *of > 0).unwrap_or((0, 1)),
        guilds: guilds.into_iter().map(|named| named.id).collect(),
        position: frame.position(),
    }))
}

pub(super) fn user(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    frame.data().map(Folded::User)
}
