//! Who may call a handler next.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::oneshot;

use super::bounds::Bounds;
use crate::kind::{Each, Priority};

/// So many turns are given to others while a lane of this priority waits; the next one is its.
///
/// Whatever floods: of 9 turns that normal records may take one goes to them, of 33 that bulk ones may take one.
const PATIENCE: [(Priority, usize); 2] = [(Priority::Bulk, 32), (Priority::Normal, 8)];

/// Gives so many permits at once, to the most urgent lane first, and within one priority in the order of asking.
///
/// Less urgent ones do not starve (`PATIENCE`), and cannot hold all permits either: some are kept for more urgent ones.
pub(super) struct Gate {
    state: Mutex<State>,
    limits: Each<usize>,
    lanes: AtomicU64,
}

#[derive(Default)]
struct State {
    // By the priority for which they were given.
    held: Each<usize>,
    waiting: Each<VecDeque<Waiter>>,
    // Turns of others since the first of these waits.
    passed_over: Each<usize>,
}

struct Waiter {
    lane: u64,
    grant: oneshot::Sender<Permit>,
}

/// How urgent a lane is at the moment: as urgent as the most urgent record in it.
///
/// So a click does not wait for the turn of what its own guild has before it.
pub(super) struct Rank {
    lane: u64,
    priority: AtomicUsize,
}

impl Rank {
    pub(super) fn set(&self, priority: Priority) {
        self.priority.store(priority as usize, Ordering::Release);
    }

    pub(super) fn priority(&self) -> Priority {
        Priority::ALL[self.priority.load(Ordering::Acquire)]
    }
}

impl Gate {
    /// A gate with `permits`, of which bulk and normal records may hold the parts that `bounds` give them.
    pub(super) fn new(permits: usize, bounds: &Bounds) -> Gate {
        let permits = permits.max(1);
        Gate {
            state: Mutex::default(),
            limits: Each::new(|priority| bounds.part(priority, permits)),
            lanes: AtomicU64::default(),
        }
    }

    /// The rank of a new lane.
    pub(super) fn rank(&self, priority: Priority) -> Rank {
        let lane = self.lanes.fetch_add(1, Ordering::Relaxed);
        Rank { lane, priority: AtomicUsize::new(priority as usize) }
    }

    /// Waits for a turn; dropping the future gives the place up. A lane asks for one at a time.
    ///
    /// The turn that the lane `had` is given up once it waits for the next one: however late its task runs, nobody who is less
    /// urgent comes in between.
    pub(super) async fn enter(self: &Arc<Gate>, rank: &Rank, had: Option<Permit>) -> Permit {
        let (grant, mut granted) = oneshot::channel();
        {
            let mut state = self.state();
            // Read inside, so that `raise` either comes before and is seen, or finds the waiter.
            state.waiting[rank.priority()].push_back(Waiter { lane: rank.lane, grant });
            self.grant(&mut state);
        }
        drop(had);
        if let Ok(permit) = granted.try_recv() {
            return permit;
        }
        let place = Place { gate: self, lane: rank.lane };
        let permit = granted.await;
        std::mem::forget(place);
        match permit {
            Ok(permit) => permit,
            // Only the place above takes a waiter away, and it is still ours.
            Err(_) => pending().await,
        }
    }

    /// Lets a lane that waits and has become more urgent wait among its equals.
    pub(super) fn raise(self: &Arc<Gate>, rank: &Rank) {
        let mut state = self.state();
        let priority = rank.priority();
        for lower in Priority::ALL.into_iter().filter(|lower| *lower < priority) {
            if let Some(waiter) = state.take(lower, rank.lane) {
                state.waiting[priority].push_back(waiter);
                // A permit that is kept for the more urgent may be free.
                self.grant(&mut state);
                return;
            }
        }
    }

