//! Delivers what happened as Kafka and crashes do: each guild's events in their order, but again, late, and mixed with others'.

use std::collections::BTreeMap;

use cache::{
    change::Update,
    entity::User,
    fold::{Folded, Ready, fold},
    store::{Memory, Outcome, Store},
};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use crate::chance::Chance;

use super::{
    judge::{Figures, Judge},
    world::{Key, Step, World, at_ms},
};

/// A store, and what a consumer needs besides.
pub(crate) trait Subject: Store {
    /// One batch in so many is looked at.
    const LOOK_AT: usize;

    fn guilds_of_shard(
        &self,
        bot: Id<ApplicationMarker>,
        shard: (u64, u64),
    ) -> impl Future<Output = Vec<Id<GuildMarker>>> + Send;

    fn tell(&mut self, user: &User, told_ms: i64) -> impl Future<Output = ()> + Send;

    /// It applied these.
    fn after(
        &mut self,
        updates: &[Update],
        outcomes: &[Outcome],
        chance: &mut Chance,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

impl Subject for Memory {
    const LOOK_AT: usize = 1;

    async fn guilds_of_shard(&self, bot: Id<ApplicationMarker>, (shard, of): (u64, u64)) -> Vec<Id<GuildMarker>> {
        self.guilds_of(bot).into_iter().filter(|guild| (guild.get() >> 22) % of == shard).collect()
    }

    async fn tell(&mut self, user: &User, told_ms: i64) {
        self.tell_users([user.clone()], told_ms);
    }

    async fn after(&mut self, _: &[Update], _: &[Outcome], _: &mut Chance) -> Result<(), String> {
        Ok(())
    }
}

/// A partition: its steps, and how far it is read.
struct Partition<'a> {
    /// The guild, or `None` for what is of no guild.
    key: Option<Key>,
    steps: &'a [Step],
    next: usize,
}

/// A step on its way.
struct Sent<'a> {
    key: Key,
    /// Which of its guild's; `None` is one that never was.
    at: Option<usize>,
    step: &'a Step,
    update: Update,
}

pub(crate) async fn deliver<S: Subject>(world: &World, store: &mut S, chance: &mut Chance) -> Result<Figures, String> {
    let mut judge = Judge::new(world);
    let guilds = world.guilds.iter().map(|(key, steps)| Partition { key: Some(*key), steps, next: 0 });
    let guildless = world.guildless.values().map(|steps| Partition { key: None, steps, next: 0 });
    let mut partitions: Vec<Partition<'_>> = guilds.chain(guildless).collect();
    let mut crashes = chance.below(4);
    // Repeats live as long as the world.
    let mut batches = 0;
    loop {
        batches += 1;
        if batches > 20 * (20 + world.events()) {
            return Err("the test does not end".to_owned());
        }
        if crashes > 0 && chance.one_in(12) {
            crashes -= 1;
            for partition in &mut partitions {
                partition.next = partition.next.saturating_sub(chance.below(12));
            }
        }
        let mut unread: Vec<&mut Partition<'_>> =
            partitions.iter_mut().filter(|partition| partition.next < partition.steps.len()).collect();
        if unread.is_empty() {
            // A last breath of what is over.
            if batches % 3 == 0 {
                break;
            }
            unread = partitions.iter_mut().collect();
        }
        chance.shuffle(&mut unread);
        unread.truncate(1 + chance.below(6));
        batch(world, store, &mut judge, unread, chance).await?;
    }
    judge.finish(store).await?;
    Ok(judge.figures)
}

async fn batch<S: Subject>(
    world: &World,
    store: &mut S,
    judge: &mut Judge<'_>,
    from: Vec<&mut Partition<'_>>,
    chance: &mut Chance,
) -> Result<(), String> {
    // What was repeated with another time.
    let repeated: BTreeMap<Key, Step> = from
        .iter()
        .filter_map(|partition| {
            let key = partition.key.filter(|_| partition.next > 0 && chance.one_in(12))?;
            let step = &partition.steps[chance.below(partition.next)];
            judge.is_in(key, &step.event.session).then(|| (key, later(step, chance)))
        })
        .collect();
    let (mut sent, mut own): (Vec<Sent<'_>>, Vec<&mut Partition<'_>>) = (Vec::new(), Vec::new());
    for partition in from {
        let Some(key) = partition.key else {
            own.push(partition);
            continue;
        };
        let late = world.late.get(&key).map_or(&[][..], Vec::as_slice);
        let (at, step) = if let Some(step) = repeated.get(&key) {
            (None, step)
        } else if !late.is_empty() && chance.one_in(6) {
            let late = chance.pick(late);
            let is_past = judge.done(key) > late.after && judge.is_over(key, &late.step);
            if !is_past {
                continue;
            }
            (None, &late.step)
        } else if partition.next > 0 && (chance.one_in(6) || partition.next == partition.steps.len()) {
            let at = chance.below(partition.next);
            (Some(at), &partition.steps[at])
        } else if partition.next == partition.steps.len() {
            continue;
        } else {
            partition.next += 1;
            (Some(partition.next - 1), &partition.steps[partition.next - 1])
        };
        // That one comes with what is of no guild.
        if step.kind == "READY" {
            continue;
        }
        match fold(&step.event).map_err(|error| error.to_string())? {
            Folded::Guild(update) | Folded::Rider(update) => sent.push(Sent { key, at, step, update }),
            Folded::Nothing => {
                if let Some(at) = at {
                    judge.pass(key, at, step)?;
                }
            }
            Folded::Ready(_) | Folded::User(_) => return Err(format!("{} is of no guild", step.kind)),
        }
    }
    apply(store, judge, sent, chance).await?;
    for partition in own {
        guildless(world, store, judge, partition, chance).await?;
    }
    Ok(())
}

