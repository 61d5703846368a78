//! Memories that follow Postgres: one hears everything, one begins late, one misses some.

use std::collections::{HashMap, HashSet};

use cache::{
    change::{Change, Update},
    entity::User,
    store::{Error, Followed, Held, Memory, Outcome, Postgres, Store},
};
use serde_json::Value;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

use crate::chance::Chance;

use super::{
    delivery::Subject,
    judge::difference,
    world::{Key, World},
};

/// The truth, and who follows it.
pub(crate) struct Truth {
    db: Postgres,
    bots: (u64, u64),
    log: Vec<Told>,
    prompt: Follower,
    late: Late,
    lossy: Follower,
}

/// What was told of a change.
#[derive(Clone)]
enum Told {
    Guild(Key, u64, i64, Vec<Change>),
    User(User, i64),
}

#[derive(Default)]
struct Follower {
    memory: Memory,
    /// How far it read the log.
    read: usize,
    lost: usize,
    /// From where on it heard the log, and whose users it read.
    began: usize,
    users: HashSet<Id<UserMarker>>,
}

/// It begins to hear, then reads the truth page by page, then follows: what happened in between it hears after it has seen it.
enum Late {
    Waits,
    Reads(Follower, Option<(i64, i64)>),
    Follows(Follower),
}

impl Truth {
    pub(crate) fn new(db: Postgres, world: &World) -> Self {
        let ids = || world.bots.iter().map(|bot| bot.id);
        let bots = (ids().min().unwrap(), ids().max().unwrap());
        let (prompt, lossy) = (Follower::default(), Follower::default());
        Self { db, bots, log: Vec::new(), prompt, late: Late::Waits, lossy }
    }

    /// Whether each is as the truth, when it has heard all.
    pub(crate) async fn finish(mut self, world: &World, chance: &mut Chance) -> Result<(), String> {
        while !matches!(&self.late, Late::Follows(_)) {
            self.go_on(chance).await?;
        }
        let Late::Follows(mut late) = self.late else { return Ok(()) };
        late.hear(&self.log, usize::MAX)?;
        self.prompt.hear(&self.log, usize::MAX)?;
        self.lossy.miss(&self.log, usize::MAX, &self.db, chance).await?;
        let told = youngest(&self.log);
        for (bot, guild) in world.guilds.keys().map(|key| (Id::new(key.0), Id::new(key.1))) {
            // Who misses the last change hears nothing that tells of it.
            if self.lossy.lost > 0 {
                self.lossy.read_anew(&self.db, bot, guild).await?;
            }
            let page = self.db.look(bot, guild).await.map_err(said)?;
            let places = page.held.iter().map(|held| (held.version, held.epoch));
            let place = places.chain(page.absent.iter().map(|absent| (absent.2, absent.3))).next();
            let Some((version, epoch)) = place else { continue };
            for (name, follower) in [("prompt", &self.prompt), ("late", &late), ("lossy", &self.lossy)] {
                let held = follower.memory.guild(bot, guild).await.map_err(said)?;
                let memory = held.map(|held| follower.shown(&held, &told));
                let truth = page.held.first().map(|held| follower.shown(held, &told));
                let different = difference(&truth.unwrap_or_default(), &memory.unwrap_or_default());
                let at = follower.memory.is_at(bot, guild, version) && !follower.memory.is_at(bot, guild, version + 1);
                if different.is_some() || !at || follower.memory.epoch(bot, guild) != epoch {
                    return Err(format!("the {name} follower, guild {bot} {guild}, version {version}: {different:?}"));
                }
            }
        }
        Ok(())
    }

    async fn go_on(&mut self, chance: &mut Chance) -> Result<(), String> {
        self.prompt.hear(&self.log, usize::MAX)?;
        if chance.one_in(4) {
            self.prompt.read = self.prompt.read.saturating_sub(chance.below(5));
        }
        self.lossy.miss(&self.log, chance.below(6), &self.db, chance).await?;
        self.late = match std::mem::replace(&mut self.late, Late::Waits) {
            Late::Waits if chance.one_in(8) => {
                let began = self.log.len().saturating_sub(chance.below(8));
                let follower = Follower { began, read: began, ..Follower::default() };
                Late::Reads(follower, Some(((self.bots.0 - 1).cast_signed(), i64::MAX)))
            }
            Late::Waits => Late::Waits,
            Late::Reads(mut follower, from) => {
                let mut page = self.db.page(from, 1 + u32::from(chance.coin())).await.map_err(said)?;
                let next = page.next.filter(|(bot, _)| bot.cast_unsigned() <= self.bots.1);
                page.held.retain(|held| held.bot.get() <= self.bots.1);
                page.absent.retain(|absent| absent.0.get() <= self.bots.1);
                follower.users.extend(page.told.keys());
                follower.memory.take(page, 0);
                if next.is_some() { Late::Reads(follower, next) } else { Late::Follows(follower) }
            }
            Late::Follows(mut follower) => {
                follower.hear(&self.log, chance.below(6))?;
                Late::Follows(follower)
            }
        };
        Ok(())
    }
}

