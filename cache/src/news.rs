//! What is told on the topic `cache-changes`.
//!
//! The truth is Postgres. Who writes it tells what changed once it is written; a crash in between is told later, as
//! [`News::Reread`]. Every cache process hears everything.

use bytes::Bytes;
use event_stream::{CacheChanges, Delivery, Producer};
use model::topics::CacheChange;
use serde::{Deserialize, Serialize};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

use crate::{
    change::{Change, Update},
    entity::{Member, User},
    store::{Outcome, Refill},
    wire,
};

/// A record's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// The guild's next version: these changes, of an event that was received then (milliseconds since 1970).
    Changed(i64, Vec<Change>),
    /// The guild is at this version. Who is behind reads it from the truth.
    Reread,
    /// Discord was asked for a member: the guild's epoch before, when that was, and the member.
    Refilled(u64, i64, Box<Member>),
    /// A user is so, as was told then, outside of any guild.
    User(i64, Box<User>),
}

/// Larger ones are read from the truth: brokers take records of 1 MiB, and followers hold some in memory.
const LARGEST: usize = 512 * 1024;

impl News {
    /// What is to be told of an update.
    #[must_use]
    pub fn of(update: &Update, outcome: Outcome) -> CacheChange {
        let (bot, guild, version) = (update.bot, Some(update.guild), outcome.version);
        // Where it was not applied now, it may have been before a crash that came before it was told.
        if !outcome.applied {
            return News::Reread.about(bot, guild, version);
        }
        record(&Borrowed::Changed(update.position.received_ms, &update.changes), bot, guild, version)
    }

    /// What is to be told of a member that Discord was asked for.
    #[must_use]
    pub fn refilled(bot: Id<ApplicationMarker>, guild: Id<GuildMarker>, refill: &Refill) -> CacheChange {
        let Refill { member, epoch, read_ms } = refill;
        News::Refilled(*epoch, *read_ms, Box::new(member.clone())).about(bot, Some(guild), 0)
    }

    /// The same as a record.
    #[must_use]
    pub fn about(&self, bot: Id<ApplicationMarker>, guild: Option<Id<GuildMarker>>, version: u64) -> CacheChange {
        record(self, bot, guild, version)
    }
}

/// [`News::Changed`] of changes that somebody else has.
#[derive(Serialize)]
enum Borrowed<'a> {
    Changed(i64, &'a [Change]),
}

fn record(
    news: &impl Serialize,
    bot: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    version: u64,
) -> CacheChange {
    let payload = wire::encode(news).ok().filter(|payload| payload.len() <= LARGEST);
    // To read anew is never wrong.
    let payload = payload.or_else(|| wire::encode(&News::Reread).ok()).unwrap_or_default();
    CacheChange { bot, guild, version, payload: Bytes::from(payload) }
}

/// Writes records, in their order, and waits until Kafka has all of them.
///
/// # Errors
///
/// When Kafka does not take one; others may have been written.
pub async fn tell(producer: &Producer, news: Vec<CacheChange>) -> Result<(), event_stream::Error> {
    let mut under_way: Vec<Delivery> = Vec::new();
    for change in news {
        loop {
            match producer.enqueue::<CacheChanges>(&change) {
                Ok(delivery) => break under_way.push(delivery),
                // What is under way makes room.
                Err(event_stream::Error::QueueFull) if !under_way.is_empty() => {
                    for delivery in under_way.drain(..) {
                        delivery.await?;
                    }
                }
                Err(event_stream::Error::QueueFull) => {
                    producer.send::<CacheChanges>(&change).await?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    for delivery in under_way {
        delivery.await?;
    }
    Ok(())
}

/// A member whom somebody asked for: bot, guild, user.
pub type Use = (Id<ApplicationMarker>, Id<GuildMarker>, Id<UserMarker>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Position;

    fn update(changes: Vec<Change>) -> Update {
        let position = Position { session: "s".to_owned(), sequence: 1, received_ms: 7 };
        Update { bot: Id::new(1), guild: Id::new(2), position, changes }
    }

    fn told(update: &Update, applied: bool) -> News {
        let change = News::of(update, Outcome { version: 3, applied });
        assert_eq!((change.bot, change.guild, change.version), (Id::new(1), Some(Id::new(2)), 3));
        wire::decode(&change.payload).unwrap()
    }

    #[test]
    fn an_update_is_told_once_it_is_applied_and_else_to_be_read_anew() {
        let update = update(vec![Change::Unavailable, Change::Count(-1)]);
        assert_eq!(told(&update, true), News::Changed(7, update.changes.clone()));
        assert_eq!(told(&update, false), News::Reread);
    }

    #[test]
    fn what_is_too_large_for_a_record_is_read_anew() {
        let many = vec![Change::ChannelGone(Id::new(u64::MAX)); LARGEST / 8];
        assert_eq!(told(&update(many), true), News::Reread);
    }
}
