use std::fmt;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// V1: each dispatch is in the topic, or among the dead letters as refused.
    Kept,
    /// V1: byte for byte, under the key of its guild.
    Unchanged,
    /// Nothing is in the topic that Discord did not dispatch.
    Genuine,
    /// The first copies of a guild's events are in the order in which they were dispatched.
    Ordered,
    /// The consumers have committed everything.
    Committed,
    /// What was given up is a record of the topic, and nothing of this run had to be given up.
    Handled,
    /// V4: a ticket's record has every message, its last edit, the mark of its deletion.
    Recorded,
    /// V2: each ticket has its channel and each channel its ticket.
    Paired,
    /// V5: no click and no change takes effect twice.
    Once,
    /// V6: every cache process knows of each guild what Discord has.
    Cached,
    /// V8: sessions begin only when that is planned.
    Planned,
    /// Discord had nothing to complain about, and nothing in the test failed.
    Clean,
}

/// A rule that was broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// Where, for people.
    pub text: String,
}

impl Violation {
    pub(crate) fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self { rule, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.text)
    }
}
