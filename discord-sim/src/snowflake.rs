//! Real snowflakes: milliseconds since 2015-01-01 in the upper 42 bits, then worker, process and increment.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use time::OffsetDateTime;
use twilight_model::id::Id;

/// The first millisecond of 2015 in Unix time (Discord's epoch).
pub const EPOCH_MS: u64 = 1_420_070_400_000;

/// Hands out ids that never repeat and never go backwards.
#[derive(Debug)]
pub struct Snowflakes {
    last: AtomicU64,
    /// Where this source begins in each millisecond. Simulators of tests that start in the same millisecond must not make the same bot:
    /// what is outside of them, a database or a lock, goes by its id.
    offset: u64,
}

impl Default for Snowflakes {
    fn default() -> Self {
        Self { last: AtomicU64::new(0), offset: rand::random_range(0..1 << 21) }
    }
}

impl Snowflakes {
    /// The next id for `now`. Ids of one source are strictly increasing even within a millisecond.
    pub fn next<T>(&self, now: OffsetDateTime) -> Id<T> {
        let floor = at(now) + self.offset;
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            // Counting on past the 12 increment bits runs into the process bits, which only makes the id larger.
            let candidate = floor.max(last + 1);
            match self.last.compare_exchange_weak(last, candidate, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Id::new_checked(candidate).unwrap_or(Id::new(1)),
                Err(seen) => last = seen,
            }
        }
    }
}

/// The smallest id of the millisecond of `at`.
pub fn at(at: OffsetDateTime) -> u64 {
    let unix_ms = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(EPOCH_MS + 1);
    unix_ms.saturating_sub(EPOCH_MS).max(1) << 22
}

/// When an id was made, in Unix milliseconds.
pub fn unix_ms<T>(id: Id<T>) -> u64 {
    (id.get() >> 22) + EPOCH_MS
}

/// Turns ids that are written as numbers into texts. discord.py writes them so in several bodies, and Discord takes both.
///
/// No other number in a request is as large: sets of permissions end below 2^53. A nonce stays what its sender made it.
pub(crate) fn ids_as_text(mut json: Value) -> Value {
    fn rewrite(json: &mut Value) {
        match json {
            Value::Number(number) if number.as_u64().is_some_and(|number| number >= 1 << 53) => {
                *json = Value::String(number.to_string());
            }
            Value::Array(items) => items.iter_mut().for_each(rewrite),
            Value::Object(fields) => {
                fields.iter_mut().filter(|(key, _)| *key != "nonce").for_each(|(_, value)| rewrite(value));
            }
            _ => {}
        }
    }
    rewrite(&mut json);
    json
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;
    use twilight_model::id::marker::MessageMarker;

    use super::*;

    #[test]
    fn ids_grow_within_one_millisecond_and_carry_their_time() {
        let now = datetime!(2026-01-02 03:04:05.678 UTC);
        let source = Snowflakes::default();
        let ids: Vec<Id<MessageMarker>> = (0..10_000).map(|_| source.next(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(unix_ms(ids[0]), 1_767_323_045_678);
    }
    #[test]
    fn two_sources_make_different_ids_in_one_millisecond() {
        let now = datetime!(2026-01-02 03:04:05.678 UTC);
        let ids = |offset: u64| -> Vec<Id<MessageMarker>> {
            let source = Snowflakes { last: AtomicU64::new(0), offset };
            (0..100).map(|_| source.next(now)).collect()
        };
        let (one, other) = (ids(0), ids(5000));
        assert!(one.iter().all(|id| !other.contains(id) && unix_ms(*id) == unix_ms(other[0])));
    }

    #[test]
    fn ids_in_numbers_become_texts_and_other_numbers_stay() {
        let body = json!({ "users": [1_573_620_645_676_187_650_u64], "allow": 1_u64 << 46, "nonce": 1_573_620_645_676_187_650_u64 });
        let wanted =
            json!({ "users": ["1573620645676187650"], "allow": 1_u64 << 46, "nonce": 1_573_620_645_676_187_650_u64 });
        assert_eq!(ids_as_text(body), wanted);
    }
}
