//! What must be after each delivery, and whether it is.

use std::collections::BTreeMap;

use cache::{
    change::Update,
    store::{Held, Outcome, Store},
};
use serde_json::Value;
use twilight_model::id::Id;

use super::{
    naive::{Naive, Told},
    world::{Key, Step, World},
};

/// What should be known by now.
pub(crate) struct Judge<'a> {
    world: &'a World,
    guilds: BTreeMap<Key, Guild>,
    pub(crate) told: Told,
    pub(crate) figures: Figures,
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Events that truly happened.
    pub(crate) events: usize,
    /// Updates that the store was given.
    pub(crate) updates: usize,
    /// Those among them that it had to refuse.
    pub(crate) refused: usize,
    /// Whole guilds that were compared.
    pub(crate) compared: usize,
}

/// How far a guild's history is folded.
#[derive(Default)]
struct Guild {
    state: Naive,
    /// Steps of its history that are done with.
    done: usize,
    version: u64,
    epoch: u64,
    /// Sessions whose updates were applied.
    sessions: Vec<String>,
    /// When the youngest of them was received.
    received_ms: i64,
}

/// A session that is over is heard again when the one after it was silent for so long.
const SILENCE_MS: i64 = 5 * 60 * 1_000;

impl<'a> Judge<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let figures = Figures { events: world.events(), ..Figures::default() };
        Self { world, guilds: BTreeMap::new(), told: Told::default(), figures }
    }

    /// An event that is no update: nothing may follow from it.
    pub(crate) fn pass(&mut self, key: Key, at: usize, step: &Step) -> Result<(), String> {
        let guild = self.guilds.entry(key).or_default();
        let mut after = guild.state.clone();
        after.apply(step.kind, &step.d);
        if after != guild.state {
            return Err(format!("guild {key:?}: {} was folded to nothing", step.kind));
        }
        guild.done = guild.done.max(at + 1);
        Ok(())
    }

    /// A store says what it did with a step of a guild's history; `None` is one that never was.
    pub(crate) fn applied(
        &mut self,
        key: Key,
        at: Option<usize>,
        step: &Step,
        update: &Update,
        outcome: Outcome,
    ) -> Result<(), String> {
        let guild = self.guilds.entry(key).or_default();
        let due = at.is_some_and(|at| at >= guild.done);
        self.figures.updates += 1;
        self.figures.refused += usize::from(!due);
        let what =
            || format!("guild {key:?}: {} of {:?}, after {} of its steps", step.kind, update.position, guild.done);
        if outcome.applied != due {
            return Err(format!("{}: applied is {}", what(), outcome.applied));
        }
        let version = guild.version + u64::from(due);
        if outcome.version != version {
            return Err(format!("{}: version {} instead of {version}", what(), outcome.version));
        }
        if let (true, Some(at)) = (due, at) {
            guild.done = at + 1;
            guild.version = version;
            let tells_alone = ["GUILD_MEMBER_UPDATE", "GUILD_MEMBERS_CHUNK", "MESSAGE_CREATE", "INTERACTION_CREATE"]
                .contains(&step.kind);
            if !tells_alone {
                guild.epoch = version;
            }
            guild.state.apply(step.kind, &step.d);
            guild.received_ms = guild.received_ms.max(step.received_ms());
            if guild.sessions.last() != Some(&step.event.session) {
                guild.sessions.push(step.event.session.clone());
            }
            self.told.hear(step.kind, &step.d, step.received_ms());
        }
        Ok(())
    }

    /// Whether a guild is as it should be.
    pub(crate) fn compare(&mut self, key: Key, held: Option<&Held>) -> Result<(), String> {
        self.figures.compared += 1;
        let guild = self.guilds.entry(key).or_default();
        if let Some(Held { version, epoch, .. }) = held
            && (*version, *epoch) != (guild.version, guild.epoch)
        {
            let (should, must) = (guild.version, guild.epoch);
            return Err(format!("guild {key:?}: version {version}, epoch {epoch} instead of {should}, {must}"));
        }
        let is = held.map(|held| serde_json::to_value(&held.whole).unwrap()).unwrap_or_default();
        let should = guild.state.json(&self.told).unwrap_or_default();
        let difference = difference(&should, &is).map(|where_| format!("guild {key:?} after {}: {where_}", guild.done));
        difference.map_or(Ok(()), Err)
    }

    /// Whether all is as it should be when everything was delivered.
    pub(crate) async fn finish(&mut self, store: &impl Store) -> Result<(), String> {
        for (key, history) in &self.world.guilds {
            let mut truth = Naive::default();
            history.iter().for_each(|step| truth.apply(step.kind, &step.d));
            let guild = self.guilds.entry(*key).or_default();
            if guild.state != truth {
                return Err(format!("guild {key:?}: the test lost its way"));
            }
            let held = store.guild(Id::new(key.0), Id::new(key.1)).await.map_err(|error| format!("{error:?}"))?;
            self.compare(*key, held.as_ref())?;
        }
        for bot in &self.world.bots {
            let count = store.count(Id::new(bot.id)).await.map_err(|error| format!("{error:?}"))?;
            let held = self.held(bot.id).len();
            if count != held as u64 {
                return Err(format!("bot {}: {count} guilds counted, and {held} are there", bot.id));
            }
        }
        Ok(())
    }

    /// The guilds that a bot should be in.
    pub(crate) fn held(&self, bot: u64) -> Vec<u64> {
        let held = |((of, _), guild): &(&Key, &Guild)| *of == bot && guild.state.is_held();
        self.guilds.iter().filter(held).map(|((_, guild), _)| *guild).collect()
    }

    pub(crate) fn done(&self, key: Key) -> usize {
        self.guilds.get(&key).map_or(0, |guild| guild.done)
    }

    /// Whether a step's session is over for its guild: it saw something of it, and then something of a younger one.
    pub(crate) fn is_over(&self, key: Key, step: &Step) -> bool {
        let Some(Guild { sessions, received_ms, .. }) = self.guilds.get(&key) else { return false };
        sessions.last() != Some(&step.event.session)
            && sessions.contains(&step.event.session)
            && step.received_ms() - received_ms <= SILENCE_MS
    }

    /// Whether it is in the session.
    pub(crate) fn is_in(&self, key: Key, session: &str) -> bool {
        self.guilds.get(&key).is_some_and(|guild| guild.sessions.last().is_some_and(|last| last == session))
    }

    /// Whether a READY that does not name a guild may come before steps of the guild that were before it. Nothing tells the store
    /// that those are over unless it knows the guild, and their sessions.
    pub(crate) fn may_overtake(&self, key: Key, ready: usize) -> bool {
        let nothing = Guild::default();
        let guild = self.guilds.get(&key).unwrap_or(&nothing);
        let before = self.world.guilds[&key].iter().take(ready).skip(guild.done);
        let mut before = before.filter(|step| step.kind != "READY");
        before.all(|step| guild.state.is_held() && guild.sessions.contains(&step.event.session))
    }
}

/// Where two differ first.
pub(crate) fn difference(should: &Value, is: &Value) -> Option<String> {
    match (should, is) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.map(|name| (name, a.get(name), b.get(name))).find_map(|(name, a, b)| {
                let inner = difference(a.unwrap_or(&Value::Null), b.unwrap_or(&Value::Null));
                let inner = inner.or_else(|| (a.is_some() != b.is_some()).then(|| " is in one only".to_owned()));
                inner.map(|inner| format!(".{name}{inner}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut both = a.iter().zip(b).enumerate();
            both.find_map(|(at, (a, b))| difference(a, b).map(|inner| format!("[{at}]{inner}")))
        }
        _ => (should != is).then(|| format!(" should be {should}, is {is}")),
    }
}

impl Figures {
    pub(crate) fn add(&mut self, more: Self) {
        self.events += more.events;
        self.updates += more.updates;
        self.refused += more.refused;
        self.compared += more.compared;
    }
}
