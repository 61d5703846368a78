//! Many at once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cache::{
    change::{Change, Update},
    entity::Text,
    store::{Refill, Store},
};
use tokio::{sync::Barrier, task::JoinSet};
use twilight_model::id::{
    Id,
    marker::{GuildMarker, UserMarker},
};

use crate::{
    chance::Chance,
    support::{BOT, DAY_MS, NOON_MS, another, at, channel, fresh, member, told_whole, update},
};

const TASKS: u64 = 50;
const ROUNDS: u64 = 6;
const GUILDS: u64 = 4;

fn guild(number: u64) -> Id<GuildMarker> {
    Id::new((number + 1) << 22)
}

fn of(guild: Id<GuildMarker>, sequence: u64, changes: impl Into<Vec<Change>>) -> Update {
    Update { guild, ..update(at("a", sequence), changes) }
}

/// A channel's name and two members tell who wrote last.
fn changes(sequence: u64, chance: &mut Chance) -> Vec<Change> {
    let mut changes = vec![Change::Channel(channel(11, &format!("name {sequence}")))];
    let mut users: Vec<u64> = (500..506).collect();
    chance.shuffle(&mut users);
    for id in &users[..3] {
        let mut told = member(Id::new(*id), &format!("nick {sequence}"));
        told.user.as_mut().unwrap().username = Text::from(format!("name {sequence}").as_str());
        changes.push(Change::Member(Box::new(told)));
    }
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_that_write_the_same_guilds_neither_wait_for_each_other_nor_lose_anything() {
    let (scratch, db) = fresh().await;
    let dbs = [another(&scratch, 12).await, another(&scratch, 12).await];
    let guilds: Vec<_> = (0..GUILDS).map(guild).collect();
    let first: Vec<Update> = guilds.iter().map(|id| of(*id, 1, [told_whole(*id)])).collect();
    db.apply(&first).await.unwrap();
    let (sequences, barrier) = (Arc::new(AtomicU64::new(2)), Arc::new(Barrier::new(usize::try_from(TASKS).unwrap())));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (db, sequences, barrier) = (dbs[usize::from(task % 2 == 0)].clone(), sequences.clone(), barrier.clone());
        let mut guilds = guilds.clone();
        tasks.spawn(async move {
            let mut chance = Chance::new(task);
            let mut applied = Vec::new();
            barrier.wait().await;
            for _ in 0..ROUNDS {
                chance.shuffle(&mut guilds);
                let sequence = sequences.fetch_add(1, Ordering::Relaxed);
                let updates: Vec<Update> = guilds
                    .iter()
                    .skip(chance.below(2))
                    .map(|id| of(*id, sequence, changes(sequence, &mut chance)))
                    .collect();
                let outcomes = db.apply(&updates).await.unwrap();
                let done = updates.iter().zip(outcomes).filter(|(_, outcome)| outcome.applied);
                applied.extend(done.map(|(update, outcome)| (update.guild, sequence, outcome.version)));
                // Whatever else happens to the same rows.
                let users: Vec<_> =
                    guilds.iter().rev().flat_map(|id| (500..506).map(|user| (BOT, *id, Id::new(user)))).collect();
                db.note_uses(&users, NOON_MS + sequence.cast_signed() * DAY_MS).await.unwrap();
                let refill = Refill { member: member(Id::new(505), "asked"), epoch: 1, read_ms: NOON_MS };
                db.refill(BOT, guilds[0], &refill).await.unwrap();
                db.purge(0, 10).await.unwrap();
            }
            applied
        });
    }
    let mut applied = Vec::new();
    while let Some(done) = tasks.join_next().await {
        applied.extend(done.unwrap());
    }
    for id in guilds {
        let held = db.guild(BOT, id).await.unwrap().unwrap();
        let mut mine: Vec<_> = applied.iter().filter(|(guild, ..)| *guild == id).collect();
        mine.sort_by_key(|(_, sequence, _)| *sequence);
        assert!(mine.len() > 10);
        let versions: Vec<u64> = mine.iter().map(|(.., version)| *version).collect();
        assert!(versions.iter().copied().eq(2..=held.version), "each change has the next number: {versions:?}");
        let name = format!("name {}", mine.last().unwrap().1);
        assert_eq!(held.whole.channels[0].name.as_str(), name);
        let users: Vec<Id<UserMarker>> = held.whole.members.iter().filter_map(|member| member.id()).collect();
        assert!((500..505).all(|user| users.contains(&Id::new(user))));
    }
}
