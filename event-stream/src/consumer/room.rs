//! How much was taken from Kafka and is not finished.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::bounds::Bounds;
use crate::{
    envelope::Message,
    kind::{Each, Priority},
};

/// How many records, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Taken {
    pub(super) fn of(message: &Message) -> Taken {
        Taken { records: 1, bytes: message.payload.as_ref().map_or(0, Bytes::len) }
    }

    fn and(self, more: Taken) -> Taken {
        Taken { records: self.records + more.records, bytes: self.bytes + more.bytes }
    }

    fn without(self, less: Taken) -> Taken {
        Taken { records: self.records - less.records, bytes: self.bytes - less.bytes }
    }

    fn is_full(self, bounds: &Bounds) -> bool {
        self.records >= bounds.in_flight || self.bytes >= bounds.bytes
    }

    fn has_drained(self, bounds: &Bounds) -> bool {
        self.records <= bounds.in_flight / 2 && self.bytes <= bounds.bytes / 2
    }
}

/// What was taken from one partition, by priority.
///
/// Of the room that all partitions may fill with bulk records each has the same part, and so with bulk and normal ones. So
/// neither a flood takes the room of what is more urgent, nor one partition that of the others.
#[derive(Default)]
pub(super) struct Queues(Each<Taken>);

impl Queues {
    pub(super) fn enter(&mut self, priority: Priority, more: Taken) {
        self.0[priority] = self.0[priority].and(more);
    }

    pub(super) fn leave(&mut self, priority: Priority, less: Taken) {
        self.0[priority] = self.0[priority].without(less);
    }

    /// Whether no further record of this priority may be taken, where so many partitions share the room.
    pub(super) fn is_full(&self, bounds: &Bounds, priority: Priority, partitions: usize) -> bool {
        let mut levels = self.levels(bounds, priority, partitions);
        levels.any(|(now, most)| now.records >= most.records || now.bytes >= most.bytes)
    }

    /// Whether there is room for a good many records of this priority again.
    pub(super) fn has_drained(&self, bounds: &Bounds, priority: Priority, partitions: usize) -> bool {
        let mut levels = self.levels(bounds, priority, partitions);
        levels.all(|(now, most)| now.records <= most.records / 2 && now.bytes <= most.bytes / 2)
    }

    /// How much is there and may be there, for this priority and those above it: what is less urgent counts for them too.
    fn levels(&self, bounds: &Bounds, priority: Priority, partitions: usize) -> impl Iterator<Item = (Taken, Taken)> {
        let part = move |level, whole| (bounds.part(level, whole) / partitions.max(1)).max(1);
        // What is interactive has no bound but that of the whole.
        let levels =
            Priority::ALL.into_iter().filter(move |level| *level >= priority && *level < Priority::Interactive);
        levels.map(move |level| {
            let counted = Priority::ALL.into_iter().filter(|below| *below <= level);
            let now = counted.fold(Taken::default(), |sum, priority| sum.and(self.0[priority]));
            (now, Taken { records: part(level, bounds.in_flight), bytes: part(level, bounds.bytes) })
        })
    }
}

/// What was taken from all partitions.
#[derive(Default)]
pub(super) struct Room {
    taken: Mutex<Taken>,
    left: Condvar,
}

impl Room {
    pub(super) fn enter(&self, more: Taken) {
        let mut taken = self.taken();
        *taken = taken.and(more);
    }

    pub(super) fn leave(&self, less: Taken) {
        let mut taken = self.taken();
        *taken = taken.without(less);
        self.left.notify_all();
    }

    pub(super) fn now(&self) -> Taken {
        *self.taken()
    }

    /// Whether no further record may be taken.
    pub(super) fn is_full(&self, bounds: &Bounds) -> bool {
        self.now().is_full(bounds)
    }

    /// Whether there is room for a good many records again.
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
    use super::*;

    fn records(records: usize) -> Taken {
        Taken { records, bytes: 0 }
    }

    #[test]
    fn a_flood_of_bulk_leaves_room_for_clicks_and_messages() {
        let bounds = Bounds { in_flight: 400, ..Bounds::default() };
        let mut queues = Queues::default();
        let full = |queues: &Queues| Priority::ALL.map(|priority| queues.is_full(&bounds, priority, 4));
        queues.enter(Priority::Bulk, records(74));
        assert_eq!(full(&queues), [false, false, false]);
        queues.enter(Priority::Bulk, records(1));
        assert_eq!(full(&queues), [true, false, false]);
        queues.enter(Priority::Normal, records(15));
        assert_eq!(full(&queues), [true, true, false]);
        queues.enter(Priority::Interactive, records(1_000));
        assert_eq!(full(&queues), [true, true, false]);
        queues.leave(Priority::Bulk, records(40));
        assert_eq!(full(&queues), [false, false, false]);
        assert!(!queues.has_drained(&bounds, Priority::Bulk, 4), "bulk and normal fill more than half of theirs");
        queues.leave(Priority::Normal, records(15));
        assert!(queues.has_drained(&bounds, Priority::Bulk, 4));
    }

    #[test]
    fn all_partitions_together_leave_room_for_what_is_more_urgent() {
        let bounds = Bounds { in_flight: 400, bytes: 1 << 20, ..Bounds::default() };
        let fill = |more: Taken| {
            let mut queues = Queues::default();
            while !queues.is_full(&bounds, Priority::Bulk, 7) {
                queues.enter(Priority::Bulk, more);
            }
            let levels: Vec<_> = queues.levels(&bounds, Priority::Bulk, 7).collect();
            levels[0].0
        };
        assert!(7 * fill(records(1)).records <= 300);
        assert!(7 * fill(Taken { records: 1, bytes: 1_024 }).bytes <= (1 << 20) * 3 / 4 + 7 * 1_024);
    }

    #[test]
    fn the_room_counts_records_and_bytes() {
        let room = Room::default();
        room.enter(Taken { records: 2, bytes: 20 });
        assert_eq!(room.now(), Taken { records: 2, bytes: 20 });
        let few = Bounds { in_flight: 2, ..Bounds::default() };
        let small = Bounds { bytes: 15, ..Bounds::default() };
        assert!(room.is_full(&few) && room.is_full(&small));
        assert!(!room.wait(&few, Duration::ZERO) && !room.wait(&small, Duration::ZERO));
        room.leave(Taken { records: 1, bytes: 10 });
        assert!(room.wait(&few, Duration::ZERO) && room.wait(&small, Duration::ZERO));
        assert!(room.has_drained(&few) && !room.has_drained(&small));
    }
}
