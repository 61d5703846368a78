//! What a record is about: its name in metrics, and how urgent it is.

use crate::events::EVENTS;

/// How urgent a record is: who gets the next free turn, and how much room it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// It may take its time, and there may be floods of it.
    Bulk,
    /// The rest.
    Normal,
    /// A person waits for the answer.
    Interactive,
}

impl Priority {
    /// Every priority, the least urgent first.
    pub const ALL: [Priority; 3] = [Priority::Bulk, Priority::Normal, Priority::Interactive];

    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Bulk => "bulk",
            Priority::Normal => "normal",
            Priority::Interactive => "interactive",
        }
    }
}

/// A value for each priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Each<T>([T; 3]);

impl<T> Each<T> {
    pub(crate) fn new(value: impl FnMut(Priority) -> T) -> Each<T> {
        Each(Priority::ALL.map(value))
    }
}

impl<T> std::ops::Index<Priority> for Each<T> {
    type Output = T;

    fn index(&self, priority: Priority) -> &T {
        &self.0[priority as usize]
    }
}

impl<T> std::ops::IndexMut<Priority> for Each<T> {
    fn index_mut(&mut self, priority: Priority) -> &mut T {
        &mut self.0[priority as usize]
    }
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in metrics: one of a fixed list, never what somebody wrote.
    pub name: &'static str,
    /// How urgent it is.
    pub priority: Priority,
}

impl Kind {
    /// What is on no list. Nobody handles it.
    pub const OTHER: Kind = Kind { name: "other", priority: Priority::Bulk };
    /// A click that is answered late.
    pub const LATE_INTERACTION: Kind = Kind { name: "LATE_INTERACTION", priority: Priority::Interactive };

    /// A dispatch of the gateway, by its name (`t`).
    #[must_use]
    pub fn of_event(name: &str) -> Kind {
        let known = EVENTS.binary_search_by(|(known, _)| (*known).cmp(name));
        known.map_or(Kind::OTHER, |index| Kind { name: EVENTS[index].0, priority: EVENTS[index].1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_so_that_it_can_be_searched() {
        assert!(EVENTS.is_sorted_by(|one, next| one.0 < next.0));
        for (name, priority) in EVENTS {
            assert_eq!(Kind::of_event(name), Kind { name, priority: *priority });
        }
    }

    #[test]
    fn a_name_that_nobody_knows_makes_no_new_label() {
        for unknown in ["", "SOMETHING_NEW", "message_create", "MESSAGE_CREATE "] {
            assert_eq!(Kind::of_event(unknown), Kind::OTHER);
        }
    }

    #[test]
    fn a_click_comes_before_a_message_and_a_message_before_a_flood() {
        let priority = |name| Kind::of_event(name).priority;
        assert!(priority("INTERACTION_CREATE") > priority("MESSAGE_CREATE"));
        assert!(priority("MESSAGE_CREATE") > priority("GUILD_CREATE"));
    }
}
