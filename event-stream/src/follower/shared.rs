//! What waits between the thread that fetches and who is handed the records, and how far both are.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    bounds::FollowBounds,
    follow::Followed,
    loss::{Cause, Loss},
    standing::{Look, Progress, Standing},
};

pub(super) struct Shared<P> {
    topic: Arc<str>,
    bounds: FollowBounds,
    state: Mutex<State<P>>,
    standing: watch::Sender<Standing>,
    // Signalled when there is something to hand out.
    arrived: Notify,
    // Signalled when there is room again.
    room: Condvar,
    // Signalled when nobody goes on.
    over: Condvar,
}

struct State<P> {
    progress: Progress,
    queue: VecDeque<Waiting<P>>,
    bytes: usize,
    lost: Option<Loss>,
    // Nobody takes records any more.
    closed: bool,
}

struct Waiting<P> {
    partition: i32,
    offset: i64,
    bytes: usize,
    payload: P,
}

impl<P> State<P> {
    fn is_over(&self) -> bool {
        self.closed || self.lost.is_some()
    }
}

impl<P> Shared<P> {
    pub(super) fn new(topic: Arc<str>, bounds: FollowBounds, from: Vec<i64>) -> Shared<P> {
        let progress = Progress::new(from);
        Shared {
            topic,
            bounds,
            standing: watch::Sender::new(progress.standing.clone()),
            state: Mutex::new(State { progress, queue: VecDeque::new(), bytes: 0, lost: None, closed: false }),
            arrived: Notify::new(),
            room: Condvar::new(),
            over: Condvar::new(),
        }
    }

    pub(super) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// What was handed out is applied.
    pub(super) fn apply(&self) {
        let mut state = self.state();
        if state.lost.is_none() {
            state.progress.apply();
            self.publish(&state);
        }
    }

    /// Up to `most` records, where there is any, or why there will be none. Returns the cause of a loss beside it.
    pub(super) fn take(&self, most: usize) -> Option<(Followed<P>, Option<Cause>)> {
        let mut state = self.state();
        if let Some(loss) = &state.lost {
            return Some((Followed::Lost(loss.why.clone()), Some(loss.cause)));
        }
        let count = state.queue.len().min(most.max(1));
        if count == 0 {
            return None;
        }
        let State { progress, queue, bytes, .. } = &mut *state;
        let handed = queue.drain(..count).map(|waiting| {
            progress.hand_out(waiting.partition, waiting.offset);
            *bytes -= waiting.bytes;
            waiting.payload
        });
        let records = handed.collect();
        self.room.notify_one();
        Some((Followed::Records(records), None))
    }

    /// Resolves when [`Shared::take`] may have something.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes a record in, once there is room.
    pub(super) fn put(&self, partition: i32, offset: i64, bytes: usize, payload: P) {
        let full = |state: &mut State<P>| {
            !state.is_over() && (state.queue.len() >= self.bounds.records || state.bytes >= self.bounds.bytes)
        };
        let mut state = self.room.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.is_over() {
            return;
        }
        match state.progress.fetch(partition, offset) {
            Ok(()) => {
                state.queue.push_back(Waiting { partition, offset, bytes, payload });
                state.bytes += bytes;
                drop(state);
                self.arrived.notify_one();
            }
            Err(loss) => self.lose_in(state, loss),
        }
    }

    pub(super) fn fetched(&self) -> Vec<i64> {
        self.state().progress.fetched()
    }

    /// The brokers answered a look, which was begun when `fetched` was fetched.
    pub(super) fn looked(&self, fetched: &[i64], look: Look) {
        let mut state = self.state();
        if state.lost.is_some() {
            return;
        }
        match state.progress.looked(fetched, look) {
            Ok(()) => self.publish(&state),
            Err(loss) => self.lose_in(state, loss),
        }
    }

    /// The brokers did not answer a look.
    pub(super) fn unanswered(&self, why: String) {
        let mut state = self.state();
        if state.lost.is_none() {
            state.progress.unanswered(why);
            self.publish(&state);
        }
    }

