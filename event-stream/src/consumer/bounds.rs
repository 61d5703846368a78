//! How much at once, how often again, how long at most.

use std::time::Duration;

use crate::kind::Priority;

/// How much a consumer takes at once, and how long it lets work finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Records taken from Kafka and not finished, over all partitions. Beyond it nothing is fetched.
    pub in_flight: usize,
    /// The same in bytes of their values; the last one taken may exceed it.
    pub bytes: usize,
    /// The same within one partition, so that one busy guild leaves room for the others.
    pub per_partition: usize,
    /// Of `in_flight`, of `bytes` and of the calls at once, the part that bulk records may take, in percent. Each partition
    /// has the same part of that room, and may exceed its own by one record.
    pub bulk_percent: usize,
    /// The same for bulk and normal records together, so that interactive ones always find room.
    pub normal_percent: usize,
    /// Records of one partition behind the first that is not finished: as many come again after a crash.
    pub window: usize,
    /// How often finished work is committed.
    pub commit_every: Duration,
    /// How often it is looked how far the consumer is behind.
    pub lag_every: Duration,
    /// How long work of a partition that another consumer gets may go on before it is abandoned.
    pub revoke_grace: Duration,
    /// How long work may go on after the stop began.
    pub stop_grace: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            in_flight: 4_096,
            bytes: 32 * 1024 * 1024,
            per_partition: 256,
            bulk_percent: 75,
            normal_percent: 90,
            window: 10_000,
            commit_every: Duration::from_millis(250),
            lag_every: Duration::from_secs(5),
            revoke_grace: Duration::from_secs(5),
            stop_grace: Duration::from_secs(20),
        }
    }
}

impl Bounds {
    /// What records of this priority and of those below it may take of `whole`: at least one.
    pub(super) fn part(&self, priority: Priority, whole: usize) -> usize {
        let percent = match priority {
            Priority::Bulk => self.bulk_percent.min(self.normal_percent),
            Priority::Normal => self.normal_percent,
            Priority::Interactive => 100,
        };
        let part = whole / 100 * percent.min(100) + whole % 100 * percent.min(100) / 100;
        part.max(1)
    }
}

/// How often a failed record is tried again before it becomes a dead letter; later records of its key wait meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Calls of the handler in all, at least one.
    pub attempts: u32,
    /// The pause after the first failure; each later one is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Retries {
    /// Ten attempts in a minute and a half.
    fn default() -> Retries {
        Retries { attempts: 10, first: Duration::from_millis(200), longest: Duration::from_secs(30) }
    }
}

impl Retries {
    /// The pause after that many attempts, or `None` when they were enough.
    pub(super) fn pause_after(&self, attempts: u32) -> Option<Duration> {
        (attempts < self.attempts).then(|| self.pause(attempts))
    }

    /// The pause after the `number`th failure.
    pub(super) fn pause(&self, number: u32) -> Duration {
        let factor = 2_u32.checked_pow(number.saturating_sub(1));
        let doubled = factor.and_then(|factor| self.first.checked_mul(factor));
        doubled.map_or(self.longest, |pause| pause.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_leaves_room_for_those_above_it() {
        let bounds = Bounds::default();
        let parts = |whole| Priority::ALL.map(|priority| bounds.part(priority, whole));
        assert_eq!(parts(64), [48, 57, 64]);
        assert_eq!(parts(1), [1, 1, 1]);
        assert_eq!(parts(usize::MAX)[2], usize::MAX);
        let odd = Bounds { bulk_percent: 300, normal_percent: 50, ..bounds };
        assert_eq!(odd.part(Priority::Bulk, 10), 5);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let retries = Retries { attempts: 5, first: Duration::from_millis(100), longest: Duration::from_millis(300) };
        let pauses: Vec<_> = (1..=6).map(|n| retries.pause_after(n).map(|pause| pause.as_millis())).collect();
        assert_eq!(pauses, [Some(100), Some(200), Some(300), Some(300), None, None]);
        let endless = Retries { attempts: u32::MAX, ..retries };
        assert_eq!(endless.pause_after(1_000), Some(Duration::from_millis(300)));
    }
}
