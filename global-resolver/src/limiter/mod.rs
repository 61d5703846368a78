//! The limiter: who may send when.
//!
//! A caller [enters](Limiter::enter) with what it wants to send, waits for its turn as long as its deadline allows, and
//! gets a [`Pass`]; it tells the pass what Discord answered. All that Discord says about limits is learnt from there.
//! Nothing here sends, and time is tokio's: a test pauses it, and makes hours pass in a moment.
//!
//! ```text
//! enter ─ token and objects ─ address, name and topic ─ bucket ─ global limit ─ Pass ─ answered
//!          remembered 401,      ban, breaker,            of the    of the bot
//!          403, 404             2 in 10 minutes          route
//! ```

mod address;
mod bot;
mod bucket;
mod fair;
mod global;
mod inner;
mod lesson;
mod objects;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use axum::http::StatusCode;
use bytes::Bytes;
use common::discord::{Priority, Route, gate::Refused};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    address::Address,
    bot::{Bot, Chosen},
    inner::Inner,
    objects::Objects,
};
pub use self::{
    address::Breaker,
    inner::Fields,
    lesson::{Lesson, Limit, Window},
    objects::Refusal,
};

/// The wait that is told where nobody knows it: a call that waited in vain for its turn.
const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

/// Whose limits a call counts against. It is made of a token and does not contain it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BotKey([u8; 16]);

impl BotKey {
    /// The owner of an `Authorization` header.
    #[must_use]
    pub fn of(authorization: &[u8]) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(authorization)[..16]);
        Self(key)
    }
}

impl fmt::Display for BotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What somebody wants to send.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whose it is; the default for what carries no `Authorization`.
    pub bot: BotKey,
    /// Where it goes.
    pub route: Route,
    /// Which limited fields of a channel it changes.
    pub fields: Fields,
    /// How urgent it is.
    pub priority: Priority,
    /// Whose turn it uses where guilds take turns.
    pub flow: u64,
    /// Until when the caller waits.
    pub deadline: Instant,
}

impl Call {
    /// Whether it is authorised by the bot's token.
    #[must_use]
    pub fn uses_a_token(&self) -> bool {
        self.bot != BotKey::default() && !self.route.by_path_token
    }
}

/// Why a call may not go.
#[derive(Clone, Debug, PartialEq)]
pub enum No {
    /// Not within its deadline.
    Wait {
        /// How long the wait would be, from now on.
        wait: Duration,
        /// For what: one of those that tell a wait.
        why: Refused,
    },
    /// Discord would answer what it answered before.
    Remembered(Refusal),
}

/// Knows every limit of every bot behind one address. Clones share it.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    address: Mutex<Address>,
    bots: Mutex<HashMap<BotKey, Arc<Member>>>,
}

/// What Discord does not tell.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests of a bot in a second (`X-RateLimit-Global`): 50, more for bots that Discord calls large.
    pub global: u32,
    /// The same for single bots.
    pub global_of: HashMap<BotKey, u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { global: 50, global_of: HashMap::new() }
    }
}

/// One bot among those of the address.
struct Member {
    state: Mutex<State>,
    /// The time to look again became another.
    sooner: Notify,
}

struct State {
    bot: Bot,
    inner: Inner,
    objects: Objects,
    /// Discord's answer to a token that is not valid.
    dead: Option<Refusal>,
    waiters: HashMap<u64, oneshot::Sender<Chosen>>,
    /// When to look again.
    next: Option<Instant>,
}

