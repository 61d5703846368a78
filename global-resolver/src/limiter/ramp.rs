//! How what was closed opens again: one request first, then two at once, then three. All who waited would else go at once, and
//! all of them be refused if it is still closed, or closes again.

/// So many on the way at once are no longer counted.
const WIDE: u32 = 64;

/// How many may be on the way at once.
#[derive(Debug, Default)]
pub(super) struct Ramp {
    /// None where there is no bound.
    width: Option<u32>,
    /// How many have passed since it became this wide.
    passed: u32,
    on_the_way: u32,
    round: u64,
}

/// When a request was let go: one from before the last refusal says nothing about now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round(u64);

impl Ramp {
    /// Whether another may go.
    pub(super) fn has_room(&self) -> bool {
        self.width.is_none_or(|width| self.on_the_way < width)
    }

    /// One goes.
    pub(super) fn goes(&mut self) -> Round {
        self.on_the_way += 1;
        Round(self.round)
    }

    /// It was answered, or nobody knows; `passed` where it was not refused here.
    pub(super) fn ended(&mut self, round: Round, passed: bool) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
        if let Some(width) = self.width.filter(|_| passed && round == Round(self.round)) {
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

    fn goes(ramp: &mut Ramp) -> Vec<Round> {
        let mut gone = Vec::new();
        while ramp.has_room() && gone.len() < 1_000 {
            gone.push(ramp.goes());
        }
        gone
    }

    #[test]
    fn after_a_refusal_one_goes_and_then_one_more_each_time() {
        let mut ramp = Ramp::default();
        assert_eq!(goes(&mut ramp).len(), 1_000);
        (0..1_000).for_each(|_| ramp.ended(Round(0), false));
        ramp.closes();
        let mut gone = Vec::new();
        for expected in (1..64).chain([1_000]) {
            for round in std::mem::take(&mut gone) {
                ramp.ended(round, true);
            }
            gone = goes(&mut ramp);
            assert_eq!(gone.len(), expected);
        }
    }

    #[test]
    fn those_from_before_a_refusal_do_not_count_for_what_is_after_it() {
        let mut ramp = Ramp::default();
        let before: Vec<_> = (0..50).map(|_| ramp.goes()).collect();
        ramp.closes();
        assert!(!ramp.has_room(), "they are still on the way");
        before.into_iter().for_each(|round| ramp.ended(round, true));
        assert_eq!(goes(&mut ramp).len(), 1);
    }

    #[test]
    fn one_that_is_never_answered_leaves_its_place() {
        let mut ramp = Ramp::default();
        ramp.closes();
        let round = ramp.goes();
        ramp.ended(round, false);
        assert_eq!(goes(&mut ramp).len(), 1);
    }
}
