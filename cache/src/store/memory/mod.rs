//! Guilds in memory, packed.

mod list;
mod state;
mod users;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use foldhash::fast::RandomState;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

pub use self::state::Seen;
use self::{
    state::{State, Times},
    users::Users,
};
use super::{Error, Held, Outcome, Page, Store, place::Place};
use crate::{
    change::{Change, Update},
    entity::{Interner, Member, User},
};

/// Guilds in memory, each as one bot sees it. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Inner>);

type Key = (Id<ApplicationMarker>, Id<GuildMarker>);

#[derive(Debug, Default)]
struct Inner {
    guilds: RwLock<Guilds>,
    users: Users,
    texts: Interner,
    /// Guilds that are not here, as far as changes were told of them: their versions and epochs.
    absent: RwLock<HashMap<Key, (u64, u64), RandomState>>,
    /// How far each guild is folded, where nobody else says which event comes after which.
    places: Mutex<HashMap<Key, Place, RandomState>>,
}

/// Guilds, and how many each bot has: nobody counts them at each question.
#[derive(Debug, Default)]
struct Guilds {
    states: HashMap<Key, Arc<RwLock<State>>, RandomState>,
    counts: HashMap<Id<ApplicationMarker>, u64, RandomState>,
}

impl Guilds {
    fn insert(&mut self, key: Key, state: State) {
        if self.states.insert(key, Arc::new(RwLock::new(state))).is_none() {
            *self.counts.entry(key.0).or_default() += 1;
        }
    }

    fn remove(&mut self, key: Key) {
        if self.states.remove(&key).is_some()
            && let Some(count) = self.counts.get_mut(&key.0)
        {
            *count -= 1;
        }
    }
}

/// What became of a change that was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The guild is as far as the change now.
    Applied,
    /// It was as far already.
    Known,
    /// Changes before it are missing: the guild is to be read anew.
    Gap,
}

/// A member that Discord was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Refill {
    /// The member, with the user.
    pub member: Member,
    /// The guild's epoch when the cache had no answer: what happened since outdates this one.
    pub epoch: u64,
    /// When Discord was asked, in milliseconds since 1970.
    pub read_ms: i64,
}

impl Memory {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over what the truth has, where it is further. `now_ms`: when, in milliseconds since 1970.
    pub fn take(&self, page: Page, now_ms: i64) {
        let told = page.told;
        for held in page.held {
            let members = held.whole.members.iter();
            let users = members.filter_map(|member| member.user.as_deref().cloned()).map(|user| {
                let told_ms = told.get(&user.id).copied().unwrap_or(i64::MIN);
                (user, told_ms)
            });
            self.0.users.tell_each(users, &self.0.texts);
            self.load(held, now_ms);
        }
        for (bot, guild, version, epoch) in page.absent {
            self.load_absent(bot, guild, version, epoch);
        }
    }

    /// Takes over a guild as the truth has it, unless it is further here. `now_ms`: when, in milliseconds since 1970.
    fn load(&self, held: Held, now_ms: i64) {
        let Held { bot, version, epoch, whole } = held;
        let key = (bot, whole.guild.id);
        // Nobody knows when its members were seen last, and each has the whole time to be used again.
        let times = Times { seen_ms: 0, used_ms: now_ms };
        if self.version(key).is_none_or(|known| known <= version) {
            self.put(key, State::new(version, epoch, whole, times, &self.0.texts));
        }
    }

    /// Takes over that the truth does not have a guild, as far as it is folded, unless it is further here.
    fn load_absent(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>, version: u64, epoch: u64) {
        let key = (bot, guild);
        if self.version(key).is_none_or(|known| known <= version) {
            write(&self.0.guilds).remove(key);
            write(&self.0.absent).insert(key, (version, epoch));
        }
    }

