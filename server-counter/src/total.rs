//! What is known of the count: the last good one, since when, and whether it can still be asked.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;

/// The memory that every request is answered from. Clones are the same memory.
#[derive(Clone, Debug, Default)]
pub struct Total {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    last: Option<Last>,
    failing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    count: u64,
    asked: Instant,
    as_of: OffsetDateTime,
}

/// The count as it can be told at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How many guilds.
    pub count: u64,
    /// How long ago the cache was asked for it.
    pub age: Duration,
    /// When that was, by the clock on the wall.
    pub as_of: OffsetDateTime,
    /// Whether the cache had no answer when it was asked last.
    pub stale: bool,
}

impl Total {
    /// The cache told a count that it was asked for at that time. The time is given twice, because the age must not jump
    /// when somebody sets the clock.
    pub fn learn(&self, count: u64, asked: Instant, as_of: OffsetDateTime) {
        *self.lock() = Known { last: Some(Last { count, asked, as_of }), failing: false };
    }

    /// The cache was asked and did not tell.
    pub fn miss(&self) {
        self.lock().failing = true;
    }

    /// The last good count, or `None` where there was none yet. It is never a guess.
    #[must_use]
    pub fn read(&self) -> Option<Reading> {
        let known = self.lock();
        let Last { count, asked, as_of } = known.last?;
        Some(Reading { count, age: asked.elapsed(), as_of, stale: known.failing })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn before_the_first_answer_nothing_is_told() {
        let total = Total::default();
        assert_eq!(total.read(), None);
        total.miss();
        assert_eq!(total.read(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_count_grows_old_and_is_replaced() {
        let (total, as_of) = (Total::default(), OffsetDateTime::UNIX_EPOCH);
        total.learn(7, Instant::now(), as_of);
        tokio::time::advance(90 * SECOND).await;
        assert_eq!(total.read(), Some(Reading { count: 7, age: 90 * SECOND, as_of, stale: false }));
        total.miss();
        tokio::time::advance(10 * SECOND).await;
        assert_eq!(total.read(), Some(Reading { count: 7, age: 100 * SECOND, as_of, stale: true }));
        total.learn(0, Instant::now(), as_of + 100 * SECOND);
        let now = Reading { count: 0, age: Duration::ZERO, as_of: as_of + 100 * SECOND, stale: false };
        assert_eq!(total.read(), Some(now), "that there is no guild is an answer too");
    }
}
