//! One bot among those of the address, and those who wait for it.

use std::sync::{Arc, Mutex, Weak};

use common::discord::gate::Refused;
use foldhash::HashMap;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Call, No, UNKNOWN_WAIT,
    bot::{Bot, Chosen},
    inner::{Change, Fields, Inner},
    lock,
    objects::{Objects, Refusal},
};

/// One bot.
pub(super) struct Member {
    pub(super) state: Mutex<State>,
    /// The time to look again became another, or the bot is forgotten.
    sooner: Arc<Notify>,
}

/// What is known of it.
pub(super) struct State {
    pub(super) bot: Bot,
    pub(super) inner: Inner,
    pub(super) objects: Objects,
    /// Discord's answer to a token that is not valid.
    pub(super) dead: Option<Refusal>,
    waiters: HashMap<u64, oneshot::Sender<Chosen>>,
    /// When to look again.
    next: Option<Instant>,
}

/// How a call begins.
pub(super) enum Entry {
    /// It may go.
    Chosen(Chosen, Option<Change>),
    /// Its turn cannot come before.
    NotBefore(Instant),
    /// Its turn comes.
    Waiting(Place),
}

/// A place in the queue.
pub(super) struct Place {
    id: u64,
    answer: oneshot::Receiver<Chosen>,
    change: Option<Change>,
}

impl Member {
    /// A bot with so many requests in a second, whose time is kept.
    pub(super) fn start(limit: u32) -> Arc<Self> {
        let sooner = Arc::new(Notify::new());
        let member = Arc::new(Self {
            state: Mutex::new(State {
                bot: Bot::new(limit),
                inner: Inner::default(),
                objects: Objects::default(),
                dead: None,
                waiters: HashMap::default(),
                next: None,
            }),
            sooner: sooner.clone(),
        });
        tokio::spawn(keep_time(Arc::downgrade(&member), sooner));
        member
    }

    /// Takes in a call.
    pub(super) fn try_enter(&self, call: &Call, now: Instant) -> Result<Entry, No> {
        let mut state = lock(&self.state);
        if let Some(refusal) = state.remembered(call, now) {
            return Err(No::Remembered(refusal));
        }
        if let Some(at) = state.bot.earliest(&call.route, now).filter(|at| *at > call.deadline) {
            return Err(No::Wait { wait: at - now, why: Refused::Limit });
        }
        let change = match call.route.changed_channel().filter(|_| call.fields != Fields::default()) {
            Some(channel) => match state.inner.take(channel, call.fields, now) {
                Ok(change) => Some(change),
                Err(until) => return Ok(Entry::NotBefore(until)),
            },
            None => None,
        };
        let id = state.bot.enter(&call.route, call.priority, call.flow, now);
        if let Some(chosen) = self.advance(&mut state, Some(id), now) {
            return Ok(Entry::Chosen(chosen, change));
        }
        let (turn, answer) = oneshot::channel();
        state.waiters.insert(id, turn);
        Ok(Entry::Waiting(Place { id, answer, change }))
    }

    /// Chooses those whose time has come: tells them so, save for the `asker`, who gets it from here.
    pub(super) fn advance(&self, state: &mut State, asker: Option<u64>, now: Instant) -> Option<Chosen> {
        let before = state.next;
        let chosen = state.advance(asker, now);
        if let Some(next) = state.next
            && before.is_none_or(|before| next < before || before <= now)
        {
            self.sooner.notify_one();
        }
        chosen
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.sooner.notify_one();
    }
}

/// Chooses those whose time has come, for as long as the bot is there.
async fn keep_time(member: Weak<Member>, sooner: Arc<Notify>) {
    loop {
        let next = {
            let Some(member) = member.upgrade() else { return };
            let mut state = lock(&member.state);
            state.advance(None, Instant::now());
            state.next
        };
        match next {
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = sooner.notified() => {}
            },
            None => sooner.notified().await,
        }
    }
}

impl State {
    /// What Discord would answer.
    pub(super) fn remembered(&self, call: &Call, now: Instant) -> Option<Refusal> {
        self.dead.as_ref().filter(|_| call.uses_a_token()).or_else(|| self.objects.refusal(&call.route, now)).cloned()
    }

    /// Whether nobody would miss it.
    pub(super) fn is_unused(&self) -> bool {
        self.dead.is_none() && self.waiters.is_empty() && self.bot.is_unused()
    }

    fn advance(&mut self, asker: Option<u64>, now: Instant) -> Option<Chosen> {
        let Self { bot, waiters, .. } = self;
        let mut its = None;
        self.next = bot.advance(now, |id, chosen| {
            if asker == Some(id) {
                its = Some(chosen);
                return Ok(());
            }
            match waiters.remove(&id) {
                Some(waiter) => waiter.send(chosen),
                None => Err(chosen),
            }
        });
        its
    }
}

/// Waits for the call's turn as long as the call does.
pub(super) async fn turn(member: &Arc<Member>, call: &Call, place: Place) -> Result<(Chosen, Option<Change>), No> {
    let mut waiting = Waiting { member, place, over: false };
    match timeout_at(call.deadline, &mut waiting.place.answer).await {
        Ok(Ok(chosen)) => {
            waiting.over = true;
            Ok((chosen, waiting.place.change.take()))
        }
        _ => {
            let now = Instant::now();
            let at = lock(&member.state).bot.earliest(&call.route, now);
            Err(No::Wait { wait: at.map_or(UNKNOWN_WAIT, |at| at - now), why: Refused::Turn })
        }
    }
}

/// A call that waits; it leaves the queue when it is dropped.
struct Waiting<'member> {
    member: &'member Member,
    place: Place,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let now = Instant::now();
        let mut state = lock(&self.member.state);
        let Place { id, answer, change } = &mut self.place;
        state.waiters.remove(id);
        if let Some(change) = change {
            state.inner.give_back(change);
        }
        match answer.try_recv() {
            // Its turn came in the same moment.
            Ok(chosen) => state.bot.unsent(&chosen, now),
            Err(_) => state.bot.leave(*id, now),
        }
        self.member.advance(&mut state, None, now);
    }
}
