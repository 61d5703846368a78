//! So many requests in a period.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// So many windows make it worthwhile to forget those that are over.
const SWEEP_AT: usize = 1024;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) limit: u32,
    pub(super) period: Duration,
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Until the period is over.
    pub(crate) reset_after: Duration,
}

impl Standing {
    /// Never exhausted.
    pub(crate) const ENDLESS: Self = Self { limit: 50, remaining: 49, reset_after: Duration::from_secs(1) };
}

/// Periods that run. One begins with its first request and ends at its time, as those of Discord do
/// (the headers in discord-api-docs #1295).
#[derive(Debug)]
pub(super) struct Windows<K> {
    running: HashMap<K, Window>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Window {
    ends: Instant,
    used: u32,
}

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self { running: HashMap::new(), sweep_at: SWEEP_AT }
    }
}

impl<K: Eq + Hash> Windows<K> {
    /// How the limit stands for this key.
    pub(super) fn standing(&self, key: &K, rule: Rule, now: Instant) -> Standing {
        let Rule { limit, period } = rule;
        match self.running.get(key).filter(|window| window.ends > now) {
            Some(window) => {
                Standing { limit, remaining: limit.saturating_sub(window.used), reset_after: window.ends - now }
            }
            None => Standing { limit, remaining: limit, reset_after: period },
        }
    }

    /// Counts a request, when there is room for it: how the limit stands then.
    pub(super) fn take(&mut self, key: K, rule: Rule, now: Instant) -> Result<Standing, Standing> {
        let before = self.standing(&key, rule, now);
        if before.remaining == 0 { Err(before) } else { Ok(self.count(key, rule, now)) }
    }

    /// Counts a request for which there is room.
    pub(super) fn count(&mut self, key: K, rule: Rule, now: Instant) -> Standing {
        let before = self.standing(&key, rule, now);
        if self.running.len() >= self.sweep_at {
            self.running.retain(|_, window| window.ends > now);
            self.sweep_at = SWEEP_AT.max(2 * self.running.len());
        }
        let remaining = before.remaining.saturating_sub(1);
        self.running.insert(key, Window { ends: now + before.reset_after, used: rule.limit - remaining });
        Standing { remaining, ..before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RULE: Rule = Rule { limit: 2, period: Duration::from_secs(5) };

    #[test]
    fn a_period_begins_with_its_first_request_and_ends_at_its_time() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        let standing = |remaining, seconds| Standing { limit: 2, remaining, reset_after: seconds * SECOND };
        assert_eq!(windows.take("a", RULE, now), Ok(standing(1, 5)));
        assert_eq!(windows.take("a", RULE, now + 2 * SECOND), Ok(standing(0, 3)));
        assert_eq!(windows.take("a", RULE, now + 4 * SECOND), Err(standing(0, 1)));
        assert_eq!(windows.take("b", RULE, now + 4 * SECOND), Ok(standing(1, 5)));
        assert_eq!(windows.take("a", RULE, now + 5 * SECOND), Ok(standing(1, 5)));
    }

    #[test]
    fn periods_that_are_over_are_forgotten() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        for key in 0..10 * SWEEP_AT {
            assert!(windows.take(key, RULE, now + SECOND * u32::try_from(key / 100).unwrap()).is_ok());
        }
        assert!(windows.running.len() <= SWEEP_AT);
    }
}
