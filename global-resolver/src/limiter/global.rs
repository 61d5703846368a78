//! The limit of a bot over all of its routes, save those that carry their own token.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What Discord's limit is over.
const WINDOW: Duration = Duration::from_secs(1);

/// How much later than it was sent a request may be counted at most. One that is on its way for longer may, at worst,
/// be one too many, and Discord says so.
const ON_THE_WAY: Duration = Duration::from_millis(25);

/// How much of an even share of the second is kept between two at least: less than all, so that none of it is left unused.
const SPREAD: f64 = 0.9;

/// At most so many in any second, wherever the second begins.
#[derive(Debug)]
pub(super) struct Global {
    limit: usize,
    /// Until when each of the latest requests may still be counted, the oldest first.
    counted: VecDeque<Instant>,
    closed: Option<Instant>,
}

impl Global {
    pub(super) fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        Self { limit, counted: VecDeque::new(), closed: None }
    }

    /// Takes the place of one request, or says when the next one is free.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if let Some(until) = self.closed(now) {
            return Err(until);
        }
        while self.counted.front().is_some_and(|until| *until <= now) {
            self.counted.pop_front();
        }
        match self.counted.front() {
            Some(oldest) if self.counted.len() >= self.limit => Err(*oldest),
            _ => match self.spaced(now) {
                Some(next) => Err(next),
                None => {
                    self.counted.push_back(now + ON_THE_WAY + WINDOW);
                    Ok(())
                }
            },
        }
    }

    /// When half of a second is used the rest is spread over it. A burst would else be followed by nothing for a second, and by the
    /// same burst again, for as long as there is something to send.
    fn spaced(&self, now: Instant) -> Option<Instant> {
        let latest = self.counted.back().filter(|_| self.counted.len() * 2 >= self.limit)?;
        let share = WINDOW.mul_f64(SPREAD) / u32::try_from(self.limit).unwrap_or(u32::MAX);
        Some(*latest - ON_THE_WAY - WINDOW + share).filter(|next| *next > now)
    }

    /// Gives the latest place back: its request was not sent.
    pub(super) fn give_back(&mut self) {
        self.counted.pop_back();
    }

    /// Discord refuses everything until then.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed = self.closed.max(Some(until));
    }

    /// Until when Discord refuses everything.
    pub(super) fn closed(&self, now: Instant) -> Option<Instant> {
        self.closed.filter(|until| *until > now)
    }

    /// How many requests may go at once.
    pub(super) fn free(&self, now: Instant) -> usize {
        if self.closed(now).is_some() {
            return 0;
        }
        self.limit - self.counted.iter().filter(|until| **until > now).count().min(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_closed_limit_opens_at_its_time_and_not_before() {
        let (mut global, now) = (Global::new(50), Instant::now());
        global.close(now + 2000 * MS);
        global.close(now + 10 * MS);
        assert_eq!(global.take(now), Err(now + 2000 * MS));
        assert_eq!(global.free(now), 0);
        assert_eq!(global.take(now + 2000 * MS), Ok(()));
    }

    #[test]
    fn a_place_that_was_given_back_is_free() {
        let (mut global, now) = (Global::new(1), Instant::now());
        assert_eq!(global.take(now), Ok(()));
        assert_eq!(global.take(now), Err(now + ON_THE_WAY + WINDOW));
        global.give_back();
        assert_eq!(global.take(now), Ok(()));
    }

    #[test]
    fn who_has_much_to_send_sends_it_evenly() {
        let (mut global, start) = (Global::new(50), Instant::now());
        let (mut now, mut pauses) = (start, Vec::new());
        let mut last = start;
        while now - start < 10 * WINDOW {
            match global.take(now) {
                Ok(()) => {
                    pauses.push(now - last);
                    last = now;
                }
                Err(next) => now = next,
            }
        }
        assert!(pauses[..25].iter().all(Duration::is_zero), "the first half goes at once");
        let longest = pauses[100..].iter().max();
        assert!(longest.is_some_and(|pause| *pause <= 150 * MS), "{longest:?}");
    }

    proptest! {
        /// However requests come, and however long each is on its way, Discord never counts too many in a second; and
        /// who always has something to send sends nearly as much as is allowed.
        #[test]
        fn no_second_has_more_than_the_limit(
            limit in 1..60_u32,
            steps in prop::collection::vec((0..40_u32, 0..=25_u32), 1..600),
        ) {
            let start = Instant::now();
            let (mut global, mut now, mut arrived) = (Global::new(limit), start, Vec::new());
            for (pause, way) in steps {
                now += pause * MS;
                if global.take(now).is_ok() {
                    arrived.push(now + way * MS);
                }
            }
            arrived.sort_unstable();
            for (first, last) in arrived.iter().zip(arrived.iter().skip(limit as usize)) {
                prop_assert!(*last - *first >= WINDOW, "{:?}", *last - *first);
            }
        }

        #[test]
        fn nearly_all_of_the_limit_is_used(limit in 1..600_u32) {
            let start = Instant::now();
            let (mut global, mut now, mut sent) = (Global::new(limit), start, 0);
            while now - start < 60 * WINDOW {
                match global.take(now) {
                    Ok(()) => sent += 1,
                    Err(next) => now = next,
                }
            }
            prop_assert!(f64::from(sent) >= 0.95 * 60.0 * f64::from(limit), "{sent} of {}", 60 * limit);
        }
    }
}
