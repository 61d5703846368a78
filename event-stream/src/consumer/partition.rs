//! One partition while this consumer owns it: a lane of waiting records per key, what runs, what is done.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    bounds::Bounds,
    event_metrics::EventMetrics,
    gate::{Gate, Rank},
    lag::Behind,
    offsets::{Offsets, Ticket},
    room::{Queues, Room, Taken},
};
use crate::{
    envelope::Message,
    kind::{Each, Kind, Priority},
};

/// Assignments that the process was given so far, of any topic.
static ASSIGNMENTS: AtomicU64 = AtomicU64::new(0);

/// One assignment of one partition. When the partition is lost and comes back, that is another one.
pub(super) struct Partition {
    pub(super) number: i32,
    /// Which assignment this is: a number that the process gives once.
    pub(super) assignment: u64,
    room: Arc<Room>,
    gate: Arc<Gate>,
    metrics: EventMetrics,
    state: Mutex<State>,
    // Signalled whenever a record leaves.
    left: Condvar,
    /// Nothing more begins: not the next record, not the next attempt.
    pub(super) halted: CancellationToken,
    /// What runs is dropped where it stands.
    pub(super) abandoned: CancellationToken,
    // Nothing runs, and nothing ever will.
    ended: CancellationToken,
    // Of earlier assignments, of which something ran still when this one began.
    earlier: Vec<CancellationToken>,
    pub(super) behind: Behind,
}

#[derive(Default)]
struct State {
    offsets: Offsets,
    // An entry, even one without records, means that a task works on the key.
    lanes: HashMap<Bytes, Waiters>,
    queues: Queues,
    waiting: usize,
    running: usize,
    committed: Option<i64>,
}

/// The records of one key that wait, in order.
struct Waiters {
    records: VecDeque<Waiting>,
    // Of each priority, with the one that is being worked on.
    held: Each<usize>,
    rank: Arc<Rank>,
}

struct Waiting {
    ticket: Ticket,
    message: Arc<Message>,
    kind: Kind,
    since: Instant,
}

/// A key that somebody has to work on.
pub(super) struct Lane {
    pub(super) key: Bytes,
    pub(super) rank: Arc<Rank>,
}

/// What a new assignment obeys.
pub(super) struct Rules {
    pub(super) room: Arc<Room>,
    pub(super) gate: Arc<Gate>,
    pub(super) metrics: EventMetrics,
    pub(super) halted: CancellationToken,
    pub(super) abandoned: CancellationToken,
}

