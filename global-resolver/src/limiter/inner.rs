//! Limits within a route that no header shows: a channel's name and its topic may be changed twice in ten minutes each
//! (not documented; Discord says so by `Retry-After` only). Known in advance, so that a command can tell the member.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(10 * 60);
const MOST: usize = 2;
/// So many channels make it worthwhile to forget some.
const SWEEP_AT: usize = 1024;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field {
    Name,
    Topic,
}

/// The changes of a bot's channels.
#[derive(Debug, Default)]
pub(super) struct Inner(HashMap<(String, Field), Changes>);

#[derive(Debug, Default)]
struct Changes {
    /// When the latest were made, the oldest first; those on the way among them.
    at: VecDeque<Instant>,
    closed: Option<Instant>,
}

impl Changes {
    fn closed_until(&self, now: Instant) -> Option<Instant> {
        let full = self.at.len().checked_sub(MOST).and_then(|first| self.at.get(first)).map(|oldest| *oldest + PERIOD);
        full.max(self.closed).filter(|until| *until > now)
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.closed.is_none_or(|until| until <= now) && self.at.back().is_none_or(|last| *last + PERIOD <= now)
    }
}

impl Inner {
    /// Takes the places of a change, or says when there are any.
    pub(super) fn take(&mut self, channel: &str, fields: Fields, now: Instant) -> Result<(), Instant> {
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
            if changes.at.len() >= MOST {
                changes.at.pop_front();
            }
            changes.at.push_back(now);
        }
        Ok(())
    }

    /// The change was not made.
    pub(super) fn give_back(&mut self, channel: &str, fields: Fields) {
        for field in fields.names() {
            if let Some(changes) = self.0.get_mut(&(channel.to_owned(), field)) {
                changes.at.pop_back();
            }
        }
    }

    /// Discord refused such a change until then.
    pub(super) fn refused(&mut self, channel: &str, fields: Fields, until: Instant) {
        for field in fields.names() {
            let changes = self.0.entry((channel.to_owned(), field)).or_default();
            changes.closed = changes.closed.max(Some(until));
        }
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
        assert_eq!(inner.take("channels/1", NAME, now), Ok(()));
        assert_eq!(inner.take("channels/1", NAME, now + 60 * SECOND), Ok(()));
        assert_eq!(inner.take("channels/1", NAME, now + 90 * SECOND), Err(now + PERIOD));
        assert_eq!(inner.take("channels/1", BOTH, now + 90 * SECOND), Err(now + PERIOD));
        assert_eq!(inner.take("channels/2", NAME, now + 90 * SECOND), Ok(()));
        assert_eq!(inner.take("channels/1", NAME, now + PERIOD), Ok(()));
        assert_eq!(inner.take("channels/1", NAME, now + PERIOD), Err(now + PERIOD + 60 * SECOND));
    }

    #[test]
    fn a_change_that_was_not_made_does_not_count_and_a_refusal_does() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(inner.take("channels/1", BOTH, now), Ok(()));
            inner.give_back("channels/1", BOTH);
        }
        inner.refused("channels/1", NAME, now + 30 * SECOND);
        assert_eq!(inner.take("channels/1", BOTH, now), Err(now + 30 * SECOND));
        assert_eq!(inner.take("channels/1", BOTH, now + 30 * SECOND), Ok(()));
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
