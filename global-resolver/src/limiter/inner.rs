//! Limits within a route that no header shows: a channel's name and its topic may be changed twice in ten minutes each
//! (not documented; Discord says so by `Retry-After` only). Known in advance, so that a command can tell the member.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use tokio::time::Instant;

use super::memory::{About, Fact};

const PERIOD: Duration = Duration::from_secs(10 * 60);
const MOST: usize = 2;
/// So many channels make it worthwhile to forget some.
const SWEEP_AT: usize = 1024;
/// How much later than it was noted Discord may count a change.
const ON_THE_WAY: Duration = Duration::from_secs(1);

/// Which of the limited fields of a channel a request changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The channel's name.
    pub name: bool,
    /// Its topic.
    pub topic: bool,
}

impl Fields {
    /// Those that stand in the body of a change of a channel.
    #[must_use]
    pub fn of(body: &[u8]) -> Fields {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Change {
            name: Present,
            topic: Present,
        }
        let change: Change = serde_json::from_slice(body).unwrap_or_default();
        Fields { name: change.name.0, topic: change.topic.0 }
    }

    fn names(self) -> impl Iterator<Item = Field> {
        [self.name.then_some(Field::Name), self.topic.then_some(Field::Topic)].into_iter().flatten()
    }
}

/// Whether a field is there, `null` or not.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// A limited field of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Its name.
    Name,
    /// Its topic.
    Topic,
}

/// A change of a channel that has its places.
#[derive(Clone, Debug)]
pub(super) struct Change {
    channel: String,
    fields: Fields,
    /// Tells it from all others, of other processes too.
    id: u64,
}

impl Change {
    /// What it counts for, whoever asks next.
    pub(super) fn about(&self) -> impl Iterator<Item = About> {
        let Self { channel, fields, id } = self;
        fields.names().map(|field| About::Change { channel: channel.clone(), field, id: *id })
    }

    /// The same, if it is sent now.
    pub(super) fn facts(&self, now: Instant) -> impl Iterator<Item = Fact> {
        self.about().map(move |about| Fact { about, until: now + PERIOD + ON_THE_WAY })
    }
}

/// The changes of a bot's channels.
#[derive(Debug, Default)]
pub(super) struct Inner(HashMap<(String, Field), Changes>);

#[derive(Debug, Default)]
struct Changes {
    /// Until when the latest count and which they are, the oldest first; those on the way among them.
    counted: VecDeque<(Instant, u64)>,
    closed: Option<Instant>,
}

impl Changes {
    fn closed_until(&self, now: Instant) -> Option<Instant> {
        let full = self.counted.len().checked_sub(MOST).and_then(|first| self.counted.get(first));
        full.map(|(until, _)| *until).max(self.closed).filter(|until| *until > now)
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.closed.is_none_or(|until| until <= now) && self.counted.back().is_none_or(|(until, _)| *until <= now)
    }

    fn count(&mut self, until: Instant, id: u64) {
        let at = self.counted.partition_point(|(other, _)| *other <= until);
        self.counted.insert(at, (until, id));
    }
}

impl Inner {
    /// Takes the places of a change, or says when there are any.
    pub(super) fn take(&mut self, channel: &str, fields: Fields, now: Instant) -> Result<Change, Instant> {
        let change = Change { channel: channel.to_owned(), fields, id: rand::random() };
        let keys = || fields.names().map(|field| (channel.to_owned(), field));
        let closed = keys().filter_map(|key| self.0.get(&key)?.closed_until(now)).max();
        if let Some(until) = closed {
            return Err(until);
        }
        if self.0.len() >= SWEEP_AT {
            self.0.retain(|_, changes| !changes.is_stale(now));
        }
        for key in keys() {
            let changes = self.0.entry(key).or_default();
            changes.counted.retain(|(until, _)| *until > now);
            changes.count(now + PERIOD, change.id);
        }
        Ok(change)
    }

    /// The change was made now, at the latest.
    pub(super) fn made(&mut self, change: &Change, now: Instant) {
        for field in change.fields.names() {
            if let Some(changes) = self.0.get_mut(&(change.channel.clone(), field)) {
                changes.counted.retain(|(_, id)| *id != change.id);
                changes.count(now + PERIOD, change.id);
            }
        }
    }