    fn grant(self: &Arc<Gate>, state: &mut State) {
        while let Some(priority) = state.next(&self.limits) {
            let Some(waiter) = state.waiting[priority].pop_front() else { return };
            state.held[priority] += 1;
            let permit = Permit { gate: Some(Arc::clone(self)), priority };
            if let Err(mut permit) = waiter.grant.send(permit) {
                // Gone meanwhile. Not by dropping the permit, which would wait for our own lock.
                permit.gate = None;
                state.held[priority] -= 1;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn waiting(&self, priority: Priority) -> usize {
        self.state().waiting[priority].len()
    }
}

impl State {
    /// Whose turn it is, if a permit is free for anybody who waits.
    fn next(&mut self, limits: &Each<usize>) -> Option<Priority> {
        // What is less urgent counts as held by the more urgent too: the last permits are for the most urgent alone.
        let mut held = 0;
        let may = Each::new(|priority| {
            held += self.held[priority];
            (held, !self.waiting[priority].is_empty())
        });
        let fits = |priority| Priority::ALL.into_iter().all(|above| above < priority || may[above].0 < limits[above]);
        let candidate = |priority: &Priority| may[*priority].1 && fits(*priority);
        let impatient =
            PATIENCE.into_iter().find(|(priority, turns)| candidate(priority) && self.passed_over[*priority] >= *turns);
        let next = impatient
            .map(|(priority, _)| priority)
            .or_else(|| Priority::ALL.into_iter().rev().find(|priority| candidate(priority)))?;
        for priority in Priority::ALL {
            let passed_over = &mut self.passed_over[priority];
            *passed_over = if priority == next || !may[priority].1 { 0 } else { *passed_over + 1 };
        }
        Some(next)
    }

    fn take(&mut self, priority: Priority, lane: u64) -> Option<Waiter> {
        let place = self.waiting[priority].iter().position(|waiter| waiter.lane == lane)?;
        self.waiting[priority].remove(place)
    }
}

/// A place among those who wait, left when dropped.
struct Place<'a> {
    gate: &'a Arc<Gate>,
    lane: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        for priority in Priority::ALL {
            drop(state.take(priority, self.lane));
        }
    }
}

/// A turn: one call of a handler. Dropping it gives it to the next.
pub(super) struct Permit {
    gate: Option<Arc<Gate>>,
    priority: Priority,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            let mut state = gate.state();
            state.held[self.priority] -= 1;
            gate.grant(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::{FutureExt as _, poll};
    use tokio::{pin, task::JoinSet};

    use super::*;

    fn gate(permits: usize) -> Arc<Gate> {
        Arc::new(Gate::new(permits, &Bounds::default()))
    }

    /// Lets so many lanes of each priority wait behind the one permit, the least urgent first, and tells who got it when.
    async fn order(gate: &Arc<Gate>, lanes: [usize; 3]) -> Vec<Priority> {
        let first = gate.enter(&gate.rank(Priority::Bulk), None).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for (priority, lanes) in Priority::ALL.into_iter().zip(lanes) {
            for _ in 0..lanes {
                let (gate, order) = (Arc::clone(gate), Arc::clone(&order));
                tasks.spawn(async move {
                    let permit = gate.enter(&gate.rank(priority), None).await;
                    order.lock().unwrap().push(priority);
                    drop(permit);
                });
            }
            while gate.waiting(priority) < lanes {
                tokio::task::yield_now().await;
            }
        }
        drop(first);
        tasks.join_all().await;
        order.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn the_most_urgent_lane_has_the_next_turn() {
        let order = order(&gate(1), [3, 2, 4]).await;
        assert!(order.is_sorted_by(|one, next| one >= next), "{order:?}");
        assert_eq!(order.len(), 9);
    }

    #[tokio::test]
    async fn what_is_less_urgent_has_its_turn_however_long_the_flood() {
        let order = order(&gate(1), [4, 40, 400]).await;
        let positions =
            |priority| order.iter().enumerate().filter(move |(_, turn)| **turn == priority).map(|(at, _)| at);
        // One of 9 turns, and of those that are left one of 33.
        assert!(positions(Priority::Normal).nth(9).unwrap() <= 10 * 10, "{order:?}");
        assert!(positions(Priority::Bulk).nth(3).unwrap() <= 4 * 34, "{order:?}");
        // And the flood has the rest.
        let flood = order[..200].iter().filter(|turn| **turn == Priority::Interactive).count();
        assert!(flood >= 200 * 8 / 10, "{flood}");
    }

    #[tokio::test]
    async fn some_permits_are_for_the_more_urgent_alone() {
        let gate = gate(10);
        let rank = |priority| gate.rank(priority);
        let mut held = Vec::new();
        // 75 % of them may be bulk, 90 % bulk and normal.
        for (priority, may) in [(Priority::Bulk, 7), (Priority::Normal, 2), (Priority::Interactive, 1)] {
            for _ in 0..may {
                held.push(gate.enter(&rank(priority), None).await);
            }
            let rank = rank(priority);
            let more = gate.enter(&rank, None);
            pin!(more);
            assert!(poll!(&mut more).is_pending(), "{priority:?}");
        }
        // What is bulk goes on only in its own place.
        let bulk = rank(Priority::Bulk);
        let next = gate.enter(&bulk, None);
        pin!(next);
        assert!(poll!(&mut next).is_pending());
        drop(held.pop());
        assert!(poll!(&mut next).is_pending());
        drop(held.remove(0));
        assert!(poll!(&mut next).is_ready());
    }

    #[tokio::test]
    async fn a_lane_that_becomes_more_urgent_while_it_waits_overtakes() {
        let gate = gate(1);
        let held = gate.enter(&gate.rank(Priority::Bulk), None).await;
        let (other, lane) = (gate.rank(Priority::Bulk), gate.rank(Priority::Bulk));
        let (before, waiting) = (gate.enter(&other, None), gate.enter(&lane, None));
        pin!(before, waiting);
        assert!(poll!(&mut before).is_pending() && poll!(&mut waiting).is_pending());
        lane.set(Priority::Interactive);
        gate.raise(&lane);
        drop(held);
        assert!(poll!(&mut before).is_pending());
        assert!(poll!(&mut waiting).is_ready());
    }

    #[tokio::test]
    async fn who_asks_again_with_the_turn_in_hand_lets_nobody_less_urgent_in_between() {
        let gate = gate(1);
        let (urgent, other) = (gate.rank(Priority::Interactive), gate.rank(Priority::Bulk));
        let had = gate.enter(&urgent, None).await;
        let waiting = gate.enter(&other, None);
        pin!(waiting);
        assert!(poll!(&mut waiting).is_pending());
        let again = gate.enter(&urgent, Some(had)).now_or_never().expect("its next turn");
        assert!(poll!(&mut waiting).is_pending());
        // Nor does who is as urgent wait for ever.
        other.set(Priority::Interactive);
        gate.raise(&other);
        let third = gate.enter(&urgent, Some(again));
        pin!(third);
        assert!(poll!(&mut third).is_pending());
        assert!(poll!(&mut waiting).is_ready());
        assert!(poll!(&mut third).is_ready());
    }

    #[tokio::test]
    async fn a_lane_that_becomes_more_urgent_may_have_a_permit_that_was_kept() {
        let gate = gate(2);
        let _held = gate.enter(&gate.rank(Priority::Bulk), None).await;
        let lane = gate.rank(Priority::Bulk);
        let waiting = gate.enter(&lane, None);
        pin!(waiting);
        assert!(poll!(&mut waiting).is_pending());
        lane.set(Priority::Interactive);
        gate.raise(&lane);
        assert!(poll!(&mut waiting).is_ready());
    }

    #[tokio::test]
    async fn who_gives_up_holds_nothing() {
        let gate = gate(1);
        let held = gate.enter(&gate.rank(Priority::Normal), None).await;
        let (gone, granted, last) = (gate.rank(Priority::Bulk), gate.rank(Priority::Normal), gate.rank(Priority::Bulk));
        {
            let gone = gate.enter(&gone, None);
            pin!(gone);
            assert!(poll!(&mut gone).is_pending());
        }
        assert_eq!(gate.waiting(Priority::Bulk), 0);
        {
            let granted = gate.enter(&granted, None);
            pin!(granted);
            assert!(poll!(&mut granted).is_pending());
            // It has the permit now, and never learns of it.
            drop(held);
        }
        let last = gate.enter(&last, None);
        pin!(last);
        assert!(poll!(&mut last).is_ready());
    }
}