impl Limiter {
    /// A limiter that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { shared: Arc::new(Shared { settings, address: Mutex::default(), bots: Mutex::default() }) }
    }

    /// Waits for the call's turn.
    ///
    /// # Errors
    ///
    /// [`No`], where Discord would refuse it, or its turn comes after its deadline: at once where that is known.
    pub async fn enter(&self, call: Call) -> Result<Pass, No> {
        let member = self.member(call.bot);
        loop {
            let now = Instant::now();
            let closed = self.address().closed_until(call.priority, now);
            if let Some(until) = closed {
                wait_until(until, &call, Refused::Address).await?;
                continue;
            }
            let (id, answer) = match member.try_enter(&call, now)? {
                Entry::Chosen(chosen) => return Ok(Pass::new(self, &member, call, chosen)),
                Entry::NotBefore(until) => {
                    wait_until(until, &call, Refused::Inner).await?;
                    continue;
                }
                Entry::Waiting(id, answer) => (id, answer),
            };
            let chosen = Waiting { member: &member, call: &call, id, answer, over: false }.turn().await?;
            let pass = Pass::new(self, &member, call.clone(), chosen);
            // Much may have happened meanwhile.
            if self.address().closed_until(call.priority, Instant::now()).is_none() && pass.is_still_good() {
                return Ok(pass);
            }
            pass.unsent();
        }
    }

    /// Invalid requests within ten minutes.
    #[must_use]
    pub fn invalid(&self) -> usize {
        self.address().count(Instant::now())
    }

    /// How far the breaker is open.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.address().breaker(Instant::now())
    }

    /// How long Cloudflare's ban of the address lasts.
    #[must_use]
    pub fn ban(&self) -> Option<Duration> {
        let now = Instant::now();
        self.address().ban(now).map(|until| until - now)
    }

    /// How the bots are.
    #[must_use]
    pub fn bots(&self) -> Vec<BotHealth> {
        let now = Instant::now();
        let members: Vec<_> = lock(&self.shared.bots).iter().map(|(key, member)| (*key, member.clone())).collect();
        let health = |(key, member): (BotKey, Arc<Member>)| {
            let state = lock(&member.state);
            BotHealth {
                key,
                refused: state.dead.is_some(),
                closed: state.bot.closed(now).map(|until| until - now),
                waiting: state.bot.waiting(),
                free: state.bot.free(now),
                buckets: state.bot.buckets(),
            }
        };
        members.into_iter().map(health).collect()
    }

    fn address(&self) -> MutexGuard<'_, Address> {
        lock(&self.shared.address)
    }

    fn member(&self, key: BotKey) -> Arc<Member> {
        let mut bots = lock(&self.shared.bots);
        let member = bots.entry(key).or_insert_with(|| {
            let Settings { global, global_of } = &self.shared.settings;
            let member = Arc::new(Member {
                state: Mutex::new(State {
                    bot: Bot::new(global_of.get(&key).copied().unwrap_or(*global)),
                    inner: Inner::default(),
                    objects: Objects::default(),
                    dead: None,
                    waiters: HashMap::new(),
                    next: None,
                }),
                sooner: Notify::new(),
            });
            tokio::spawn(keep_time(Arc::downgrade(&member)));
            member
        });
        member.clone()
    }
}

/// A bot, for whoever looks after it.
#[derive(Clone, Debug)]
pub struct BotHealth {
    /// Which.
    pub key: BotKey,
    /// Discord does not accept its token.
    pub refused: bool,
    /// How long Discord refuses everything.
    pub closed: Option<Duration>,
    /// Calls that wait.
    pub waiting: usize,
    /// Requests that may go at once by the global limit.
    pub free: usize,
    /// Buckets that are known.
    pub buckets: usize,
}

/// Chooses those whose time has come, for as long as the bot is there.
async fn keep_time(member: Weak<Member>) {
    loop {
        let Some(strong) = member.upgrade() else { return };
        let next = {
            let mut state = lock(&strong.state);
            state.advance(Instant::now());
            state.next
        };
        let sooner = strong.sooner.notified();
        match next {
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = sooner => {}
            },
            None => sooner.await,
        }
    }
}

/// How a call begins.
enum Entry {
    Chosen(Chosen),
    NotBefore(Instant),
    Waiting(u64, oneshot::Receiver<Chosen>),
}

impl Member {
    fn try_enter(&self, call: &Call, now: Instant) -> Result<Entry, No> {
        let mut state = lock(&self.state);
        if let Some(refusal) = state.remembered(call, now) {
            return Err(No::Remembered(refusal));
        }
        if let Some(at) = state.bot.earliest(&call.route, now).filter(|at| *at > call.deadline) {
            return Err(No::Wait { wait: at - now, why: Refused::Limit });
        }
        if let Some(channel) = call.route.changed_channel()
            && let Err(until) = state.inner.take(channel, call.fields, now)
        {
            return Ok(Entry::NotBefore(until));
        }
        let id = state.bot.enter(&call.route, call.priority, call.flow, now);
        let (turn, mut answer) = oneshot::channel();
        state.waiters.insert(id, turn);
        self.advance(&mut state, now);
        Ok(match answer.try_recv() {
            Ok(chosen) => Entry::Chosen(chosen),
            Err(_) => Entry::Waiting(id, answer),
        })
    }

    fn advance(&self, state: &mut State, now: Instant) {
        let before = state.next;
        state.advance(now);
        if let Some(next) = state.next
            && before.is_none_or(|before| next < before || before <= now)
        {
            self.sooner.notify_one();
        }
    }
}

impl State {
    fn advance(&mut self, now: Instant) {
        let Self { bot, waiters, .. } = self;
        self.next = bot
            .advance(now, |id, chosen| waiters.remove(&id).is_some_and(|waiter| waiter.send(chosen.clone()).is_ok()));
    }

    fn remembered(&self, call: &Call, now: Instant) -> Option<Refusal> {
        self.dead.as_ref().filter(|_| call.uses_a_token()).or_else(|| self.objects.refusal(&call.route, now)).cloned()
    }

