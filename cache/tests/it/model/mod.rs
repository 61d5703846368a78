//! The cache is the fold of what truly happened, however it is delivered.
//!
//! A seed makes a world with bots, guilds and a history of each; a model reads the same JSON in the simplest way. The history is
//! delivered with repetitions, replays, late events of sessions that are over, and mixed with other guilds'. After every batch a
//! guild must be as the model is after some of its history, which only grows, and in the end after all of it.
//!
//! `CACHE_MODEL_SEEDS` says how many worlds, `CACHE_MODEL_FROM` which is the first; `scripts/cache-model` runs ten thousand.

mod delivery;
mod events;
mod followers;
mod judge;
mod naive;
mod objects;
mod world;

use std::{ops::Range, thread};

use cache::store::{CacheDatabase, Memory, Postgres};
use database::scratch::Scratch;
use tokio::task::JoinSet;

use crate::chance::{Chance, number};

use self::{delivery::deliver, followers::Truth, judge::Figures};
pub(crate) use self::{
    objects::{Make, Person},
    world::{World, event},
};

/// The seeds of a test: as many as are asked for, else a small dose.
fn seeds(small_dose: u64) -> Range<u64> {
    let first = number("CACHE_MODEL_FROM", 1);
    first..first + number("CACHE_MODEL_SEEDS", small_dose)
}

/// Tries each seed, several at once.
async fn each<F>(what: &str, seeds: Range<u64>, run: impl Fn(u64) -> F + Clone + Send + 'static)
where
    F: Future<Output = Result<Figures, String>> + Send,
{
    // A database makes each wait.
    let tasks = 4 * thread::available_parallelism().map_or(2, usize::from) as u64;
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let (mine, run) = (seeds.clone().filter(move |seed| seed % tasks == task), run.clone());
        set.spawn(async move {
            let mut figures = Figures::default();
            for seed in mine {
                let failed = |why| format!("CACHE_MODEL_FROM={seed} CACHE_MODEL_SEEDS=1: {why}");
                figures.add(run(seed).await.map_err(failed)?);
            }
            Ok::<_, String>(figures)
        });
    }
    let mut all = Figures::default();
    while let Some(done) = set.join_next().await {
        match done.unwrap() {
            Ok(figures) => all.add(figures),
            Err(why) => panic!("{what}: {why}"),
        }
    }
    let Figures { events, updates, refused, compared } = all;
    let seeds = seeds.end - seeds.start;
    println!("{what}: {seeds} seeds, {events} events, {updates} updates ({refused} to refuse), {compared} comparisons");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_what_happened_however_it_is_told() {
    each("memory", seeds(120), |seed| async move {
        let mut chance = Chance::new(seed);
        let world = World::new(seed, &mut chance);
        deliver(&world, &mut Memory::new(), &mut chance).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_what_happened_however_it_is_told_and_memories_follow() {
    let scratch = Scratch::empty().await.unwrap();
    let db = Postgres::connect(&CacheDatabase { uri: scratch.uri.clone(), threads: 16 }).await.unwrap();
    db.migrate().await.unwrap();
    each("postgres", seeds(25), move |seed| {
        let db = db.clone();
        async move {
            let mut chance = Chance::new(seed);
            let world = World::new(seed, &mut chance);
            let mut truth = Truth::new(db, &world);
            let figures = deliver(&world, &mut truth, &mut chance).await?;
            truth.finish(&world, &mut chance).await?;
            Ok(figures)
        }
    })
    .await;
    scratch.close().await.unwrap();
}
