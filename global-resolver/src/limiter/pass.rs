//! The right to send one request, and what its answer teaches.

use std::{fmt, sync::Arc};

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Breaker, Call, Fact, Lesson, Limit, Limiter,
    bot::Chosen,
    inner::{Change, Fields},
    lock,
    member::Member,
    memory::{self, About, SHORT},
    objects::Refusal,
    ramp::Gone,
};

/// The right to send one request now. Whoever has it tells what became of it; dropped, nobody knows.
pub struct Pass {
    limiter: Limiter,
    member: Arc<Member>,
    call: Arc<Call>,
    chosen: Option<Chosen>,
    change: Option<Change>,
    /// By which the address let it go.
    gone: Option<Gone>,
}

/// What an answer taught.
#[derive(Debug, Default)]
pub struct Learnt {
    /// The state of the breaker, where this answer opened it further.
    pub breaker: Option<Breaker>,
    /// What another must know who takes over the bot.
    pub facts: Vec<Fact>,
    /// The change that does not count after all.
    pub undone: Vec<About>,
    /// The address is banned.
    pub banned: bool,
}

impl Pass {
    pub(super) fn new(
        limiter: &Limiter,
        member: &Arc<Member>,
        call: Arc<Call>,
        chosen: Chosen,
        change: Option<Change>,
    ) -> Self {
        Self { limiter: limiter.clone(), member: member.clone(), call, chosen: Some(chosen), change, gone: None }
    }

    /// The address lets it go, too.
    pub(super) fn admitted(mut self, gone: Gone) -> Self {
        self.gone = Some(gone);
        self
    }

    /// The request is not on the way any more.
    fn ended(&mut self, passed: bool) {
        if let Some(gone) = self.gone.take() {
            self.limiter.address().ended(gone, passed);
            self.limiter.shared.answered.notify_waiters();
        }
    }

    /// The request is not sent after all. Tells what does not count then.
    pub fn unsent(mut self) -> Vec<About> {
        let mut undone = Vec::new();
        if let Some(chosen) = self.chosen.take() {
            let now = Instant::now();
            let mut state = lock(&self.member.state);
            if let Some(change) = &self.change {
                state.inner.give_back(change);
                undone.extend(change.about());
            }
            state.bot.unsent(&chosen, now);
            self.member.advance(&mut state, None, now);
        }
        self.ended(false);
        undone
    }

    /// What counts for ten minutes once the request is sent: another who takes over the bot must know of it, even if no
    /// answer ever comes.
    #[must_use]
    pub fn changes(&self) -> Vec<Fact> {
        let now = Instant::now();
        self.change.iter().flat_map(|change| change.facts(now)).collect()
    }

    /// Whether the request may go in this moment by the global limit: it was chosen just now, or has another place.
    #[must_use]
    pub fn is_in_time(&mut self) -> bool {
        let (mut state, now) = (lock(&self.member.state), Instant::now());
        self.chosen.as_mut().is_some_and(|chosen| state.bot.is_in_time(chosen, now))
    }

    pub(super) fn is_still_good(&self) -> bool {
        let (state, now) = (lock(&self.member.state), Instant::now());
        let open = self.chosen.as_ref().is_some_and(|chosen| state.bot.is_open(chosen, now));
        open && state.remembered(&self.call, now).is_none()
    }

    /// Tells what Discord answered. The body is needed of a refusal (4xx) only.
    pub fn answered(mut self, status: StatusCode, lesson: &Lesson, body: &Bytes) -> Learnt {
        let mut learnt = Learnt::default();
        let Some(chosen) = self.chosen.take() else { return learnt };
        let now = Instant::now();
        let Call { route, fields, .. } = &*self.call;
        let passed = status != StatusCode::TOO_MANY_REQUESTS;
        let changed = route.changed_channel().filter(|_| *fields != Fields::default());
        // Where nothing within the route is known to be limited, all of it is.
        let inner = |(limit, wait)| match limit {
            Limit::Inner if changed.is_none() => (Limit::User, wait),
            limit => (limit, wait),
        };
        let refusal = lesson.refusal.map(inner);
        {
            let mut state = lock(&self.member.state);
            state.bot.answered(&chosen, lesson, refusal, passed, now);
            learnt.facts = state.bot.facts_of(&chosen, now);
            state.objects.answered(route, status, body, now);
            if let Some(change) = &self.change {
                if status.is_success() {
                    state.inner.made(change, now);
                } else {
                    state.inner.give_back(change);
                    learnt.undone.extend(change.about());
                }
            }
            if let Some((Limit::Inner, wait)) = refusal
                && let Some(channel) = changed
            {
                let until = now + wait;
                let refused = state.inner.refused(channel, *fields, until);
                if wait > SHORT {
                    learnt.facts.extend(refused.into_iter().map(|about| Fact { about, until }));
                }
            }
            if status == StatusCode::UNAUTHORIZED && self.call.uses_a_token() {
                let refusal = Refusal { status, body: body.clone() };
                learnt.facts.push(memory::dead(&refusal, now));
                state.dead = Some(refusal);
            }
            self.member.advance(&mut state, None, now);
        }
        let banned = matches!(refusal, Some((Limit::Banned, _)));
        self.ended(!banned);
        let mut address = self.limiter.address();
        if let Some((Limit::Banned, wait)) = refusal {
            address.banned(now + wait);
            learnt.banned = true;
        }
        if lesson.invalid {
            learnt.breaker = address.invalid(now);
        }
        learnt
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(chosen) = self.chosen.take() {
            let now = Instant::now();
            let mut state = lock(&self.member.state);
            // Discord may have done it: a changed name stays counted.
            state.bot.unsent(&chosen, now);
            self.member.advance(&mut state, None, now);
        }
        self.ended(false);
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("route", &self.call.route.label).finish_non_exhaustive()
    }
}
