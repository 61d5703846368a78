//! Which events are on their way to Kafka, and up to which of them nothing is missing.
//!
//! A pure data structure: it decides what is sent next and what may be persisted, and does neither. Events enter in the
//! order in which they were received. Acknowledgements may come in any order, because guilds live on different
//! partitions; the position moves only over an unbroken row of acknowledged events, so a RESUME from it can repeat an
//! event but never miss one.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    budget::{Budget, Share},
    sessions::GatewaySession,
};

/// How far everything received is safe in Kafka: what a RESUME may start from.
#[derive(Clone, Debug)]
pub struct Position {
    /// The session.
    pub session: Arc<GatewaySession>,
    /// The highest sequence of it that has no unacknowledged event before it.
    pub sequence: u64,
}

/// Names an event of a window; no other event of it ever has the same number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// How many entries an empty window keeps room for. A burst may have needed a hundred times as many.
const ROOM: usize = 64;

/// The events that were received and are not yet all acknowledged, oldest first.
#[derive(Debug)]
pub struct Window<T> {
    entries: VecDeque<Entry<T>>,
    /// The ticket of the front entry.
    first: u64,
    /// No entry before this ticket waits for being sent.
    cursor: u64,
    /// How many are sent and unanswered.
    sent: usize,
    /// A delivery failed: nothing is sent until all that are on their way are answered, so that what is sent again
    /// keeps its order.
    rewinding: bool,
    share: Share,
    session: Option<Arc<GatewaySession>>,
    position: Option<Position>,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    session: Option<Arc<GatewaySession>>,
    sequence: u64,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Waiting,
    Sent,
    Acknowledged,
}

impl<T> Window<T> {
    /// An empty window that starts at a persisted position, or at none.
    #[must_use]
    pub fn new(budget: &Budget, position: Option<Position>) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            cursor: 0,
            sent: 0,
            rewinding: false,
            share: budget.share(),
            session: position.as_ref().map(|position| Arc::clone(&position.session)),
            position,
        }
    }

    /// The session that events now belong to.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<GatewaySession>> {
        self.session.as_ref()
    }

    /// Every event from now on belongs to this session. The position stays at the old one until the first event of the
    /// new one is acknowledged.
    pub fn begin_session(&mut self, session: Arc<GatewaySession>) {
        self.session = Some(session);
    }

    /// Discord ended the session: nothing can be resumed, and no late acknowledgement brings it back.
    pub fn end_session(&mut self) {
        self.session = None;
        self.position = None;
    }

    /// What may be persisted now.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Takes in a received event.
    pub fn push(&mut self, item: T, sequence: u64, bytes: usize) {
        self.share.take(bytes);
        self.entries.push_back(Entry { item, session: self.session.clone(), sequence, bytes, state: State::Waiting });
    }

    /// The event to send next: the oldest that waits, unless a failure must be settled first.
    pub fn next_to_send(&mut self) -> Option<(Ticket, &T)> {
        if self.rewinding {
            if self.sent > 0 {
                return None;
            }
            self.rewinding = false;
        }
        self.cursor = self.cursor.max(self.first);
        let passed = self
            .entries
            .iter()
            .skip(index(self.cursor - self.first))
            .take_while(|entry| entry.state != State::Waiting)
            .count();
        self.cursor += passed as u64;
        let entry = self.entries.get(index(self.cursor - self.first))?;
        Some((Ticket(self.cursor), &entry.item))
    }

    /// The event was handed to the producer.
    pub fn sent(&mut self, ticket: Ticket) {
        if self.change(ticket, State::Waiting, State::Sent) {
            self.sent += 1;
        }
    }

    /// Kafka has the event.
    pub fn acknowledged(&mut self, ticket: Ticket) {
        if self.change(ticket, State::Sent, State::Acknowledged) {
            self.sent -= 1;
        }
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.state == State::Acknowledged) {
            self.first += 1;
            self.share.give(1, entry.bytes);
            self.advance(entry.session, entry.sequence);
        }
        if self.entries.is_empty() {
            self.entries.shrink_to(ROOM);
        }
    }

    /// Kafka does not have the event; it will be sent again before anything that was not yet sent.
    pub fn failed(&mut self, ticket: Ticket) {
        if self.change(ticket, State::Sent, State::Waiting) {
            self.sent -= 1;
            self.rewinding = true;
            self.cursor = self.cursor.min(ticket.0);
        }
    }

    /// An event of the window.
    #[must_use]
    pub fn get(&self, ticket: Ticket) -> Option<&T> {
        let offset = ticket.0.checked_sub(self.first)?;
        self.entries.get(index(offset)).map(|entry| &entry.item)
    }

    /// Whether a delivery failed, and what is on its way has not all been answered since.
    #[must_use]
    pub fn is_rewinding(&self) -> bool {
        self.rewinding
    }

    /// How many events are sent and unanswered.
    #[must_use]
    pub fn on_the_way(&self) -> usize {
        self.sent
    }

    /// The oldest event that is not acknowledged, or the next one to come.
    #[must_use]
    pub fn first(&self) -> Ticket {
        Ticket(self.first)
    }

    /// How many events are in the window.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all that was received is acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether nothing more should be received, see [`Share::is_full`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.share.is_full()
    }

    /// Whether even the reserve for keeping a stalled connection alive is used up, see [`Share::is_overfull`].
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.share.is_overfull()
    }

    fn change(&mut self, ticket: Ticket, from: State, to: State) -> bool {
        let Some(entry) = ticket.0.checked_sub(self.first).and_then(|offset| self.entries.get_mut(index(offset)))
        else {
            return false;
        };
        if entry.state != from {
            return false;
        }
        entry.state = to;
        true
    }

    /// A replay repeats sequences that were acknowledged before, so the position only ever grows within a session.
    fn advance(&mut self, session: Option<Arc<GatewaySession>>, sequence: u64) {
        let (Some(session), Some(current)) = (session, &self.session) else {
            return;
        };
        if !Arc::ptr_eq(&session, current) {
            return;
        }
        match &mut self.position {
            Some(position) if Arc::ptr_eq(&position.session, &session) => {
                position.sequence = position.sequence.max(sequence);
            }
            position => *position = Some(Position { session, sequence }),
        }
    }
}

