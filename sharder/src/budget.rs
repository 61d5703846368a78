//! How much all shards of a process may have on their way to Kafka, together.
//!
//! Whoever receives takes from the whole; where nothing is left of it, each shard has its small minimum still. So a busy
//! shard may use all of it, a quiet one always finds room, and hundreds of shards cost little more memory than one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// An amount of events and of the bytes of their payloads; whichever is reached first counts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Events.
    pub events: usize,
    /// Bytes of their payloads.
    pub bytes: usize,
}

/// What all shards of a process have on their way, and how much that may be. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    whole: Limits,
    minimum: Limits,
    events: AtomicUsize,
    bytes: AtomicUsize,
    begin: Instant,
}

impl Budget {
    /// For one process: beyond it sockets are not read.
    pub const PROCESS: Limits = Limits { events: 10_000, bytes: 8 << 20 };
    /// What each shard may hold whatever the others do. Above 0: a shard that is full has answers to come, and looks again
    /// when they came.
    pub const MINIMUM: Limits = Limits { events: 16, bytes: 64 << 10 };

    /// A budget of which nothing is used, with `minimum` for each shard.
    #[must_use]
    pub fn new(whole: Limits, minimum: Limits) -> Self {
        let (events, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Inner { whole, minimum, events, bytes, begin: Instant::now() }))
    }

    /// The part of one more shard.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), events: 0, bytes: 0 }
    }

    /// The next instant of those that are `every` apart, the same for all shards: what they do then one wake of the
    /// process is enough for.
    #[must_use]
    pub fn next_beat(&self, every: Duration) -> Instant {
        let now = Instant::now();
        now + until_beat(now.duration_since(self.0.begin), every)
    }

    /// How many events of all shards are on their way.
    #[must_use]
    pub fn events(&self) -> usize {
        self.0.events.load(Ordering::Relaxed)
    }

    /// How many bytes of payload of all shards are on their way.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

/// How long it is to the next beat when this time has passed since the first.
fn until_beat(passed: Duration, every: Duration) -> Duration {
    let since = passed.as_nanos() % every.as_nanos().max(1);
    every.saturating_sub(Duration::from_nanos(u64::try_from(since).unwrap_or(u64::MAX)))
}

impl Default for Budget {
    /// That of a process.
    fn default() -> Self {
        Self::new(Self::PROCESS, Self::MINIMUM)
    }
}

/// What one shard holds of a budget; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    events: usize,
    bytes: usize,
}

impl Share {
    /// Takes one event's part, also where nothing is left: what was received must be held.
    pub fn take(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
        // Only sums are compared and nothing is read by them: no order to keep.
        self.budget.0.events.fetch_add(1, Ordering::Relaxed);
        self.budget.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back what `events` events of `bytes` in all took.
    pub fn give(&mut self, events: usize, bytes: usize) {
        self.events -= events;
        self.bytes -= bytes;
        self.budget.0.events.fetch_sub(events, Ordering::Relaxed);
        self.budget.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether nothing more should be received. One event may exceed the bytes, or a large one could never pass.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.reaches(1)
    }

    /// Whether even the reserve for keeping a stalled connection alive is used up: as much again.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.reaches(2)
    }

