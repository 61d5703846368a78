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
mod member;
mod memory;
mod objects;
mod pass;
mod ramp;

use std::{
    collections::HashMap,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use common::discord::{Priority, Route, gate::Refused};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    address::Address,
    member::{Entry, Member},
};
pub use self::{
    address::Breaker,
    inner::{Field, Fields},
    lesson::{Lesson, Limit, Window},
    memory::{About, Fact},
    objects::Refusal,
    pass::{Learnt, Pass},
};

/// The wait that is told where nobody knows it: a call that waited in vain for its turn.
pub(crate) const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

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

    /// All of it, for keys in a store.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
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
    /// A request was answered, so there may be room for another.
    answered: Notify,
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

impl Limiter {
    /// A limiter that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                address: Mutex::default(),
                answered: Notify::new(),
                bots: Mutex::default(),
            }),
        }
    }

    /// Waits for the call's turn.
    ///
    /// # Errors
    ///
    /// [`No`], where Discord would refuse it, or its turn comes after its deadline: at once where that is known.
    pub async fn enter(&self, call: impl Into<Arc<Call>>) -> Result<Pass, No> {
        let call = call.into();
        let member = self.member(call.bot);
        loop {
            let now = Instant::now();
            let closed = self.address().closed_until(call.priority, now);
            if let Some(until) = closed {
                wait_until(until, &call, Refused::Address).await?;
                continue;
            }
            if self.address().opens(now).is_some() {
                self.room(&call).await?;
                continue;
            }
            let (chosen, change, waited) = match member.try_enter(&call, now)? {
                Entry::Chosen(chosen, change) => (chosen, change, false),
                Entry::NotBefore(until) => {
                    wait_until(until, &call, Refused::Inner).await?;
                    continue;
                }
                Entry::Waiting(place) => {
                    let (chosen, change) = member::turn(&member, &call, place).await?;
                    (chosen, change, true)
                }
            };
            let mut pass = Pass::new(self, &member, call.clone(), chosen, change);
            // Much may have happened while it waited.
            if (!waited || pass.is_in_time() && pass.is_still_good())
                && let Some(gone) = self.address().admits(call.priority, Instant::now())
            {
                return Ok(pass.admitted(gone));
            }
            pass.unsent();
        }
    }

    /// Waits until another may go, after a ban.
    async fn room(&self, call: &Call) -> Result<(), No> {
        let mut answered = pin!(self.shared.answered.notified());
        answered.as_mut().enable();
        let opens = self.address().opens(Instant::now());
        let Some(opens) = opens else { return Ok(()) };
        let answered = timeout_at(opens.min(call.deadline), answered).await;
        if answered.is_err() && call.deadline < opens {
            return Err(No::Wait { wait: UNKNOWN_WAIT, why: Refused::Address });
        }
        Ok(())
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
        let Settings { global, global_of } = &self.shared.settings;
        let mut bots = lock(&self.shared.bots);
        bots.entry(key).or_insert_with(|| Member::start(global_of.get(&key).copied().unwrap_or(*global))).clone()
    }

    fn known(&self, key: BotKey) -> Option<Arc<Member>> {
        lock(&self.shared.bots).get(&key).cloned()
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

async fn wait_until(until: Instant, call: &Call, why: Refused) -> Result<(), No> {
    let now = Instant::now();
    if until > call.deadline {
        return Err(No::Wait { wait: until.saturating_duration_since(now), why });
    }
    sleep_until(until).await;
    Ok(())
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("invalid", &self.invalid()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