async fn apply<S: Subject>(
    store: &mut S,
    judge: &mut Judge<'_>,
    sent: Vec<Sent<'_>>,
    chance: &mut Chance,
) -> Result<(), String> {
    let updates: Vec<Update> = sent.iter().map(|sent| sent.update.clone()).collect();
    let outcomes = store.apply(&updates).await.map_err(|error| format!("{error:?}"))?;
    if outcomes.len() != updates.len() {
        return Err(format!("{} outcomes of {} updates", outcomes.len(), updates.len()));
    }
    for (sent, outcome) in sent.iter().zip(&outcomes) {
        judge.applied(sent.key, sent.at, sent.step, &sent.update, *outcome)?;
    }
    store.after(&updates, &outcomes, chance).await?;
    if chance.one_in(S::LOOK_AT) {
        for (bot, guild) in sent.iter().map(|sent| sent.key) {
            let held = store.guild(Id::new(bot), Id::new(guild)).await.map_err(|error| format!("{error:?}"))?;
            judge.compare((bot, guild), held.as_ref())?;
        }
    }
    Ok(())
}

/// The next of a bot's own.
async fn guildless<S: Subject>(
    world: &World,
    store: &mut S,
    judge: &mut Judge<'_>,
    partition: &mut Partition<'_>,
    chance: &mut Chance,
) -> Result<(), String> {
    let again = partition.next > 0 && (partition.next == partition.steps.len() || chance.one_in(6));
    let at = if again { chance.below(partition.next) } else { partition.next };
    let Some(step) = partition.steps.get(at) else { return Ok(()) };
    match fold(&step.event).map_err(|error| error.to_string())? {
        Folded::Ready(ready) => {
            if !begin(world, store, judge, step, &ready, chance).await? {
                return Ok(());
            }
            store.tell(&ready.user, step.received_ms()).await;
            judge.told.tell(&step.d["user"], step.received_ms());
        }
        Folded::User(user) => {
            store.tell(&user, step.received_ms()).await;
            judge.told.tell(&step.d, step.received_ms());
        }
        Folded::Nothing => {}
        folded => return Err(format!("{} without a guild became {folded:?}", step.kind)),
    }
    partition.next += usize::from(!again);
    Ok(())
}

/// A session began: guilds that it does not name are left. False where it is not its turn yet.
async fn begin<S: Subject>(
    world: &World,
    store: &mut S,
    judge: &mut Judge<'_>,
    step: &Step,
    ready: &Ready,
    chance: &mut Chance,
) -> Result<bool, String> {
    let bot = step.event.bot.get();
    let unnamed = world.guilds.range((bot, 0)..=(bot, u64::MAX)).filter_map(|(key, steps)| {
        let at = steps.iter().position(|of| of.kind == "READY" && of.event.session == step.event.session)?;
        Some((*key, at))
    });
    let unnamed: BTreeMap<Key, usize> = unnamed.collect();
    if !unnamed.iter().all(|(key, at)| judge.may_overtake(*key, *at)) {
        return Ok(false);
    }
    let mut there = store.guilds_of_shard(ready.bot, ready.shard).await;
    there.sort_unstable();
    let held: Vec<u64> =
        judge.held(bot).into_iter().filter(|guild| (guild >> 22) % ready.shard.1 == ready.shard.0).collect();
    if !there.iter().map(|guild| guild.get()).eq(held.iter().copied()) {
        return Err(format!("guilds of bot {bot}'s shard {:?}: {there:?} instead of {held:?}", ready.shard));
    }
    let sent = there.into_iter().filter(|guild| !ready.guilds.contains(guild)).map(|guild| {
        let key = (bot, guild.get());
        Sent { key, at: unnamed.get(&key).copied(), step, update: ready.left(guild) }
    });
    let sent = sent.collect();
    apply(store, judge, sent, chance).await?;
    Ok(true)
}

/// As a resumed session repeats it.
fn later(step: &Step, chance: &mut Chance) -> Step {
    let mut step = step.clone();
    step.event.received_at = at_ms(step.received_ms() + chance.between(1, 900_000));
    step
}
