//! Members that ride in messages and clicks.
//!
//! A busy member rides in thousands of messages and is the same in all of them, so this process remembers whom it wrote and how.
//! It is right for as long as the partition stays with this process, for then nobody else wrote of the guild in between; and each
//! member is written once a day at least, which notes that somebody still sees the member.

use std::{
    collections::HashMap,
    hash::Hasher,
    sync::{Arc, Mutex, PoisonError},
};

use cache::{
    change::{Change, Update},
    encode,
    entity::Member,
};
use foldhash::{SharedSeed, fast::FoldHasher};
use moka::sync::Cache;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

/// Guilds of which riders are remembered.
const GUILDS: u64 = 20_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Whom this process wrote. Clones are the same.
#[derive(Clone)]
pub(crate) struct Riders(Cache<Key, Arc<Written>>);

type Key = (Id<ApplicationMarker>, Id<GuildMarker>);

struct Written {
    assignment: u64,
    /// A fingerprint of how each member was written.
    members: Mutex<HashMap<Id<UserMarker>, u64>>,
}

/// What is to be remembered once it is written.
pub(crate) struct Noted {
    written: Arc<Written>,
    members: Vec<(Id<UserMarker>, u64)>,
}

impl Default for Riders {
    fn default() -> Self {
        Self(Cache::new(GUILDS))
    }
}

impl Riders {
    /// Whether the member that rides here was written just so, on the same day, by this process, since it has the partition.
    pub(crate) fn knows(&self, assignment: u64, update: &Update) -> bool {
        let [Change::Member(member)] = update.changes.as_slice() else { return false };
        let (Some(written), Some(user)) = (self.0.get(&(update.bot, update.guild)), member.id()) else { return false };
        let print = fingerprint(member, update.position.received_ms);
        written.assignment == assignment && lock(&written.members).get(&user) == Some(&print)
    }

    /// Forgets what an update changes before it is written; [`Noted::keep`] remembers how it was written.
    pub(crate) fn note(&self, assignment: u64, update: &Update) -> Noted {
        let key = (update.bot, update.guild);
        let anew = |change: &Change| matches!(change, Change::Whole(_) | Change::Left);
        if update.changes.iter().any(anew) || self.0.get(&key).is_some_and(|written| written.assignment != assignment) {
            self.0.invalidate(&key);
        }
        let written = self.0.get_with(key, || Arc::new(Written { assignment, members: Mutex::default() }));
        let mut members = Vec::new();
        let mut known = lock(&written.members);
        for change in &update.changes {
            match change {
                Change::Member(member) => {
                    if let Some(user) = member.id() {
                        known.remove(&user);
                        members.push((user, fingerprint(member, update.position.received_ms)));
                    }
                }
                Change::MemberGone(user) => drop(known.remove(user)),
                _ => {}
            }
        }
        drop(known);
        Noted { written, members }
    }
}

impl Noted {
    /// It is written.
    pub(crate) fn keep(self) {
        lock(&self.written.members).extend(self.members);
    }
}

fn fingerprint(member: &Member, received_ms: i64) -> u64 {
    let mut hasher = FoldHasher::with_seed(0, SharedSeed::global_random());
    // Every member has a compact form; without one it would be written each time.
    hasher.write(&encode(member).unwrap_or_default());
    hasher.write_i64(received_ms.div_euclid(DAY_MS));
    hasher.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use cache::change::Position;

    use super::*;

    fn rider(user: u64, nick: &str, received_ms: i64) -> Update {
        let member = format!(r#"{{"user":{{"id":"{user}"}},"nick":"{nick}"}}"#);
        let member: Member = serde_json::from_str(&member).unwrap();
        update(vec![Change::Member(Box::new(member))], received_ms)
    }

    fn update(changes: Vec<Change>, received_ms: i64) -> Update {
        let position = Position { session: "s".to_owned(), sequence: 1, received_ms };
        Update { bot: Id::new(1), guild: Id::new(2), position, changes }
    }

    fn written() -> Riders {
        let riders = Riders::default();
        riders.note(7, &rider(3, "Mia", 0)).keep();
        riders
    }

    #[test]
    fn a_member_that_was_written_so_is_known_until_something_is_different() {
        let riders = written();
        assert!(riders.knows(7, &rider(3, "Mia", 1)));
        assert!(!riders.knows(7, &rider(4, "Mia", 1)), "another member");
        assert!(!riders.knows(7, &rider(3, "Mia the second", 1)), "another name");
        assert!(!riders.knows(7, &rider(3, "Mia", DAY_MS)), "another day");
        assert!(!riders.knows(8, &rider(3, "Mia", 1)), "somebody else had the partition in between");
    }

    #[test]
    fn what_was_not_written_is_not_known() {
        let riders = written();
        let failed = riders.note(7, &rider(3, "Mia the second", 1));
        drop(failed);
        assert!(!riders.knows(7, &rider(3, "Mia the second", 1)));
        assert!(!riders.knows(7, &rider(3, "Mia", 1)), "nobody knows what became of it");
    }

    #[test]
    fn who_left_and_whoever_was_in_a_guild_that_is_told_anew_is_not_known() {
        for change in [Change::MemberGone(Id::new(3)), Change::Left] {
            let riders = written();
            riders.note(7, &update(vec![change], 1)).keep();
            assert!(!riders.knows(7, &rider(3, "Mia", 1)));
        }
    }
}
