//! B4: 2,500 guilds from IDENTIFY until the cache answers for them.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use model::routes;
use serde::Serialize;

use super::{
    database::Scratch,
    guilds,
    lane::Lane,
    servers::{Server, since},
};
use crate::{
    Options,
    events::Forwarder,
    load::Load,
    names::Names,
    program::{PATIENCE, Programs, server},
    report::median,
};

/// Guilds of the one shard.
pub(super) const GUILDS: u64 = 2_500;
/// Between two questions to the cache, which cost it something.
const LOOK: Duration = Duration::from_millis(100);
/// How long the processes are left alone before and after: offsets are committed, connections are warm.
const REST: Duration = Duration::from_secs(2);

/// CPU seconds of each process, of each round.
#[derive(Default, Serialize)]
pub(crate) struct Measured {
    pub(super) guilds: u64,
    /// Less what one takes that has no guilds.
    pub(super) sharder: Vec<f64>,
    pub(super) sync: Vec<f64>,
    pub(super) cache: Vec<f64>,
    /// The three together.
    pub(super) ours: Vec<f64>,
    pub(super) postgres: Vec<f64>,
    pub(super) kafka: Vec<f64>,
    /// From the sharder's start, by the wall.
    pub(super) seconds: Vec<f64>,
}

pub(super) fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Measured> {
    let (rounds, guilds) = if options.quick { (1, GUILDS / 10) } else { (options.rounds, GUILDS) };
    let mut measured = Measured { guilds, ..Measured::default() };
    for _ in 0..rounds {
        round(programs, &mut measured)?;
    }
    eprintln!("B4 {guilds} guilds: {:.2} CPU s", median(&measured.ours));
    Ok(measured)
}

fn round(programs: &Programs, measured: &mut Measured) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (names, scratch) = (Names::new(), runtime.block_on(Scratch::create())?);
    let sync = Lane::sync(programs, &names, &scratch.uri()?)?;
    let cache = Lane::cache(programs, &names, &scratch.uri()?)?;
    // What a sharder takes that has no guilds.
    let without = Forwarder::sharder_with(programs, 1, Load::start(programs)?, &Names::new())?;
    let start_up = without.program.cpu()?;
    without.remove_topics()?;
    drop(without);
    let load = Load::start(programs)?;
    load.set_guilds(measured.guilds)?;
    thread::sleep(REST);

    let (postgres, kafka) = (scratch.server(), Server::at(&server("KAFKA_BROKERS")?));
    let before = (sync.program.cpu()?, cache.program.cpu()?, postgres.cpu(), kafka.cpu());
    let begin = Instant::now();
    let sharder = Forwarder::sharder_with(programs, 1, load, &names)?;
    readable(&cache, measured.guilds)?;
    measured.seconds.push(begin.elapsed().as_secs_f64());
    thread::sleep(REST);
    let seconds = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64();
    let parts = [
        seconds(sharder.program.cpu()?, start_up),
        seconds(sync.program.cpu()?, before.0),
        seconds(cache.program.cpu()?, before.1),
    ];
    for (all, part) in [&mut measured.sharder, &mut measured.sync, &mut measured.cache].into_iter().zip(parts) {
        all.push(part);
    }
    measured.ours.push(parts.iter().sum());
    measured.postgres.extend(since(postgres.cpu(), before.2));
    measured.kafka.extend(since(kafka.cpu(), before.3));
    drop((sync, cache));
    sharder.remove_topics()?;
    runtime.block_on(scratch.remove())
}

/// Waits until the cache counts all guilds, and answers for the last one.
fn readable(cache: &Lane, guilds: u64) -> anyhow::Result<()> {
    let (deadline, all) = (Instant::now() + PATIENCE, format!(r#"{{"count":{guilds}}}"#));
    while cache.ask(routes::GUILD_COUNT).is_none_or(|count| count != all) {
        ensure!(Instant::now() < deadline, "the cache does not count {guilds} guilds in time");
        thread::sleep(LOOK);
    }
    let last = format!("/guilds/{}/channels", guilds::id(guilds - 1));
    cache.ask(&last).context("the last guild's channels cannot be read").map(drop)
}