    /// The change was not made.
    pub(super) fn give_back(&mut self, change: &Change) {
        for field in change.fields.names() {
            if let Some(changes) = self.0.get_mut(&(change.channel.clone(), field)) {
                changes.counted.retain(|(_, id)| *id != change.id);
            }
        }
    }

    /// Discord refused such a change until then.
    pub(super) fn refused(&mut self, channel: &str, fields: Fields, until: Instant) -> Vec<About> {
        let refuse = |field| {
            self.close(channel.to_owned(), field, until);
            About::Field { channel: channel.to_owned(), field }
        };
        fields.names().map(refuse).collect()
    }

    /// Such changes are refused until then.
    pub(super) fn close(&mut self, channel: String, field: Field, until: Instant) {
        let changes = self.0.entry((channel, field)).or_default();
        changes.closed = changes.closed.max(Some(until));
    }

    /// A change of before counts until then.
    pub(super) fn count(&mut self, channel: String, field: Field, id: u64, until: Instant) {
        self.0.entry((channel, field)).or_default().count(until, id);
    }

    /// What another must know.
    pub(super) fn facts(&self, now: Instant) -> Vec<Fact> {
        let facts = self.0.iter().flat_map(|((channel, field), changes)| {
            let (channel, field) = (channel.clone(), *field);
            let closed = changes.closed.map(|until| (About::Field { channel: channel.clone(), field }, until));
            let counted = changes.counted.iter().map(move |(until, id)| {
                (About::Change { channel: channel.clone(), field, id: *id }, *until + ON_THE_WAY)
            });
            closed.into_iter().chain(counted)
        });
        facts.map(|(about, until)| Fact { about, until }).filter(|fact| fact.until > now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NAME: Fields = Fields { name: true, topic: false };
    const BOTH: Fields = Fields { name: true, topic: true };

    #[test]
    fn the_third_change_in_ten_minutes_learns_at_once_how_long_it_is() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        let mut take = |channel, fields, at| inner.take(channel, fields, at).map(drop);
        assert_eq!(take("channels/1", NAME, now), Ok(()));
        assert_eq!(take("channels/1", NAME, now + 60 * SECOND), Ok(()));
        assert_eq!(take("channels/1", NAME, now + 90 * SECOND), Err(now + PERIOD));
        assert_eq!(take("channels/1", BOTH, now + 90 * SECOND), Err(now + PERIOD));
        assert_eq!(take("channels/2", NAME, now + 90 * SECOND), Ok(()));
        assert_eq!(take("channels/1", NAME, now + PERIOD), Ok(()));
        assert_eq!(take("channels/1", NAME, now + PERIOD), Err(now + PERIOD + 60 * SECOND));
    }

    #[test]
    fn a_change_that_was_not_made_does_not_count_and_a_refusal_does() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        for _ in 0..5 {
            let change = inner.take("channels/1", BOTH, now).unwrap();
            inner.give_back(&change);
        }
        inner.refused("channels/1", NAME, now + 30 * SECOND);
        assert_eq!(inner.take("channels/1", BOTH, now).unwrap_err(), now + 30 * SECOND);
        assert!(inner.take("channels/1", BOTH, now + 30 * SECOND).is_ok());
    }

    #[test]
    fn the_one_that_was_not_made_is_given_back_and_no_other() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        let first = inner.take("channels/1", NAME, now).unwrap();
        let second = inner.take("channels/1", NAME, now + 60 * SECOND).unwrap();
        inner.give_back(&first);
        assert!(inner.take("channels/1", NAME, now + 60 * SECOND).is_ok());
        inner.made(&second, now + 90 * SECOND);
        let closed = inner.take("channels/1", NAME, now + 90 * SECOND).unwrap_err();
        assert_eq!(closed, now + 60 * SECOND + PERIOD);
    }

    #[test]
    fn the_fields_are_read_from_the_body() {
        assert_eq!(Fields::of(br#"{"name":"closed"}"#), NAME);
        assert_eq!(Fields::of(br#"{"topic":"x","name":"y"}"#), BOTH);
        assert_eq!(Fields::of(br#"{"topic":null}"#), Fields { name: false, topic: true });
        assert_eq!(Fields::of(br#"{"permission_overwrites":[]}"#), Fields::default());
        assert_eq!(Fields::of(b"no json"), Fields::default());
    }
}
