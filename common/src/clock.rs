//! Wall time that a test can set.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Tells the wall time, in UTC. Pass it in rather than asking the system, so that a test can choose the time.
#[derive(Debug, Clone)]
pub struct Clock {
    manual: Option<Arc<Mutex<OffsetDateTime>>>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock { manual: None }
    }

    /// A clock that stands still until [`advance`](Clock::advance) moves it; clones share the time.
    #[must_use]
    pub fn manual(start: OffsetDateTime) -> Clock {
        Clock { manual: Some(Arc::new(Mutex::new(start))) }
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match &self.manual {
            None => OffsetDateTime::now_utc(),
            Some(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The current time in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        unix_ms(self.now())
    }

    /// Moves a manual clock; the system's clock is not moved.
    pub fn advance(&self, by: Duration) {
        if let Some(time) = &self.manual {
            *time.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn unix_ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_share_the_time() {
        let clock = Clock::manual(OffsetDateTime::UNIX_EPOCH);
        let clone = clock.clone();
        clock.advance(Duration::seconds(5));
        assert_eq!(clone.now(), OffsetDateTime::UNIX_EPOCH + Duration::seconds(5));
    }
}
