//! Who is next: the interactive before the rest, and within each priority the guilds in turn.

use std::collections::VecDeque;

use common::discord::Priority;
use foldhash::HashMap;

/// After so many interactive ones in a row one of the others has its turn, so that none waits for ever.
const STREAK: u32 = 7;

/// A queue in which nobody's thousands hold up another's one.
#[derive(Debug)]
pub(super) struct Fair<T> {
    interactive: Rounds<T>,
    bulk: Rounds<T>,
    streak: u32,
}

/// The flows in turn; within a flow first come, first served.
#[derive(Debug)]
struct Rounds<T> {
    flows: HashMap<u64, VecDeque<T>>,
    order: VecDeque<u64>,
    len: usize,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self { interactive: Rounds::default(), bulk: Rounds::default(), streak: 0 }
    }
}

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Self { flows: HashMap::default(), order: VecDeque::new(), len: 0 }
    }
}

impl<T> Fair<T> {
    /// Puts `item` behind what its flow has already. A flow is a guild, or what comes nearest to it.
    pub(super) fn push(&mut self, priority: Priority, flow: u64, item: T) {
        match priority {
            Priority::Interactive => self.interactive.push(flow, item),
            Priority::Bulk => self.bulk.push(flow, item),
        }
    }

    /// Takes the next one.
    pub(super) fn pop(&mut self) -> Option<T> {
        let turn_of_bulk = self.streak >= STREAK && self.bulk.len > 0;
        if !turn_of_bulk && let Some(item) = self.interactive.pop() {
            self.streak = if self.bulk.len > 0 { self.streak + 1 } else { 0 };
            return Some(item);
        }
        self.streak = 0;
        self.bulk.pop()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.interactive.len + self.bulk.len
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Rounds<T> {
    fn push(&mut self, flow: u64, item: T) {
        let items = self.flows.entry(flow).or_default();
        if items.is_empty() {
            self.order.push_back(flow);
        }
        items.push_back(item);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<T> {
        let flow = self.order.pop_front()?;
        let items = self.flows.get_mut(&flow)?;
        let item = items.pop_front();
        if items.is_empty() {
            self.flows.remove(&flow);
        } else {
            self.order.push_back(flow);
        }
        self.len -= 1;
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain<T>(queue: &mut Fair<T>) -> Vec<T> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn ten_thousand_of_one_guild_hold_up_the_one_of_another_by_one() {
        let mut queue = Fair::default();
        for number in 0..10_000 {
            queue.push(Priority::Bulk, 1, number);
        }
        queue.push(Priority::Bulk, 2, 77_777);
        assert_eq!(queue.pop(), Some(0));
        assert_eq!(queue.pop(), Some(77_777));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.len(), 9_998);
    }

    #[test]
    fn within_a_guild_the_order_stays() {
        let mut queue = Fair::default();
        for (flow, item) in [(1, 'a'), (2, 'x'), (1, 'b'), (1, 'c'), (2, 'y')] {
            queue.push(Priority::Interactive, flow, item);
        }
        assert_eq!(drain(&mut queue), ['a', 'x', 'b', 'y', 'c']);
        assert!(queue.is_empty());
    }

    #[test]
    fn the_interactive_pass_the_rest_and_the_rest_is_not_forgotten() {
        let mut queue = Fair::default();
        queue.push(Priority::Bulk, 9, 1_000);
        queue.push(Priority::Bulk, 9, 1_001);
        for number in 0..20 {
            queue.push(Priority::Interactive, number, number);
        }
        let order = drain(&mut queue);
        assert_eq!(order.iter().position(|item| *item == 1_000), Some(7));
        assert_eq!(order.iter().position(|item| *item == 1_001), Some(15));
        assert_eq!(order.len(), 22);
    }
}
