//! Where the cache keeps what it knows.
//!
//! [`Postgres`] is the truth: it says which event comes after which, and outlives every process. [`Memory`] answers questions, and
//! follows. Both fold the same changes in the same way, which the model-based test holds them to.

mod error;
mod kind;
mod memory;
mod place;
mod postgres;

use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

pub use self::{
    error::Error,
    memory::{Followed, Memory, Refill, Seen},
    postgres::{CacheDatabase, Page, Postgres, Purged},
};
use crate::{change::Update, entity::Whole};

/// Keeps guilds, each as one bot sees it.
pub trait Store: Send + Sync {
    /// Applies updates of different guilds: all that follows from each, or, where an update stands before what was applied
    /// already, nothing. What it did, in the order of the updates.
    ///
    /// # Errors
    ///
    /// As the store fails; then nothing is applied.
    fn apply(&self, updates: &[Update]) -> impl Future<Output = Result<Vec<Outcome>, Error>> + Send;

    /// A guild with all that is known of it.
    ///
    /// # Errors
    ///
    /// As the store fails.
    fn guild(
        &self,
        bot: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
    ) -> impl Future<Output = Result<Option<Held>, Error>> + Send;

    /// How many guilds the bot is in, those in an outage included.
    ///
    /// # Errors
    ///
    /// As the store fails.
    fn count(&self, bot: Id<ApplicationMarker>) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many changes the guild has seen, this one included.
    pub version: u64,
    /// False where it came too late, or again.
    pub applied: bool,
}

/// A guild, and how far it is folded.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The bot that sees it so.
    pub bot: Id<ApplicationMarker>,
    /// Changes so far.
    pub version: u64,
    /// The last change after which an answer of Discord from before is not to be believed.
    pub epoch: u64,
    /// The guild.
    pub whole: Whole,
}