impl Partition {
    /// An assignment that begins once what runs of `earlier` ones has ended.
    pub(super) fn new<'a>(
        number: i32,
        rules: Rules,
        earlier: impl IntoIterator<Item = &'a Arc<Partition>>,
    ) -> Partition {
        let Rules { room, gate, metrics, halted, abandoned } = rules;
        Partition {
            number,
            assignment: ASSIGNMENTS.fetch_add(1, Ordering::Relaxed),
            room,
            gate,
            metrics,
            state: Mutex::default(),
            left: Condvar::new(),
            halted,
            abandoned,
            ended: CancellationToken::new(),
            earlier: earlier.into_iter().map(|earlier| earlier.ended.clone()).collect(),
            behind: Behind::default(),
        }
    }

    /// Takes a record into the lane of its key.
    ///
    /// Returns the lane when no task works on it: the caller starts one that calls [`Partition::next`] until it is empty.
    /// Records without a key share a lane.
    pub(super) fn take(&self, message: Message, kind: Kind, written_ms: i64) -> Option<Lane> {
        let mut state = self.state();
        if self.halted.is_cancelled() {
            return None;
        }
        self.metrics.event(kind, "enqueued");
        let ticket = state.offsets.take(message.offset, written_ms);
        let key = message.key.clone().unwrap_or_default();
        let size = Taken::of(&message);
        self.room.enter(size);
        state.queues.enter(kind.priority, size);
        state.waiting += 1;
        let record = Waiting { ticket, message: Arc::new(message), kind, since: Instant::now() };
        if let Some(waiters) = state.lanes.get_mut(&key) {
            waiters.records.push_back(record);
            let raised = waiters.add(kind.priority);
            drop(state);
            // Not under the lock of this partition, because the gate has one of its own.
            if let Some(rank) = raised {
                self.gate.raise(&rank);
            }
            return None;
        }
        let rank = Arc::new(self.gate.rank(kind.priority));
        let mut waiters = Waiters { records: VecDeque::from([record]), held: Each::default(), rank: Arc::clone(&rank) };
        waiters.add(kind.priority);
        state.lanes.insert(key.clone(), waiters);
        Some(Lane { key, rank })
    }

    /// Waits until nothing runs any more of what this process did on the partition before. Returns false when nothing may
    /// begin any more.
    pub(super) async fn may_begin(&self) -> bool {
        for earlier in &self.earlier {
            tokio::select! {
                biased;
                () = self.halted.cancelled() => return false,
                () = earlier.cancelled() => {}
            }
        }
        true
    }

    /// The next record of a lane, or `None` when the lane is finished or nothing more may begin.
    pub(super) fn next(self: &Arc<Self>, lane: &Lane) -> Option<Running> {
        let mut state = self.state();
        if self.halted.is_cancelled() {
            return None;
        }
        match state.lanes.get_mut(&lane.key).and_then(|waiters| waiters.records.pop_front()) {
            Some(record) => {
                state.waiting -= 1;
                state.running += 1;
                let Waiting { ticket, message, kind, since } = record;
                Some(Running { partition: Arc::clone(self), ticket, message, kind, since })
            }
            None => {
                state.lanes.remove(&lane.key);
                None
            }
        }
    }

    /// Begins nothing more and forgets what waits; what runs goes on.
    pub(super) fn halt(&self) {
        let mut state = self.state();
        self.halted.cancel();
        state.waiting = 0;
        let lanes = std::mem::take(&mut state.lanes);
        for record in lanes.into_values().flat_map(|lane| lane.records) {
            let size = Taken::of(&record.message);
            state.queues.leave(record.kind.priority, size);
            self.room.leave(size);
            self.metrics.event(record.kind, "abandoned");
        }
        self.note_end(&state);
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

    /// Whether no further record of this priority may be taken, where so many partitions share the room.
    pub(super) fn is_full(&self, bounds: &Bounds, priority: Priority, partitions: usize) -> bool {
        let state = self.state();
        state.waiting + state.running >= bounds.per_partition
            || state.offsets.window() >= bounds.window
            || state.queues.is_full(bounds, priority, partitions)
    }

    /// Whether there is room for a good many records of this priority again.
    pub(super) fn has_drained(&self, bounds: &Bounds, priority: Priority, partitions: usize) -> bool {
        self.state().has_drained(bounds, priority, partitions)
    }

    /// Waits until there is room for a good many records. Returns whether that came within `patience`.
    pub(super) fn wait_drained(
        &self,
        bounds: &Bounds,
        priority: Priority,
        partitions: usize,
        patience: Duration,
    ) -> bool {
        let full = |state: &mut State| !state.has_drained(bounds, priority, partitions);
        let waited = self.left.wait_timeout_while(self.state(), patience, full);
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

    /// Where the first record stands that is not finished, and when it was written, as far as anything was taken.
    pub(super) fn unfinished(&self) -> Option<(i64, Option<i64>)> {
        self.state().offsets.unfinished()
    }

    fn note_end(&self, state: &State) {
        if state.running == 0 && self.halted.is_cancelled() {
            self.ended.cancel();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_drained(&self, bounds: &Bounds, priority: Priority, partitions: usize) -> bool {
        self.waiting + self.running <= bounds.per_partition / 2
            && self.offsets.window() <= bounds.window / 2
            && self.queues.has_drained(bounds, priority, partitions)
    }
}

impl Waiters {
    /// Counts a record. Returns the rank where that makes the lane more urgent.
    fn add(&mut self, priority: Priority) -> Option<Arc<Rank>> {
        let before = self.priority();
        self.held[priority] += 1;
        self.rank.set(self.priority());
        (self.priority() > before).then(|| Arc::clone(&self.rank))
    }

    fn remove(&mut self, priority: Priority) {
        self.held[priority] -= 1;
        self.rank.set(self.priority());
    }

    fn priority(&self) -> Priority {
        let held = |priority: &Priority| self.held[*priority] > 0;
        Priority::ALL.into_iter().rev().find(held).unwrap_or(Priority::Bulk)
    }
}

/// A record that is being worked on; dropping it without [`Running::finished`] leaves it to be read again.
pub(super) struct Running {
    partition: Arc<Partition>,
    ticket: Ticket,
    pub(super) message: Arc<Message>,
    pub(super) kind: Kind,
    /// When it was taken from Kafka.
    pub(super) since: Instant,
}

impl Running {
    /// The record is done with, and its offset may be committed once all before it are.
    pub(super) fn finished(self) {
        self.partition.state().offsets.finish(self.ticket);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let partition = &self.partition;
        let mut state = partition.state();
        state.running -= 1;
        let key = self.message.key.as_ref().map_or(&b""[..], |key| key);
        // There is none where the partition was halted.
        if let Some(waiters) = state.lanes.get_mut(key) {
            waiters.remove(self.kind.priority);
        }
        let size = Taken::of(&self.message);
        state.queues.leave(self.kind.priority, size);
        partition.room.leave(size);
        partition.note_end(&state);
        partition.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::task::JoinSet;

    use super::*;
    use crate::envelope::Headers;

    fn after<'a>(earlier: impl IntoIterator<Item = &'a Arc<Partition>>) -> Arc<Partition> {
        let abandoned = CancellationToken::new();
        let rules = Rules {
            room: Arc::default(),
            gate: Arc::new(Gate::new(1, &Bounds::default())),
            metrics: EventMetrics::default(),
            halted: abandoned.child_token(),
            abandoned,
        };
        Arc::new(Partition::new(0, rules, earlier))
    }

    fn partition() -> Arc<Partition> {
        after([])
    }

    /// Takes a record that nobody waits for.
    fn take(partition: &Partition, key: u8, offset: i64) -> Option<Lane> {
        partition.take(message(key, offset), Kind::OTHER, 0)
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
                    let Some(lane) = take(&partition, *key, i64::try_from(offset).unwrap()) else { continue };
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
        let lane = take(&partition, 1, 0).unwrap();
        assert!(take(&partition, 1, 1).is_none());
        let first = partition.next(&lane).unwrap();
        assert!(take(&partition, 1, 2).is_none(), "the lane's task is still at work");
        first.finished();
        assert_eq!(partition.next(&lane).unwrap().message.offset, 1);
        assert_eq!(partition.next(&lane).unwrap().message.offset, 2);
        assert!(partition.next(&lane).is_none());
        assert!(take(&partition, 1, 3).is_some_and(|again| again.key == lane.key));
    }

    #[test]
    fn halting_forgets_what_waits_and_lets_what_runs_finish() {
        let partition = partition();
        let lane = take(&partition, 1, 0).unwrap();
        take(&partition, 1, 1);
        take(&partition, 2, 2).unwrap();
        let running = partition.next(&lane).unwrap();
        partition.halt();
        assert_eq!(partition.room.now().records, 1);
        assert!(!partition.wait_idle(Duration::ZERO));
        assert!(take(&partition, 3, 3).is_none());
        assert!(partition.next(&lane).is_none());
        running.finished();
        assert!(partition.wait_idle(Duration::ZERO));
        assert_eq!((partition.uncommitted(), partition.room.now()), (Some(1), Taken::default()));
    }

    #[test]
    fn a_record_that_is_dropped_unfinished_is_never_committed() {
        let partition = partition();
        let lane = take(&partition, 1, 0).unwrap();
        take(&partition, 1, 1);
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
            assert!(!held.is_full(&bounds, Priority::Bulk, 1));
            take(&held, 1, offset);
        }
        assert!(held.is_full(&bounds, Priority::Bulk, 1));
        let stuck = partition();
        take(&stuck, 0, 0).unwrap();
        for offset in 1..4 {
            assert!(!stuck.is_full(&bounds, Priority::Bulk, 1));
            let lane = take(&stuck, 1, offset).unwrap();
            stuck.next(&lane).unwrap().finished();
            assert!(stuck.next(&lane).is_none());
        }
        assert!(
            stuck.is_full(&bounds, Priority::Bulk, 1),
            "one record that does not finish holds the others back at last"
        );
        assert!(!stuck.has_drained(&bounds, Priority::Bulk, 1));
    }

    #[test]
    fn what_is_committed_is_not_committed_again() {
        let partition = partition();
        let lane = take(&partition, 1, 7).unwrap();
        assert_eq!(partition.uncommitted(), None);
        partition.next(&lane).unwrap().finished();
        assert_eq!(partition.uncommitted(), Some(8));
        partition.set_committed(8);
        assert_eq!(partition.uncommitted(), None);
    }

    #[test]
    fn a_lane_is_as_urgent_as_the_most_urgent_record_in_it() {
        let partition = partition();
        let priority = |priority| Kind { name: "any", priority };
        let lane = partition.take(message(1, 0), priority(Priority::Bulk), 0).unwrap();
        let now = |lane: &Lane| lane.rank.priority();
        assert_eq!(now(&lane), Priority::Bulk);
        partition.take(message(1, 1), priority(Priority::Interactive), 0);
        partition.take(message(1, 2), priority(Priority::Normal), 0);
        assert_eq!(now(&lane), Priority::Interactive);
        partition.next(&lane).unwrap().finished();
        let click = partition.next(&lane).unwrap();
        assert_eq!(now(&lane), Priority::Interactive, "while it is worked on too");
        click.finished();
        assert_eq!(now(&lane), Priority::Normal);
    }

    #[tokio::test]
    async fn a_new_assignment_begins_when_what_runs_of_the_earlier_ones_has_ended() {
        let one = partition();
        let lane = take(&one, 1, 0).unwrap();
        let running = one.next(&lane).unwrap();
        one.abandon();
        // It never began anything, and yet the third has to wait for the first.
        let two = after([&one]);
        two.abandon();
        assert!(!two.may_begin().await);
        let three = after([&one, &two]);
        let begun = three.may_begin();
        tokio::pin!(begun);
        assert!(futures_util::poll!(&mut begun).is_pending());
        drop(running);
        assert!(begun.await);
    }
}