    /// The epoch of a guild, also of one that is not here.
    #[must_use]
    pub fn epoch(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> u64 {
        let key = (bot, guild);
        match self.state(key) {
            Some(state) => read(&state).epoch,
            None => read(&self.0.absent).get(&key).map_or(0, |(_, epoch)| *epoch),
        }
    }

    /// Follows a change that the truth has taken: the `version`th of the guild. `received_ms`: when its event was received.
    pub fn follow(
        &self,
        bot: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
        version: u64,
        received_ms: i64,
        changes: Vec<Change>,
    ) -> Followed {
        let key = (bot, guild);
        let known = self.version(key);
        let anew = changes.iter().any(|change| matches!(change, Change::Whole(_) | Change::Left));
        // Whatever becomes of the guild: users are not in its order, and who reads it anew reads its members' users alone.
        self.tell(&changes, received_ms);
        match known {
            Some(known) if version <= known => return Followed::Known,
            // Of one that is not known here, the first change is the next.
            known if version > known.unwrap_or_default() + 1 && !anew => return Followed::Gap,
            _ => {}
        }
        self.change(key, version, received_ms, changes);
        Followed::Applied
    }

    /// Whether the guild is as far as `version`, or further.
    #[must_use]
    pub fn is_at(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>, version: u64) -> bool {
        self.version((bot, guild)).is_some_and(|known| known >= version)
    }

    /// Takes a member that Discord was asked for. False where the guild went on in between, or knows the member by something
    /// younger.
    pub fn refill(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>, refill: Refill) -> bool {
        let Refill { mut member, epoch, read_ms } = refill;
        let (Some(state), Some(user)) = (self.state((bot, guild)), member.user.take()) else { return false };
        let mut state = write(&state);
        if state.epoch != epoch || !state.refill(user.id, member, read_ms, &self.0.texts) {
            return false;
        }
        drop(state);
        self.0.users.tell([*user], read_ms, &self.0.texts);
        true
    }

    /// Takes what was told of users, unless it is older than what is known.
    pub fn tell_users(&self, users: impl IntoIterator<Item = User>, received_ms: i64) {
        self.0.users.tell(users, received_ms, &self.0.texts);
    }

    /// A user.
    #[must_use]
    pub fn user(&self, user: Id<UserMarker>) -> Option<User> {
        self.0.users.get(user)
    }

    /// Shows a guild to `look`.
    pub fn look<T>(
        &self,
        bot: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
        look: impl FnOnce(&Seen<'_>) -> T,
    ) -> Option<T> {
        let state = self.state((bot, guild))?;
        let state = read(&state);
        Some(look(&Seen::new(&state, &self.0.users)))
    }

    /// The guilds of a bot, in no order.
    #[must_use]
    pub fn guilds_of(&self, bot: Id<ApplicationMarker>) -> Vec<Id<GuildMarker>> {
        read(&self.0.guilds).states.keys().filter(|(of, _)| *of == bot).map(|(_, guild)| *guild).collect()
    }

    /// How many guilds a bot is in, those in an outage included; `None` where no guild of it was ever known, for then nobody
    /// knows whether it is in none.
    #[must_use]
    pub fn count_of(&self, bot: Id<ApplicationMarker>) -> Option<u64> {
        read(&self.0.guilds).counts.get(&bot).copied()
    }

    /// The same of all bots together.
    #[must_use]
    pub fn count_of_all(&self) -> u64 {
        read(&self.0.guilds).counts.values().sum()
    }

    /// The bots that are in a guild, or were.
    #[must_use]
    pub fn bots(&self) -> Vec<Id<ApplicationMarker>> {
        read(&self.0.guilds).counts.keys().copied().collect()
    }

    /// Forgets every guild that is not among these: the truth was read as a whole, and does not know it.
    pub fn retain(&self, keys: &HashSet<(Id<ApplicationMarker>, Id<GuildMarker>)>) {
        let gone: Vec<Key> = {
            let guilds = read(&self.0.guilds);
            guilds.states.keys().filter(|key| !keys.contains(*key)).copied().collect()
        };
        gone.into_iter().for_each(|key| write(&self.0.guilds).remove(key));
        write(&self.0.absent).retain(|key, _| keys.contains(key));
    }

    /// Forgets members whom nobody told of or asked for since `since_ms`, and users that no guild has as members. Says how many
    /// of each went.
    pub fn purge(&self, since_ms: i64) -> (usize, usize) {
        let states: Vec<_> =
            read(&self.0.guilds).states.iter().map(|((bot, _), state)| (*bot, Arc::clone(state))).collect();
        let mut used = HashSet::with_hasher(RandomState::default());
        let mut members = 0;
        for (bot, state) in states {
            let mut state = write(&state);
            members += state.purge(since_ms, bot.cast());
            used.extend(state.member_ids());
        }
        (members, self.0.users.retain(|user| used.contains(&user)))
    }

    /// Takes what is told of users: before their guild, so that nobody sees a member without the user.
    fn tell(&self, changes: &[Change], received_ms: i64) {
        let told = changes.iter().flat_map(Change::users).cloned();
        self.0.users.tell(told, received_ms, &self.0.texts);
    }

    fn change(&self, key: Key, version: u64, received_ms: i64, changes: Vec<Change>) {
        let outdates = changes.iter().any(Change::outdates);
        for change in changes {
            match change {
                Change::Left => write(&self.0.guilds).remove(key),
                Change::Whole(whole) => {
                    let state = State::new(version, version, *whole, Times::of(received_ms), &self.0.texts);
                    self.put(key, state);
                }
                Change::Unavailable if self.state(key).is_none() => {
                    self.put(key, State::in_an_outage(key.1, version, &self.0.texts));
                }
                change => {
                    // Of a guild that was never told of as a whole, nothing is known, and half of it would be wrong.
                    if let Some(state) = self.state(key) {
                        write(&state).change(change, version, received_ms, &self.0.texts);
                    }
                }
            }
        }
        match self.state(key) {
            Some(state) => write(&state).version = version,
            None => {
                let epoch = if outdates { version } else { self.epoch(key.0, key.1) };
                write(&self.0.absent).insert(key, (version, epoch));
            }
        }
    }

    fn put(&self, key: Key, state: State) {
        match self.state(key) {
            Some(existing) => *write(&existing) = state,
            None => {
                write(&self.0.absent).remove(&key);
                write(&self.0.guilds).insert(key, state);
            }
        }
    }

    fn version(&self, key: Key) -> Option<u64> {
        match self.state(key) {
            Some(state) => Some(read(&state).version),
            None => read(&self.0.absent).get(&key).map(|(version, _)| *version),
        }
    }

    fn state(&self, key: Key) -> Option<Arc<RwLock<State>>> {
        read(&self.0.guilds).states.get(&key).cloned()
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Key, Place, RandomState>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By itself it decides which event comes after which.
impl Store for Memory {
    async fn apply(&self, updates: &[Update]) -> Result<Vec<Outcome>, Error> {
        let mut places = self.places();
        let apply = |update: &Update| {
            let key = (update.bot, update.guild);
            let place = places.entry(key).or_default();
            let applied = place.precedes(&update.position);
            if applied {
                place.advance(&update.position, update.changes.iter().any(Change::outdates));
                self.tell(&update.changes, update.position.received_ms);
                self.change(key, place.version, update.position.received_ms, update.changes.clone());
            }
            Outcome { version: place.version, applied }
        };
        Ok(updates.iter().map(apply).collect())
    }

    async fn guild(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> Result<Option<Held>, Error> {
        Ok(self.look(bot, guild, |seen| Held {
            bot,
            version: seen.version(),
            epoch: seen.epoch(),
            whole: seen.whole(),
        }))
    }

    async fn count(&self, bot: Id<ApplicationMarker>) -> Result<u64, Error> {
        Ok(self.count_of(bot).unwrap_or_default())
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
