//! How far the work on a partition is done without a gap.

use std::collections::VecDeque;

/// The records of one partition that were taken, in their order, and which of them are finished.
///
/// What may be committed is the end of the finished ones before the first unfinished one. Offsets that never come, for
/// example those that compaction removed, are no gap: only what was taken counts.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    taken: VecDeque<Taken>,
    // The offset after the last one taken.
    next: i64,
    position: Option<i64>,
    epoch: u32,
}

#[derive(Debug)]
struct Taken {
    ticket: Ticket,
    // By the record's timestamp, in milliseconds since 1970.
    written_ms: i64,
    finished: bool,
}

/// Stands for one record that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    offset: i64,
    epoch: u32,
}

impl Offsets {
    /// Takes a record.
    ///
    /// An offset before the last one means that the log was cut, for example because brokers lost data: what was taken
    /// from there on no longer counts, and its tickets do nothing. What lies before is still worked on, and counts.
    pub(super) fn take(&mut self, offset: i64, written_ms: i64) -> Ticket {
        if offset < self.next {
            while self.taken.pop_back_if(|taken| taken.ticket.offset >= offset).is_some() {}
            self.position = self.position.map(|position| position.min(offset));
            self.epoch += 1;
        }
        self.next = offset + 1;
        let ticket = Ticket { offset, epoch: self.epoch };
        self.taken.push_back(Taken { ticket, written_ms, finished: false });
        ticket
    }

    /// Marks a record as finished.
    pub(super) fn finish(&mut self, ticket: Ticket) {
        if let Ok(index) = self.taken.binary_search_by_key(&ticket.offset, |taken| taken.ticket.offset)
            && self.taken[index].ticket == ticket
        {
            self.taken[index].finished = true;
        }
        while let Some(first) = self.taken.pop_front_if(|first| first.finished) {
            self.position = Some(first.ticket.offset + 1);
        }
    }

    /// The offset to go on from: everything taken before it is finished. `None` when nothing is.
    pub(super) fn position(&self) -> Option<i64> {
        self.position
    }

    /// Where the first record stands that is not finished, and when it was written, where it was taken already.
    ///
    /// `None` when no record was taken ever.
    pub(super) fn unfinished(&self) -> Option<(i64, Option<i64>)> {
        match self.taken.front() {
            Some(first) => Some((first.ticket.offset, Some(first.written_ms))),
            None => self.position.map(|position| (position, None)),
        }
    }

    /// Records from the first unfinished one on, finished ones among them.
    pub(super) fn window(&self) -> usize {
        self.taken.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_position_is_always_the_end_of_the_gapless_prefix(
            // Steps between offsets, and in which order the records finish, interleaved with taking them.
            steps in proptest::collection::vec(1_i64..5, 1..60),
            choices: Vec<prop::sample::Index>,
        ) {
            let mut offsets = Offsets::default();
            let mut model: Vec<(i64, bool)> = Vec::new();
            let mut open: Vec<Ticket> = Vec::new();
            let mut steps = steps.into_iter();
            let mut next = 0;
            for choice in choices {
                // An even choice takes, an odd one finishes.
                if choice.index(2) == 0 || open.is_empty() {
                    let Some(step) = steps.next() else { continue };
                    next += step;
                    model.push((next, false));
                    open.push(offsets.take(next, 10 * next));
                } else {
                    let ticket = open.swap_remove(choice.index(open.len()));
                    offsets.finish(ticket);
                    for entry in &mut model {
                        entry.1 |= entry.0 == ticket.offset;
                    }
                }
                let expected = model.iter().take_while(|entry| entry.1).last().map(|entry| entry.0 + 1);
                prop_assert_eq!(offsets.position(), expected);
                let first = model.iter().find(|entry| !entry.1).map(|entry| (entry.0, Some(10 * entry.0)));
                prop_assert_eq!(offsets.unfinished(), first.or(expected.map(|position| (position, None))));
                let done = model.iter().take_while(|entry| entry.1).count();
                prop_assert_eq!(offsets.window(), model.len() - done);
            }
        }
    }

    #[test]
    fn finishing_twice_changes_nothing() {
        let mut offsets = Offsets::default();
        let (first, second) = (offsets.take(5, 0), offsets.take(6, 0));
        offsets.finish(second);
        offsets.finish(second);
        assert_eq!((offsets.position(), offsets.window()), (None, 2));
        offsets.finish(first);
        offsets.finish(first);
        assert_eq!((offsets.position(), offsets.window()), (Some(7), 0));
    }

    #[test]
    fn a_log_that_was_cut_is_gone_on_with_from_the_cut() {
        let mut offsets = Offsets::default();
        let (done, open) = (offsets.take(100, 0), offsets.take(101, 0));
        offsets.finish(done);
        let again = offsets.take(3, 0);
        assert_eq!((offsets.position(), offsets.window()), (Some(3), 1));
        offsets.finish(open);
        assert_eq!(offsets.position(), Some(3));
        offsets.finish(again);
        assert_eq!(offsets.position(), Some(4));
    }

    #[test]
    fn what_runs_before_a_cut_still_holds_the_position() {
        let mut offsets = Offsets::default();
        let before: Vec<_> = (1..=10).map(|offset| offsets.take(offset, 0)).collect();
        // 1 to 5 run, and so does the old 9.
        for done in [5, 6, 7, 9] {
            offsets.finish(before[done]);
        }
        let (eight, nine) = (offsets.take(8, 0), offsets.take(9, 0));
        offsets.finish(before[8]);
        offsets.finish(eight);
        assert_eq!(offsets.position(), None);
        for running in &before[..5] {
            offsets.finish(*running);
        }
        assert_eq!(offsets.position(), Some(9), "the new 9 is not finished by the old one");
        offsets.finish(nine);
        assert_eq!((offsets.position(), offsets.window()), (Some(10), 0));
    }
}