    fn reaches(&self, times: usize) -> bool {
        let Inner { whole, minimum, .. } = self.budget.0.as_ref();
        let reached =
            |own: usize, minimum: usize, used: usize, whole: usize| used >= whole * times && own >= minimum * times;
        reached(self.events, minimum.events, self.budget.events(), whole.events)
            || reached(self.bytes, minimum.bytes, self.budget.bytes(), whole.bytes)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give(self.events, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINIMUM: Limits = Limits { events: 2, bytes: 20 };

    /// Receives events of this size until the shard is full; how many those are.
    fn fill(share: &mut Share, bytes: usize) -> usize {
        let before = share.events;
        while !share.is_full() {
            share.take(bytes);
        }
        share.events - before
    }

    #[test]
    fn a_shard_may_take_the_whole_by_count_or_by_bytes_and_as_much_again_as_its_reserve() {
        for whole in [Limits { events: 50, bytes: usize::MAX / 2 }, Limits { events: usize::MAX / 2, bytes: 500 }] {
            let mut share = Budget::new(whole, MINIMUM).share();
            assert_eq!(fill(&mut share, 10), 50);
            assert!(!share.is_overfull());
            (0..50).for_each(|_| share.take(10));
            assert!(share.is_overfull());
        }
    }

    #[test]
    fn where_the_whole_is_taken_each_other_shard_has_its_minimum() {
        let budget = Budget::new(Limits { events: 50, bytes: usize::MAX / 2 }, MINIMUM);
        let mut busy = budget.share();
        fill(&mut busy, 1);
        for _ in 0..10 {
            let mut quiet = budget.share();
            assert_eq!(fill(&mut quiet, 1), MINIMUM.events);
            std::mem::forget(quiet);
        }
        busy.give(25, 25);
        assert_eq!(fill(&mut busy, 1), 5, "what the others hold counts");
    }

    #[test]
    fn all_shards_have_the_same_beats_for_ever() {
        let (every, ms) = (Duration::from_millis(10), Duration::from_millis);
        for (passed, until) in [(ms(0), 10), (ms(1), 9), (ms(9), 1), (ms(10), 10), (Duration::from_hours(100_000), 10)]
        {
            assert_eq!(until_beat(passed, every), ms(until), "{passed:?}");
        }
    }

    #[test]
    fn a_large_event_passes_where_nothing_else_is_held() {
        let mut share = Budget::new(Limits { events: 100, bytes: 1_000 }, MINIMUM).share();
        assert!(!share.is_full());
        share.take(1_000_000);
        assert!(share.is_full() && share.is_overfull());
        share.give(1, 1_000_000);
        assert!(!share.is_full());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Receive(usize),
        Acknowledge,
        Leave,
    }

    fn step() -> impl Strategy<Value = (usize, Step)> {
        let what = prop_oneof![
            20 => (1..50usize).prop_map(Step::Receive),
            8 => Just(Step::Acknowledge),
            1 => Just(Step::Leave),
        ];
        (0..5usize, what)
    }

    proptest! {
        #[test]
        fn whatever_the_shards_do_the_whole_is_kept_and_none_goes_without_its_minimum(
            steps in prop::collection::vec(step(), 0..400),
        ) {
            let whole = Limits { events: 30, bytes: 500 };
            let budget = Budget::new(whole, MINIMUM);
            let mut shards: Vec<(Share, Vec<usize>)> =
                std::iter::repeat_with(|| (budget.share(), Vec::new())).take(5).collect();
            for (number, step) in steps {
                let (share, held) = &mut shards[number];
                match step {
                    Step::Receive(bytes) if !share.is_full() => {
                        share.take(bytes);
                        held.push(bytes);
                    }
                    Step::Receive(_) => {}
                    Step::Acknowledge => if let Some(bytes) = held.pop() {
                        share.give(1, bytes);
                    },
                    Step::Leave => (*share, *held) = (budget.share(), Vec::new()),
                }
                let held: Vec<_> =
                    shards.iter().map(|(_, held)| (held.len(), held.iter().sum::<usize>())).collect();
                let (events, bytes) = held.iter().fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
                prop_assert_eq!((budget.events(), budget.bytes()), (events, bytes));
                // The event that fills a shard may be larger than what was left; it is here at most 49 bytes.
                prop_assert!(events <= whole.events + shards.len() * MINIMUM.events, "{events} events");
                prop_assert!(bytes <= whole.bytes + shards.len() * (MINIMUM.bytes + 49), "{bytes} bytes");
                for ((share, _), own) in shards.iter().zip(&held) {
                    let small = own.0 < MINIMUM.events && own.1 < MINIMUM.bytes;
                    prop_assert!(!(small && share.is_full()), "{own:?} is below the minimum and full");
                    prop_assert!(!share.is_overfull() || share.is_full());
                    prop_assert!(own.0 > 0 || !share.is_full(), "a shard without an answer to come is full");
                }
            }
            drop(shards);
            prop_assert_eq!((budget.events(), budget.bytes()), (0, 0));
        }
    }
}
