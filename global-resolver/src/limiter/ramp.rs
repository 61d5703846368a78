//! How what was closed opens again: one request first, then two at once, then three. All who waited would else go at once, and
//! all of them be refused if it is still closed, or closes again.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// So many on the way at once are no longer counted.
const WIDE: usize = 64;

/// A refusal comes at once. Who has none after so long is through, and waits for something else.
const SLOW: Duration = Duration::from_secs(1);

/// How many may be on the way at once.
#[derive(Debug, Default)]
pub(super) struct Ramp {
    /// None where there is no bound.
    width: Option<usize>,
    /// How many have passed since it became this wide.
    passed: usize,
    /// When those that are on the way went.
    on_the_way: BTreeSet<(Instant, u64)>,
    round: u64,
    next: u64,
}

/// A request that was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    at: Instant,
    number: u64,
    /// One from before the last refusal says nothing about now.
    round: u64,
}

impl Ramp {
    /// Whether another may go.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.opens(now).is_none()
    }

    /// When there is room for another, unless an answer makes some before; none where there is now.
    pub(super) fn opens(&self, now: Instant) -> Option<Instant> {
        let width = self.width?;
        let (last, _) = self.on_the_way.iter().nth_back(width - 1)?;
        Some(*last + SLOW).filter(|opens| *opens > now)
    }

    /// One goes.
    pub(super) fn goes(&mut self, now: Instant) -> Gone {
        let gone = Gone { at: now, number: self.next, round: self.round };
        self.next += 1;
        self.on_the_way.insert((gone.at, gone.number));
        gone
    }

    /// It was answered, or nobody knows; `passed` where it was not refused here.
    pub(super) fn ended(&mut self, gone: Gone, passed: bool) {
        self.on_the_way.remove(&(gone.at, gone.number));
        if let Some(width) = self.width.filter(|_| passed && gone.round == self.round) {
            self.passed += 1;
            if self.passed >= width {
                (self.width, self.passed) = (Some(width + 1).filter(|width| *width < WIDE), 0);
            }
        }
    }

    /// Everything was refused: it begins anew.
    pub(super) fn closes(&mut self) {
        (self.width, self.passed) = (Some(1), 0);
        self.round += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(ramp: &mut Ramp, now: Instant) -> Vec<Gone> {
        let mut gone = Vec::new();
        while ramp.has_room(now) && gone.len() < 1_000 {
            gone.push(ramp.goes(now));
        }
        gone
    }

    #[test]
    fn after_a_refusal_one_goes_and_then_one_more_each_time() {
        let (mut ramp, now) = (Ramp::default(), Instant::now());
        let before = go(&mut ramp, now);
        assert_eq!(before.len(), 1_000);
        before.into_iter().for_each(|gone| ramp.ended(gone, false));
        ramp.closes();
        let mut gone = Vec::new();
        for expected in (1..64).chain([1_000]) {
            for one in std::mem::take(&mut gone) {
                ramp.ended(one, true);
            }
            gone = go(&mut ramp, now);
            assert_eq!(gone.len(), expected);
        }
    }

    #[test]
    fn those_from_before_a_refusal_do_not_count_for_what_is_after_it() {
        let (mut ramp, now) = (Ramp::default(), Instant::now());
        let before: Vec<_> = (0..50).map(|_| ramp.goes(now)).collect();
        ramp.closes();
        assert!(!ramp.has_room(now), "they are still on the way");
        before.into_iter().for_each(|gone| ramp.ended(gone, true));
        assert_eq!(go(&mut ramp, now).len(), 1);
    }

    #[test]
    fn one_that_is_never_answered_leaves_its_place() {
        let (mut ramp, now) = (Ramp::default(), Instant::now());
        ramp.closes();
        let gone = ramp.goes(now);
        ramp.ended(gone, false);
        assert_eq!(go(&mut ramp, now).len(), 1);
    }

    #[test]
    fn one_that_is_slow_holds_up_nobody_for_long() {
        let (mut ramp, now) = (Ramp::default(), Instant::now());
        ramp.closes();
        go(&mut ramp, now);
        assert_eq!(ramp.opens(now), Some(now + SLOW));
        assert_eq!(go(&mut ramp, now + SLOW).len(), 1);
        assert_eq!(ramp.opens(now + SLOW), Some(now + 2 * SLOW));
    }
}