impl Follower {
    /// Hears the next of the log, and misses nothing.
    fn hear(&mut self, log: &[Told], most: usize) -> Result<(), String> {
        for told in log.iter().skip(self.read).take(most) {
            self.read += 1;
            if self.follow(told) == Followed::Gap {
                return Err("a gap where nothing was missed".to_owned());
            }
        }
        Ok(())
    }

    async fn miss(&mut self, log: &[Told], most: usize, db: &Postgres, chance: &mut Chance) -> Result<(), String> {
        for told in log.iter().skip(self.read).take(most) {
            self.read += 1;
            if chance.one_in(10) {
                self.lost += 1;
                continue;
            }
            let Told::Guild((bot, guild), version, ..) = told else {
                self.follow(told);
                continue;
            };
            let (bot, guild) = (Id::new(*bot), Id::new(*guild));
            let whole = matches!(told, Told::Guild(_, _, _, changes) if changes.iter().any(is_anew));
            let misses = !whole && !self.memory.is_at(bot, guild, version - 1) && *version > 1;
            match self.follow(told) {
                Followed::Gap if misses => self.read_anew(db, bot, guild).await?,
                Followed::Applied | Followed::Known if !misses => {}
                followed => {
                    return Err(format!("guild {bot} {guild}, version {version}: {followed:?}, misses is {misses}"));
                }
            }
        }
        Ok(())
    }

    /// A guild, less the users that it cannot know to be so: who were told of before it began, in no guild that it read, or when it
    /// did not listen. They are right again when they are told of again.
    fn shown(&self, held: &Held, told: &HashMap<Id<UserMarker>, usize>) -> Value {
        let mut whole = held.whole.clone();
        for member in &mut whole.members {
            member.user.take_if(|user| self.lost > 0 || told[&user.id] < self.began && !self.users.contains(&user.id));
        }
        serde_json::to_value(&whole).unwrap()
    }

    fn follow(&self, told: &Told) -> Followed {
        match told.clone() {
            Told::Guild((bot, guild), version, received_ms, changes) => {
                self.memory.follow(Id::new(bot), Id::new(guild), version, received_ms, changes)
            }
            Told::User(user, told_ms) => {
                self.memory.tell_users([user], told_ms);
                Followed::Applied
            }
        }
    }

    async fn read_anew(&self, db: &Postgres, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> Result<(), String> {
        self.memory.take(db.look(bot, guild).await.map_err(said)?, 0);
        Ok(())
    }
}

fn is_anew(change: &Change) -> bool {
    matches!(change, Change::Whole(_) | Change::Left)
}

/// Where in the log each user was told of by the youngest event.
fn youngest(log: &[Told]) -> HashMap<Id<UserMarker>, usize> {
    let mut youngest: HashMap<Id<UserMarker>, (i64, usize)> = HashMap::new();
    for (at, told) in log.iter().enumerate() {
        let (told_ms, users): (i64, Vec<Id<UserMarker>>) = match told {
            Told::Guild(_, _, received_ms, changes) => {
                (*received_ms, changes.iter().flat_map(Change::users).map(|user| user.id).collect())
            }
            Told::User(user, told_ms) => (*told_ms, vec![user.id]),
        };
        for user in users {
            let known = youngest.entry(user).or_insert((i64::MIN, at));
            if known.0 < told_ms {
                *known = (told_ms, at);
            }
        }
    }
    youngest.into_iter().map(|(user, (_, at))| (user, at)).collect()
}

fn said(error: Error) -> String {
    format!("{error:?}")
}

impl Store for Truth {
    async fn apply(&self, updates: &[Update]) -> Result<Vec<Outcome>, Error> {
        self.db.apply(updates).await
    }

    async fn guild(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> Result<Option<Held>, Error> {
        self.db.guild(bot, guild).await
    }

    async fn count(&self, bot: Id<ApplicationMarker>) -> Result<u64, Error> {
        self.db.count(bot).await
    }
}

impl Subject for Truth {
    const LOOK_AT: usize = 6;

    async fn guilds_of_shard(&self, bot: Id<ApplicationMarker>, (shard, of): (u64, u64)) -> Vec<Id<GuildMarker>> {
        self.db.guilds_of_shard(bot, shard, of).await.unwrap()
    }

    async fn tell(&mut self, user: &User, told_ms: i64) {
        self.db.tell_user(user, told_ms).await.unwrap();
        self.log.push(Told::User(user.clone(), told_ms));
    }

    async fn after(&mut self, updates: &[Update], outcomes: &[Outcome], chance: &mut Chance) -> Result<(), String> {
        for (update, outcome) in updates.iter().zip(outcomes).filter(|(_, outcome)| outcome.applied) {
            let Update { bot, guild, position, changes } = update.clone();
            self.log.push(Told::Guild((bot.get(), guild.get()), outcome.version, position.received_ms, changes));
        }
        self.go_on(chance).await
    }
}
