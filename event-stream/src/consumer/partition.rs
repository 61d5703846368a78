//! One partition while this consumer owns it: a lane of waiting records per key, what runs, what is done.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    bounds::Bounds,
    offsets::{Offsets, Ticket},
};
use crate::envelope::Message;

/// One assignment of one partition. When the partition is lost and comes back, that is another one.
pub(super) struct Partition {
    pub(super) number: i32,
    room: Arc<Room>,
    state: Mutex<State>,
    // Signalled whenever a record leaves.
    left: Condvar,
    /// Nothing more begins: not the next record, not the next attempt.
    pub(super) halted: CancellationToken,
    /// What runs is dropped where it stands.
    pub(super) abandoned: CancellationToken,
}

#[derive(Default)]
struct State {
    offsets: Offsets,
    // Records of one key that wait, in order. An entry, even an empty one, means that a task works on the key.
    lanes: HashMap<Bytes, VecDeque<(Ticket, Arc<Message>)>>,
    waiting: usize,
    running: usize,
    committed: Option<i64>,
}

impl Partition {
    pub(super) fn new(
        number: i32,
        room: Arc<Room>,
        halted: CancellationToken,
        abandoned: CancellationToken,
    ) -> Partition {
        Partition { number, room, state: Mutex::default(), left: Condvar::new(), halted, abandoned }
    }

    /// Takes a record into the lane of its key.
    ///
    /// Returns the lane when no task works on it: the caller starts one that calls [`Partition::next`] until it is empty.
    /// Records without a key share a lane.
    pub(super) fn take(&self, message: Message) -> Option<Bytes> {
        let mut state = self.state();
        if self.halted.is_cancelled() {
            return None;
        }
        let ticket = state.offsets.take(message.offset);
        let key = message.key.clone().unwrap_or_default();
        let record = (ticket, Arc::new(message));
        state.waiting += 1;
        self.room.enter(Taken::of(&record.1));
        if let Some(lane) = state.lanes.get_mut(&key) {
            lane.push_back(record);
            return None;
        }
        state.lanes.insert(key.clone(), VecDeque::from([record]));
        Some(key)
    }

    /// The next record of a lane, or `None` when the lane is finished or nothing more may begin.
    pub(super) fn next(self: &Arc<Self>, lane: &Bytes) -> Option<Running> {
        let mut state = self.state();
        if self.halted.is_cancelled() {
            return None;
        }
        match state.lanes.get_mut(lane).and_then(VecDeque::pop_front) {
            Some((ticket, message)) => {
                state.waiting -= 1;
                state.running += 1;
                Some(Running { partition: Arc::clone(self), ticket, message })
            }
            None => {
                state.lanes.remove(lane);
                None
            }
        }
    }

    /// Begins nothing more and forgets what waits; what runs goes on.
    pub(super) fn halt(&self) {
        let mut state = self.state();
        self.halted.cancel();
        state.waiting = 0;
        for (_, message) in state.lanes.drain().flat_map(|(_, lane)| lane) {
            self.room.leave(Taken::of(&message));
        }
        self.left.notify_all();
    }

    /// Drops what runs where it stands.
    pub(super) fn abandon(&self) {
        self.halt();
        self.abandoned.cancel();
    }