    fn give_back_inner(&mut self, call: &Call) {
        if let Some(channel) = call.route.changed_channel() {
            self.inner.give_back(channel, call.fields);
        }
    }
}

async fn wait_until(until: Instant, call: &Call, why: Refused) -> Result<(), No> {
    let now = Instant::now();
    if until > call.deadline {
        return Err(No::Wait { wait: until.saturating_duration_since(now), why });
    }
    sleep_until(until).await;
    Ok(())
}

/// A call that waits for its turn; it leaves the queue when it is dropped.
struct Waiting<'call> {
    member: &'call Arc<Member>,
    call: &'call Call,
    id: u64,
    answer: oneshot::Receiver<Chosen>,
    over: bool,
}

impl Waiting<'_> {
    async fn turn(mut self) -> Result<Chosen, No> {
        match timeout_at(self.call.deadline, &mut self.answer).await {
            Ok(Ok(chosen)) => {
                self.over = true;
                Ok(chosen)
            }
            _ => {
                let now = Instant::now();
                let at = lock(&self.member.state).bot.earliest(&self.call.route, now);
                Err(No::Wait { wait: at.map_or(UNKNOWN_WAIT, |at| at - now), why: Refused::Turn })
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let now = Instant::now();
        let mut state = lock(&self.member.state);
        state.waiters.remove(&self.id);
        state.give_back_inner(self.call);
        match self.answer.try_recv() {
            // Its turn came in the same moment.
            Ok(chosen) => state.bot.unsent(&chosen, now),
            Err(_) => state.bot.leave(self.id, now),
        }
        self.member.advance(&mut state, now);
    }
}

/// The right to send one request now. Whoever has it tells what became of it; dropped, nobody knows.
pub struct Pass {
    limiter: Limiter,
    member: Arc<Member>,
    call: Call,
    chosen: Option<Chosen>,
}

impl Pass {
    fn new(limiter: &Limiter, member: &Arc<Member>, call: Call, chosen: Chosen) -> Self {
        Self { limiter: limiter.clone(), member: member.clone(), call, chosen: Some(chosen) }
    }

    /// The request was not sent after all.
    fn unsent(mut self) {
        if let Some(chosen) = self.chosen.take() {
            let now = Instant::now();
            let mut state = lock(&self.member.state);
            state.give_back_inner(&self.call);
            state.bot.unsent(&chosen, now);
            self.member.advance(&mut state, now);
        }
    }

    fn is_still_good(&self) -> bool {
        let (state, now) = (lock(&self.member.state), Instant::now());
        let open = self.chosen.as_ref().is_some_and(|chosen| state.bot.is_open(chosen, now));
        open && state.remembered(&self.call, now).is_none()
    }

    /// Tells what Discord answered. The body is needed of a refusal (4xx) only. The breaker's state comes back where this
    /// answer opened it further.
    pub fn answered(mut self, status: StatusCode, lesson: &Lesson, body: &Bytes) -> Option<Breaker> {
        let chosen = self.chosen.take()?;
        let now = Instant::now();
        let Call { route, fields, .. } = &self.call;
        let passed = status != StatusCode::TOO_MANY_REQUESTS;
        let changed = route.changed_channel().filter(|_| *fields != Fields::default());
        // Where nothing within the route is known to be limited, all of it is.
        let inner = |(limit, wait)| match limit {
            Limit::Inner if changed.is_none() => (Limit::User, wait),
            limit => (limit, wait),
        };
        let lesson = &Lesson { refusal: lesson.refusal.map(inner), ..lesson.clone() };
        {
            let mut state = lock(&self.member.state);
            state.bot.answered(&chosen, lesson, passed, now);
            state.objects.answered(route, status, body, now);
            if !status.is_success() {
                state.give_back_inner(&self.call);
            }
            if let Some((Limit::Inner, wait)) = lesson.refusal
                && let Some(channel) = changed
            {
                state.inner.refused(channel, *fields, now + wait);
            }
            if status == StatusCode::UNAUTHORIZED && self.call.uses_a_token() {
                state.dead = Some(Refusal { status, body: body.clone() });
            }
            self.member.advance(&mut state, now);
        }
        let mut address = self.limiter.address();
        if let Some((Limit::Banned, wait)) = lesson.refusal {
            address.banned(now + wait);
        }
        if lesson.invalid { address.invalid(now) } else { None }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(chosen) = self.chosen.take() {
            let now = Instant::now();
            let mut state = lock(&self.member.state);
            // Discord may have done it: a changed name stays counted.
            state.bot.unsent(&chosen, now);
            self.member.advance(&mut state, now);
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("route", &self.call.route.label).finish_non_exhaustive()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("invalid", &self.invalid()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