/// An offset into the window; it has far fewer entries than `usize` can count.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::budget::Limits;

    fn session(id: &str) -> Arc<GatewaySession> {
        Arc::new(GatewaySession { id: id.to_owned(), resume_url: "wss://resume.test".to_owned() })
    }

    /// A window of session `a` with these sequences received and sent.
    fn sent(sequences: &[u64]) -> (Window<u64>, Vec<Ticket>) {
        let mut window = Window::new(&Budget::default(), None);
        window.begin_session(session("a"));
        for sequence in sequences {
            window.push(*sequence, *sequence, 1);
        }
        let tickets = send_all(&mut window).into_iter().map(|(ticket, _)| ticket).collect();
        (window, tickets)
    }

    fn send_all(window: &mut Window<u64>) -> Vec<(Ticket, u64)> {
        let mut all = Vec::new();
        while let Some((ticket, item)) = window.next_to_send() {
            all.push((ticket, *item));
            window.sent(ticket);
        }
        all
    }

    fn at<T>(window: &Window<T>) -> Option<(&str, u64)> {
        window.position().map(|position| (position.session.id.as_str(), position.sequence))
    }

    #[test]
    fn the_position_waits_for_the_oldest_unacknowledged_event() {
        let (mut window, tickets) = sent(&[1, 2, 3]);
        window.acknowledged(tickets[2]);
        window.acknowledged(tickets[1]);
        assert_eq!(at(&window), None);
        window.acknowledged(tickets[0]);
        assert_eq!(at(&window), Some(("a", 3)));
        assert!(window.is_empty());
    }

    #[test]
    fn failed_events_are_sent_again_in_order_before_newer_ones() {
        let (mut window, tickets) = sent(&[1, 2, 3, 4]);
        window.failed(tickets[1]);
        window.push(5, 5, 1);
        assert_eq!(window.next_to_send(), None, "others are still on their way");
        window.acknowledged(tickets[0]);
        window.acknowledged(tickets[2]);
        assert_eq!(window.next_to_send(), None);
        window.failed(tickets[3]);
        let again = send_all(&mut window);
        assert_eq!(again.iter().map(|(_, item)| *item).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(at(&window), Some(("a", 1)));
        for (ticket, _) in again {
            window.acknowledged(ticket);
        }
        assert_eq!(at(&window), Some(("a", 5)));
    }

    #[test]
    fn a_replayed_event_does_not_move_the_position_back() {
        let (mut window, tickets) = sent(&[8, 9, 7, 8]);
        for ticket in tickets {
            window.acknowledged(ticket);
        }
        assert_eq!(at(&window), Some(("a", 9)));
    }

    #[test]
    fn a_new_session_takes_over_with_its_first_acknowledged_event() {
        let (mut window, tickets) = sent(&[10, 11]);
        window.acknowledged(tickets[0]);
        window.begin_session(session("b"));
        window.push(1, 1, 1);
        let ready = send_all(&mut window)[0].0;
        window.acknowledged(ready);
        assert_eq!(at(&window), Some(("a", 10)));
        window.acknowledged(tickets[1]);
        assert_eq!(at(&window), Some(("b", 1)));
    }

    #[test]
    fn an_ended_session_is_not_revived_by_a_late_acknowledgement() {
        let (mut window, tickets) = sent(&[10, 11]);
        window.acknowledged(tickets[0]);
        window.end_session();
        assert_eq!(at(&window), None);
        window.acknowledged(tickets[1]);
        assert_eq!(at(&window), None);
        assert!(window.is_empty());
    }

    #[test]
    fn a_resumed_session_continues_at_its_position() {
        let start = Position { session: session("a"), sequence: 40 };
        let mut window = Window::new(&Budget::default(), Some(start));
        window.push(41, 41, 1);
        assert_eq!(at(&window), Some(("a", 40)));
        let ticket = send_all(&mut window)[0].0;
        window.acknowledged(ticket);
        assert_eq!(at(&window), Some(("a", 41)));
    }

    #[test]
    fn it_is_full_until_acknowledged_and_gives_back_what_it_held() {
        let budget = Budget::new(Limits { events: 100, bytes: 12 }, Limits { events: 1, bytes: 1 });
        let mut window = Window::new(&budget, None);
        window.push(1, 1, 4);
        assert!(!window.is_full());
        window.push(2, 2, 8);
        assert!(window.is_full() && !window.is_overfull());
        for (ticket, _) in send_all(&mut window) {
            window.acknowledged(ticket);
        }
        assert!(!window.is_full());
        window.push(3, 3, 50);
        assert!(window.is_full() && window.is_overfull());
        drop(window);
        assert_eq!((budget.events(), budget.bytes()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Receive,
        Send(usize),
        Answer(usize, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Receive),
            (1..4usize).prop_map(Step::Send),
            (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, ok)| Step::Answer(which, ok)),
        ]
    }

    proptest! {
        #[test]
        fn whatever_kafka_answers_nothing_is_passed_lost_or_reordered(steps in prop::collection::vec(step(), 0..200)) {
            let mut window = Window::new(&Budget::default(), None);
            window.begin_session(session("a"));
            let mut received = 0;
            let mut on_the_way = BTreeMap::new();
            let mut stored = BTreeSet::new();
            let mut last_sent = 0;
            // At the end everything that is left is sent and answered well.
            let settle = (0..2 * steps.len()).flat_map(|_| [Step::Send(4), Step::Answer(0, true)]);
            for step in steps.into_iter().chain(settle) {
                match step {
                    Step::Receive => {
                        received += 1;
                        window.push(received, received, 1);
                    }
                    Step::Send(count) => {
                        for _ in 0..count {
                            let Some((ticket, item)) = window.next_to_send() else { break };
                            let item = *item;
                            prop_assert!(!stored.contains(&item), "{item} was acknowledged and is sent again");
                            if on_the_way.is_empty() {
                                last_sent = 0;
                            }
                            prop_assert!(item > last_sent, "{item} is sent after {last_sent}");
                            last_sent = item;
                            window.sent(ticket);
                            on_the_way.insert(ticket, item);
                        }
                    }
                    Step::Answer(which, ok) => {
                        if on_the_way.is_empty() {
                            continue;
                        }
                        let ticket = *on_the_way.keys().nth(which % on_the_way.len()).unwrap();
                        let item = on_the_way.remove(&ticket).unwrap();
                        if ok {
                            stored.insert(item);
                            window.acknowledged(ticket);
                        } else {
                            window.failed(ticket);
                        }
                    }
                }
                let contiguous = (1..=received).take_while(|item| stored.contains(item)).last();
                prop_assert_eq!(window.position().map(|position| position.sequence), contiguous);
                prop_assert_eq!(window.len() as u64, received - contiguous.unwrap_or(0));
            }
            prop_assert!(window.is_empty());
            prop_assert_eq!(stored.len() as u64, received);
        }
    }
}