    /// Ends everything: nobody knows what was missed.
    pub(super) fn lose(&self, loss: Loss) {
        self.lose_in(self.state(), loss);
    }

    fn lose_in(&self, mut state: MutexGuard<'_, State<P>>, loss: Loss) {
        // The first one stays, and at the end nobody wants to know.
        if state.is_over() {
            return;
        }
        let Loss { cause, why } = &loss;
        match cause {
            Cause::Undecodable | Cause::Client => {
                tracing::error!(topic = &*self.topic, cause = cause.as_str(), "lost track of {}: {why}", self.topic);
            }
            _ => tracing::warn!(topic = &*self.topic, cause = cause.as_str(), "lost track of {}: {why}", self.topic),
        }
        state.progress.standing = Standing::Behind(why.clone());
        state.queue.clear();
        state.lost = Some(loss);
        self.publish(&state);
        drop(state);
        self.end();
    }

    /// Nobody takes records any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.end();
    }

    fn end(&self) {
        self.arrived.notify_one();
        self.room.notify_all();
        self.over.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().is_over()
    }

    /// Waits until everything is over. Returns whether that came within `patience`.
    pub(super) fn wait_over(&self, patience: Duration) -> bool {
        let waited = self.over.wait_timeout_while(self.state(), patience, |state| !state.is_over());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Under the lock, so that changes are told in their order.
    fn publish(&self, state: &State<P>) {
        let now = &state.progress.standing;
        let cut_off = |standing: &Standing| matches!(standing, Standing::CutOff(_));
        self.standing.send_if_modified(|standing| {
            if standing == now {
                return false;
            }
            match (&*standing, now) {
                (before, Standing::CutOff(why)) if !cut_off(before) => {
                    tracing::warn!(topic = &*self.topic, "cut off from {}: {why}", self.topic);
                }
                (Standing::CutOff(_), now) if !cut_off(now) => {
                    tracing::info!(topic = &*self.topic, "the brokers of {} answer again", self.topic);
                }
                _ => {}
            }
            standing.clone_from(now);
            true
        });
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(records: usize, bytes: usize) -> Arc<Shared<i64>> {
        let bounds = FollowBounds { records, bytes, ..FollowBounds::default() };
        Arc::new(Shared::new("t".into(), bounds, vec![0]))
    }

    #[track_caller]
    fn check(records: usize, bytes: usize, most: usize) {
        let shared = shared(records, bytes);
        let putting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || (0..100).for_each(|offset| shared.put(0, offset, 10, offset))
        });
        for expected in 0..100 {
            let followed = loop {
                assert!(shared.state().queue.len() <= most);
                if let Some((followed, _)) = shared.take(1) {
                    break followed;
                }
                std::thread::yield_now();
            };
            assert_eq!(followed, Followed::Records(vec![expected]));
        }
        putting.join().unwrap();
        assert_eq!(shared.state().bytes, 0);
    }

    #[test]
    fn no_more_waits_than_the_bounds_allow() {
        check(3, usize::MAX, 3);
        // The last one may exceed them.
        check(usize::MAX, 25, 3);
    }

    #[test]
    fn after_a_loss_there_is_nothing_else_and_the_first_one_stays() {
        let shared = shared(3, usize::MAX);
        shared.put(0, 0, 1, 0);
        shared.put(0, 2, 1, 2);
        shared.put(0, 1, 1, 1);
        shared.lose(Loss::new(Cause::Client, "another"));
        shared.looked(&[1], Look { starts: vec![0], ends: vec![1] });
        shared.unanswered("away".to_owned());
        shared.apply();
        let why = "partition 0 goes on with record 2, not with 1".to_owned();
        assert_eq!(shared.take(1), Some((Followed::Lost(why.clone()), Some(Cause::Retention))));
        assert_eq!(*shared.standing().borrow(), Standing::Behind(why));
        assert!(shared.is_over() && shared.wait_over(Duration::ZERO));
    }
}
