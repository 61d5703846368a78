//! The count of invalid requests, which leads to a ban.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What they are counted over (Discord: "Invalid Request Limit").
pub(super) const PERIOD: Duration = Duration::from_secs(10 * 60);

/// The invalid requests of the latest ten minutes.
#[derive(Debug, Default)]
pub(super) struct Invalid(VecDeque<Instant>);

impl Invalid {
    /// Counts one: whether it makes `limit`. Then all are forgotten.
    pub(super) fn count(&mut self, limit: usize, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| *first + PERIOD <= now) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        let full = self.0.len() >= limit;
        if full {
            self.0.clear();
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_of_ten_minutes_count() {
        let (mut invalid, start) = (Invalid::default(), Instant::now());
        assert!(!invalid.count(3, start));
        assert!(!invalid.count(3, start + PERIOD / 2));
        assert!(!invalid.count(3, start + PERIOD));
        assert!(invalid.count(3, start + PERIOD + PERIOD / 4));
        assert!(!invalid.count(3, start + PERIOD + PERIOD / 4), "all are forgotten");
    }
}