    /// Waits until nothing runs. Returns whether that came within `patience`.
    pub(super) fn wait_idle(&self, patience: Duration) -> bool {
        let state = self.state();
        let waited = self.left.wait_timeout_while(state, patience, |state| state.running > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().running == 0
    }

    /// Whether no further record may be taken.
    pub(super) fn is_full(&self, bounds: &Bounds) -> bool {
        let state = self.state();
        state.waiting + state.running >= bounds.per_partition || state.offsets.window() >= bounds.window
    }

    /// Whether there is room for a good many records again.
    pub(super) fn has_drained(&self, bounds: &Bounds) -> bool {
        self.state().has_drained(bounds)
    }

    /// Waits until there is room for a good many records. Returns whether that came within `patience`.
    pub(super) fn wait_drained(&self, bounds: &Bounds, patience: Duration) -> bool {
        let state = self.state();
        let waited = self.left.wait_timeout_while(state, patience, |state| !state.has_drained(bounds));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The offset that is to be committed, if it is not the committed one.
    pub(super) fn uncommitted(&self) -> Option<i64> {
        let state = self.state();
        state.offsets.position().filter(|position| state.committed != Some(*position))
    }

    /// Notes what Kafka has.
    pub(super) fn set_committed(&self, position: i64) {
        self.state().committed = Some(position);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_drained(&self, bounds: &Bounds) -> bool {
        self.waiting + self.running <= bounds.per_partition / 2 && self.offsets.window() <= bounds.window / 2
    }
}

/// A record that is being worked on; dropping it without [`Running::finished`] leaves it to be read again.
pub(super) struct Running {
    partition: Arc<Partition>,
    ticket: Ticket,
    pub(super) message: Arc<Message>,
}

impl Running {
    /// The record is done with, and its offset may be committed once all before it are.
    pub(super) fn finished(self) {
        self.partition.state().offsets.finish(self.ticket);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.partition.state().running -= 1;
        self.partition.room.leave(Taken::of(&self.message));
        self.partition.left.notify_all();
    }
}

/// Records taken and not finished, over all partitions.
#[derive(Default)]
pub(super) struct Room {
    taken: Mutex<Taken>,
    left: Condvar,
}

/// How many, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Taken {
    fn of(message: &Message) -> Taken {
        Taken { records: 1, bytes: message.payload.as_ref().map_or(0, Bytes::len) }
    }

    fn is_full(self, bounds: &Bounds) -> bool {
        self.records >= bounds.in_flight || self.bytes >= bounds.bytes
    }

    fn has_drained(self, bounds: &Bounds) -> bool {
        self.records <= bounds.in_flight / 2 && self.bytes <= bounds.bytes / 2
    }
}

impl Room {
    fn enter(&self, more: Taken) {
        let mut taken = self.taken();
        taken.records += more.records;
        taken.bytes += more.bytes;
    }

    fn leave(&self, less: Taken) {
        let mut taken = self.taken();
        taken.records -= less.records;
        taken.bytes -= less.bytes;
        self.left.notify_all();
    }

    pub(super) fn now(&self) -> Taken {
        *self.taken()
    }

    pub(super) fn has_drained(&self, bounds: &Bounds) -> bool {
        self.now().has_drained(bounds)
    }

    /// Waits until another record may be taken. Returns whether that came within `patience`.
    pub(super) fn wait(&self, bounds: &Bounds, patience: Duration) -> bool {
        let waited = self.left.wait_timeout_while(self.taken(), patience, |taken| taken.is_full(bounds));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::task::JoinSet;

    use super::*;
    use crate::envelope::Headers;

    fn partition() -> Arc<Partition> {
        let token = CancellationToken::new();
        Arc::new(Partition::new(0, Arc::default(), token.child_token(), token))
    }

    fn message(key: u8, offset: i64) -> Message {
        let key = Some(Bytes::copy_from_slice(&[key]));
        let payload = Some(Bytes::from_static(b"0123456789"));
        Message { topic: "t".into(), partition: 0, offset, key, headers: Headers::default(), payload }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn keys_run_at_once_and_each_in_its_order(
            records in proptest::collection::vec((0_u8..6, 0_usize..8), 1..80),
        ) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
            let done = Arc::new(Mutex::new(Vec::new()));
            let partition = partition();
            runtime.block_on(async {
                let mut lanes = JoinSet::new();
                for (offset, (key, _)) in records.iter().enumerate() {
                    let Some(lane) = partition.take(message(*key, i64::try_from(offset).unwrap())) else { continue };
                    let (partition, done, records) = (Arc::clone(&partition), Arc::clone(&done), records.clone());
                    lanes.spawn(async move {
                        while let Some(running) = partition.next(&lane) {
                            let offset = usize::try_from(running.message.offset).unwrap();
                            for _ in 0..records[offset].1 {
                                tokio::task::yield_now().await;
                            }
                            done.lock().unwrap().push(offset);
                            running.finished();
                        }
                    });
                }
                while let Some(lane) = lanes.join_next().await {
                    lane.unwrap();
                }
            });
            let done = done.lock().unwrap();
            prop_assert_eq!(done.len(), records.len());
            for key in 0..6 {
                let order: Vec<_> = done.iter().filter(|offset| records[**offset].0 == key).collect();
                prop_assert!(order.is_sorted(), "key {}: {:?}", key, order);
            }
            prop_assert_eq!(partition.uncommitted(), Some(i64::try_from(records.len()).unwrap()));
            prop_assert_eq!(partition.room.now(), Taken::default());
            prop_assert!(partition.is_idle());
        }
    }

    #[test]
    fn a_lane_is_started_once_until_it_is_empty() {
        let partition = partition();
        let lane = partition.take(message(1, 0)).unwrap();
        assert_eq!(partition.take(message(1, 1)), None);
        let first = partition.next(&lane).unwrap();
        assert_eq!(partition.take(message(1, 2)), None, "the lane's task is still at work");
        first.finished();
        assert_eq!(partition.next(&lane).unwrap().message.offset, 1);
        assert_eq!(partition.next(&lane).unwrap().message.offset, 2);
        assert!(partition.next(&lane).is_none());
        assert_eq!(partition.take(message(1, 3)), Some(lane));
    }

    #[test]
    fn halting_forgets_what_waits_and_lets_what_runs_finish() {
        let partition = partition();
        let lane = partition.take(message(1, 0)).unwrap();
        partition.take(message(1, 1));
        partition.take(message(2, 2)).unwrap();
        let running = partition.next(&lane).unwrap();
        partition.halt();
        assert_eq!(partition.room.now().records, 1);
        assert!(!partition.wait_idle(Duration::ZERO));
        assert_eq!(partition.take(message(3, 3)), None);
        assert!(partition.next(&lane).is_none());
        running.finished();
        assert!(partition.wait_idle(Duration::ZERO));
        assert_eq!((partition.uncommitted(), partition.room.now()), (Some(1), Taken::default()));
    }

    #[test]
    fn a_record_that_is_dropped_unfinished_is_never_committed() {
        let partition = partition();
        let lane = partition.take(message(1, 0)).unwrap();
        partition.take(message(1, 1));
        drop(partition.next(&lane));
        partition.next(&lane).unwrap().finished();
        assert_eq!(partition.uncommitted(), None);
        assert!(partition.is_idle());
    }

    #[test]
    fn a_partition_is_full_by_what_it_holds_and_by_what_it_could_double() {
        let bounds = Bounds { per_partition: 3, window: 4, ..Bounds::default() };
        let held = partition();
        for offset in 0..3 {
            assert!(!held.is_full(&bounds));
            held.take(message(1, offset));
        }
        assert!(held.is_full(&bounds));
        let stuck = partition();
        stuck.take(message(0, 0)).unwrap();
        for offset in 1..4 {
            assert!(!stuck.is_full(&bounds));
            let lane = stuck.take(message(1, offset)).unwrap();
            stuck.next(&lane).unwrap().finished();
            assert!(stuck.next(&lane).is_none());
        }
        assert!(stuck.is_full(&bounds), "one record that does not finish holds the others back at last");
        assert!(!stuck.has_drained(&bounds));
    }

    #[test]
    fn what_is_committed_is_not_committed_again() {
        let partition = partition();
        let lane = partition.take(message(1, 7)).unwrap();
        assert_eq!(partition.uncommitted(), None);
        partition.next(&lane).unwrap().finished();
        assert_eq!(partition.uncommitted(), Some(8));
        partition.set_committed(8);
        assert_eq!(partition.uncommitted(), None);
    }

    #[test]
    fn the_room_counts_records_and_bytes() {
        let partition = partition();
        let room = Arc::clone(&partition.room);
        let lane = partition.take(message(1, 0)).unwrap();
        partition.take(message(1, 1));
        assert_eq!(room.now(), Taken { records: 2, bytes: 20 });
        let few = Bounds { in_flight: 2, ..Bounds::default() };
        let small = Bounds { bytes: 15, ..Bounds::default() };
        assert!(!room.wait(&few, Duration::ZERO) && !room.wait(&small, Duration::ZERO));
        drop(partition.next(&lane));
        assert!(room.wait(&few, Duration::ZERO) && room.wait(&small, Duration::ZERO));
        assert!(room.has_drained(&few) && !room.has_drained(&small));
        partition.halt();
        assert_eq!(room.now(), Taken::default());
    }
}
