//! B3 and the half of B4 that is ours alone: guilds out of frames into a memory, in a process that does nothing else.

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use cache::{
    change::Update,
    fold::{Folded, fold},
    store::Memory,
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twilight_cache_inmemory::{DefaultInMemoryCache, InMemoryCacheBuilder, ResourceType};
use twilight_gateway::{Event, EventTypeFlags, parse};
use twilight_model::id::Id;

use super::guilds::{self, Session};
use crate::{
    events::count,
    program::{Program, Programs},
};

/// How long a process is left alone before its memory is looked at: the allocator gives back within a second.
const REST: Duration = Duration::from_secs(3);

/// Whose memory.
#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    /// The cache's.
    Ours,
    /// That of twilight-cache-inmemory.
    Twilight,
}

/// A process that holds guilds.
#[derive(clap::Args)]
pub(crate) struct HoldOptions {
    #[arg(long)]
    whose: Whose,
    #[arg(long)]
    guilds: u64,
    /// Makes all frames first, so that CPU is that of reading them.
    #[arg(long)]
    prepared: bool,
}

/// What it took.
#[derive(Deserialize, Serialize)]
pub(crate) struct Held {
    /// Memory of its own, before and after, in bytes.
    before: f64,
    after: f64,
    /// JSON of all frames.
    json: f64,
    cpu_seconds: f64,
    /// Share of the time that was spent in reading JSON.
    reading: f64,
}

impl Held {
    /// Starts one and waits for its end.
    pub(super) fn of(programs: &Programs, whose: Whose, guilds: u64, prepared: bool) -> anyhow::Result<Self> {
        let mut command = programs.command("bench")?;
        let name = whose.to_possible_value().context("a store has no name")?;
        command.args(["hold", "--whose", name.get_name(), "--guilds", &guilds.to_string()]).stdout(Stdio::piped());
        if prepared {
            command.arg("--prepared");
        }
        Ok(serde_json::from_str(&Program::start(command)?.output()?)?)
    }

    /// Of a guild.
    pub(super) fn bytes(&self, guilds: u64) -> f64 {
        (self.after - self.before) / count(guilds)
    }

    /// Of a guild.
    pub(super) fn json_bytes(&self, guilds: u64) -> f64 {
        self.json / count(guilds)
    }

    pub(super) fn cpu_seconds(&self) -> f64 {
        self.cpu_seconds
    }

    pub(super) fn reading(&self) -> f64 {
        self.reading
    }
}

/// Reads the guilds, and tells what it took.
pub(crate) fn run(options: &HoldOptions) -> anyhow::Result<Held> {
    let HoldOptions { whose, guilds, prepared } = *options;
    // What the first use of anything takes is not a guild's.
    let (mut first, mut store, mut reading) = (Store::new(whose), Store::new(whose), Duration::ZERO);
    first.take(0, guilds::frame(0), &mut reading)?;
    drop(first);
    let frames: Box<dyn Iterator<Item = String>> = match prepared {
        true => Box::new((0..guilds).map(guilds::frame).collect::<Vec<_>>().into_iter()),
        false => Box::new((0..guilds).map(guilds::frame)),
    };
    thread::sleep(REST);
    let (before, cpu, begin) = (own_bytes()?, cpu()?, Instant::now());
    let (mut json, mut reading) = (0.0, Duration::ZERO);
    for (frame, number) in frames.zip(0..) {
        json += count(frame.len() as u64);
        store.take(number, frame, &mut reading)?;
    }
    let (cpu_seconds, took) = ((self::cpu()?.saturating_sub(cpu)).as_secs_f64(), begin.elapsed());
    thread::sleep(REST);
    ensure!(store.guilds() == guilds, "{} guilds of {guilds} are there", store.guilds());
    Ok(Held { before, after: own_bytes()?, json, cpu_seconds, reading: reading.as_secs_f64() / took.as_secs_f64() })
}

enum Store {
    Ours(Memory, OffsetDateTime),
    Twilight(Box<DefaultInMemoryCache>),
}

impl Store {
    fn new(whose: Whose) -> Self {
        // What the cache keeps too.
        let kept = ResourceType::GUILD
            | ResourceType::CHANNEL
            | ResourceType::ROLE
            | ResourceType::EMOJI
            | ResourceType::MEMBER
            | ResourceType::USER;
        match whose {
            Whose::Ours => Self::Ours(Memory::new(), OffsetDateTime::now_utc()),
            Whose::Twilight => Self::Twilight(Box::new(InMemoryCacheBuilder::new().resource_types(kept).build())),
        }
    }

    fn take(&mut self, number: u64, frame: String, reading: &mut Duration) -> anyhow::Result<()> {
        let begin = Instant::now();
        match self {
            Self::Ours(memory, began) => {
                let session = Session { bot: Id::new(1), name: "4d9a1c1e5f0b4b1f8f0f6a7a4e6f2c11", began: *began };
                let folded = fold(&session.event(number, frame))?;
                *reading += begin.elapsed();
                let Folded::Guild(Update { bot, guild, position, changes }) = folded else {
                    anyhow::bail!("a frame tells of no guild")
                };
                memory.follow(bot, guild, 1, position.received_ms, changes);
            }
            Self::Twilight(cache) => {
                let event = parse(frame, EventTypeFlags::all())?.context("a frame is no event")?;
                let event = Event::from(event);
                *reading += begin.elapsed();
                cache.update(&event);
            }
        }
        Ok(())
    }

    fn guilds(&self) -> u64 {
        match self {
            Self::Ours(memory, _) => memory.count_of(Id::new(1)).unwrap_or_default(),
            Self::Twilight(cache) => cache.stats().guilds() as u64,
        }
    }
}

/// CPU time of this thread.
fn cpu() -> anyhow::Result<Duration> {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = schedule.split(' ').next().context("/proc/thread-self/schedstat is empty")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Memory of this process that no file is behind.
fn own_bytes() -> anyhow::Result<f64> {
    Ok(crate::program::memory_of("self")?.own_mb * 1e6)
}
