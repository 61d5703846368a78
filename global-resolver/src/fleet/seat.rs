use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::Whose;

/// What an instance knows of who sends for a bot.
pub(super) struct Seat {
    pub(super) whose: Whose,
    state: Mutex<State>,
    /// One asks Redis for all who wait.
    pub(super) asking: tokio::sync::Mutex<()>,
}

struct State {
    standing: Standing,
    /// Calls that use the lease, or wait with it.
    leaves: usize,
    used: Instant,
}

enum Standing {
    Unknown,
    Mine(Arc<Lease>),
    /// Another's, which is believed until then.
    Theirs(Arc<str>, Instant),
}

/// Who sends for a bot, as far as is known.
pub(super) enum Look {
    /// This instance, by this leave.
    Mine(Leave),
    /// The one at this address.
    Theirs(Arc<str>),
    /// Redis must be asked.
    Unknown,
}

impl Seat {
    pub(super) fn new(whose: Whose) -> Self {
        let state = State { standing: Standing::Unknown, leaves: 0, used: Instant::now() };
        Self { whose, state: Mutex::new(state), asking: tokio::sync::Mutex::default() }
    }

    /// Who sends, by what is known already.
    pub(super) fn look(self: &Arc<Self>) -> Look {
        let mut state = self.lock();
        let now = Instant::now();
        state.used = now;
        match &state.standing {
            Standing::Mine(lease) if lease.holds() => {
                let lease = lease.clone();
                state.leaves += 1;
                Look::Mine(Leave(Some((self.clone(), lease))))
            }
            Standing::Theirs(owner, until) if now < *until => Look::Theirs(owner.clone()),
            _ => Look::Unknown,
        }
    }

    /// Whether Redis must be asked.
    pub(super) fn is_unknown(&self) -> bool {
        match &self.lock().standing {
            Standing::Unknown => true,
            Standing::Mine(lease) => !lease.holds(),
            Standing::Theirs(_, until) => Instant::now() >= *until,
        }
    }

    /// It is this instance's by that lease. Tells whether an earlier lease of it had ended without a word until now.
    pub(super) fn is_mine(&self, lease: Arc<Lease>) -> bool {
        let before = std::mem::replace(&mut self.lock().standing, Standing::Mine(lease));
        matches!(before, Standing::Mine(_))
    }

    /// It is another's, who is to be asked until then.
    pub(super) fn is_theirs(&self, owner: &str, until: Instant) -> bool {
        let before = std::mem::replace(&mut self.lock().standing, Standing::Theirs(owner.into(), until));
        matches!(before, Standing::Mine(_))
    }

    /// The one at this address says that it is not, or says nothing.
    pub(super) fn doubt(&self, owner: &str) {
        let mut state = self.lock();
        if matches!(&state.standing, Standing::Theirs(known, _) if **known == *owner) {
            state.standing = Standing::Unknown;
        }
    }

    /// The lease, if this instance has one; it may have ended.
    pub(super) fn lease(&self) -> Option<Arc<Lease>> {
        match &self.lock().standing {
            Standing::Mine(lease) => Some(lease.clone()),
            _ => None,
        }
    }

    /// This lease is over. Tells whether it was known to be until now.
    pub(super) fn lost(&self, lease: &Arc<Lease>) -> bool {
        lease.end();
        let mut state = self.lock();
        let was = matches!(&state.standing, Standing::Mine(known) if Arc::ptr_eq(known, lease));
        if was {
            state.standing = Standing::Unknown;
        }
        was
    }

    /// Gives the lease up if no call has used it for so long.
    pub(super) fn let_go(&self, idle: Duration) -> Option<Arc<Lease>> {
        let unused = |state: &State| state.leaves == 0 && state.used.elapsed() >= idle;
        self.take_lease(|state, lease| unused(state) && lease.holds())
    }

    /// Nothing more is sent by the lease, and it is given up when all that was sent is answered.
    pub(super) fn leave(&self) -> Option<Arc<Lease>> {
        self.take_lease(|state, lease| {
            lease.end();
            state.leaves == 0
        })
    }

    fn take_lease(&self, wanted: impl FnOnce(&State, &Lease) -> bool) -> Option<Arc<Lease>> {
        let mut state = self.lock();
        let Standing::Mine(lease) = &state.standing else { return None };
        let lease = lease.clone();
        if !wanted(&state, &lease) {
            return None;
        }
        lease.end();
        state.standing = Standing::Unknown;
        Some(lease)
    }

    /// Whether nobody would miss it.
    pub(super) fn is_forgotten(&self, after: Duration) -> bool {
        let state = self.lock();
        let mine = matches!(state.standing, Standing::Mine(_));
        !mine && state.leaves == 0 && state.used.elapsed() >= after
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to send for a bot, for a time that renewals extend. One that has ended stays ended.
pub(super) struct Lease {
    /// How Redis knows it.
    pub(super) value: String,
    /// On a clock that nobody sets, and before Redis has it end.
    until: watch::Sender<Instant>,
}

impl Lease {
    pub(super) fn new(value: String, until: Instant) -> Self {
        Self { value, until: watch::Sender::new(until) }
    }

    pub(super) fn holds(&self) -> bool {
        Instant::now() < *self.until.borrow()
    }

    /// Goes on until then, if it has not ended yet.
    pub(super) fn extend(&self, until: Instant) -> bool {
        let mut holds = false;
        self.until.send_if_modified(|ends| {
            holds = Instant::now() < *ends;
            if holds {
                *ends = until;
            }
            holds
        });
        holds
    }

    fn end(&self) {
        self.until.send_replace(Instant::now());
    }

    async fn ended(&self) {
        let mut until = self.until.subscribe();
        loop {
            let ends = *until.borrow_and_update();
            if Instant::now() >= ends {
                return;
            }
            tokio::select! {
                () = sleep_until(ends) => {}
                // The sender is this lease.
                _ = until.changed() => {}
            }
        }
    }
}

/// Leave to send: where a bot has an owner, by its lease.
pub(crate) struct Leave(Option<(Arc<Seat>, Arc<Lease>)>);

impl Leave {
    /// That of a call whose bot nobody shares.
    pub(super) fn free() -> Self {
        Self(None)
    }

    /// Whether a request may be sent in this moment.
    pub(crate) fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|(_, lease)| lease.holds())
    }

    /// Returns when nothing may be sent any more.
    pub(crate) async fn ended(&self) {
        match &self.0 {
            Some((_, lease)) => lease.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Whose it is.
    pub(super) fn whose(&self) -> Option<&Whose> {
        self.0.as_ref().map(|(seat, _)| &seat.whose)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some((seat, _)) = &self.0 {
            let mut state = seat.lock();
            state.leaves -= 1;
            state.used = Instant::now();
        }
    }
}
