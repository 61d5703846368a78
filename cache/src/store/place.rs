//! How far a guild's events are folded, and which comes after which.

use crate::change::Position;

/// How far the clocks of two sharders may be apart, in milliseconds, where nothing but the time can tell which of two sessions
/// is the younger.
const SKEW_MS: i64 = 5 * 60 * 1_000;

/// The number of a session's first event. It is of no guild, so it does not come by the guilds' way: it may come again, or late,
/// after guilds that were joined since then, which know nothing of its session.
const READY: u64 = 1;

/// So many sessions are remembered as over.
const REMEMBERED: usize = 4;

/// How far the events of a guild are folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The session of the last event; empty before the first.
    pub(super) session: String,
    pub(super) sequence: u64,
    pub(super) received_ms: i64,
    /// Sessions before, the latest first.
    pub(super) superseded: Vec<String>,
    pub(super) version: u64,
    pub(super) epoch: u64,
}

impl Place {
    /// Whether an event comes after all that is folded.
    ///
    /// Within a session its number tells. A session that was not heard of yet is a younger one, unless its event is much older
    /// than what is folded: then somebody replays a dead letter of long ago. (READY must be younger.) One that was followed by another is over. (Where it
    /// is not, because two processes hold the shard against all rules and the younger ended, the elder takes over once it has
    /// been the only one for long.)
    pub(super) fn precedes(&self, position: &Position) -> bool {
        let ahead_ms = position.received_ms.saturating_sub(self.received_ms);
        if self.session.is_empty() {
            true
        } else if self.session == position.session {
            position.sequence > self.sequence
        } else if self.superseded.contains(&position.session) {
            ahead_ms > SKEW_MS
        } else if position.sequence <= READY {
            ahead_ms > 0
        } else {
            ahead_ms > -SKEW_MS
        }
    }

    /// Goes on to an event.
    pub(super) fn advance(&mut self, position: &Position, outdates: bool) {
        if self.session != position.session {
            let before = std::mem::replace(&mut self.session, position.session.clone());
            self.superseded.retain(|session| *session != self.session);
            if !before.is_empty() {
                self.superseded.insert(0, before);
                self.superseded.truncate(REMEMBERED);
            }
            self.received_ms = position.received_ms;
        }
        self.sequence = position.sequence;
        self.received_ms = self.received_ms.max(position.received_ms);
        self.count(outdates);
    }

    /// One change more that is no event.
    pub(super) fn count(&mut self, outdates: bool) {
        self.version += 1;
        if outdates {
            self.epoch = self.version;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(session: &str, sequence: u64, received_ms: i64) -> Position {
        Position { session: session.to_owned(), sequence, received_ms }
    }

    fn after(positions: &[Position]) -> Place {
        let mut place = Place::default();
        for position in positions {
            assert!(place.precedes(position), "{position:?}");
            place.advance(position, true);
        }
        place
    }

    #[test]
    fn within_a_session_its_numbers_tell() {
        let place = after(&[at("a", 7, 1_000)]);
        assert!(!place.precedes(&at("a", 7, 2_000)), "it came again after a resume");
        assert!(!place.precedes(&at("a", 6, 2_000)));
        assert!(place.precedes(&at("a", 8, 500)), "clocks may be set back");
    }

    #[test]
    fn a_new_session_comes_after_the_old_one_whatever_its_numbers() {
        let place = after(&[at("a", 700, 1_000), at("b", 2, 900)]);
        assert!(!place.precedes(&at("a", 701, 1_100)), "late events of the old session change nothing");
        assert!(place.precedes(&at("b", 3, 901)));
    }

    #[test]
    fn a_dead_letter_of_long_ago_is_no_new_session() {
        let place = after(&[at("b", 2, 10 * SKEW_MS)]);
        assert!(!place.precedes(&at("a", 9, 8 * SKEW_MS)));
    }

    #[test]
    fn a_ready_of_before_the_guild_was_joined_is_no_new_session() {
        let place = after(&[at("b", 9, 10_000)]);
        assert!(!place.precedes(&at("a", READY, 9_999)));
        assert!(place.precedes(&at("c", READY, 10_001)));
    }

    #[test]
    fn an_older_process_that_is_alone_again_is_heard() {
        let place = after(&[at("a", 7, 1_000), at("b", 2, 2_000)]);
        assert!(place.precedes(&at("a", 9, 2_001 + SKEW_MS)));
    }

    #[test]
    fn versions_count_every_event_and_epochs_those_that_outdate() {
        let mut place = after(&[at("a", 1, 0), at("a", 2, 0)]);
        place.advance(&at("a", 3, 0), false);
        assert_eq!((place.version, place.epoch), (3, 2));
    }
}
