//! The figures of the cache.

use std::fmt;

use anyhow::Context;
use serde::Serialize;

use super::{
    fold::{Held, Whose},
    http,
    pipeline::{self, GUILDS},
    upserts,
};
use crate::{
    Figure, Options,
    pace::Took,
    program::Programs,
    report::{median, spread},
};

/// Guilds of B3.
const MANY: u64 = 10_000;

/// All that was measured of the cache.
#[derive(Default, Serialize)]
pub(crate) struct Measured {
    #[serde(rename = "b3")]
    memory: Option<Memory>,
    #[serde(rename = "b4")]
    pipeline: Option<pipeline::Measured>,
    /// The half of B4 that is in one process.
    #[serde(rename = "b4_fold")]
    fold: Option<Fold>,
    #[serde(rename = "b9")]
    upserts: Option<upserts::Measured>,
    #[serde(rename = "cache_http")]
    http: Option<http::Measured>,
}

/// B3, in bytes of a guild.
#[derive(Serialize)]
struct Memory {
    guilds: u64,
    json: f64,
    ours: f64,
    twilight: f64,
}

/// CPU for all guilds, of each round.
#[derive(Default, Serialize)]
struct Fold {
    guilds: u64,
    ours: Vec<f64>,
    /// Share of it for reading JSON.
    ours_reading: Vec<f64>,
    twilight: Vec<f64>,
    twilight_reading: Vec<f64>,
}

/// Those of the figures that are wanted.
pub(crate) fn measure(programs: &Programs, options: &Options, measured: &mut Measured) -> anyhow::Result<()> {
    if options.wants(Figure::B3) {
        measured.memory = Some(Memory::measure(programs, options).context("measure B3")?);
    }
    if options.wants(Figure::B4) {
        measured.fold = Some(Fold::measure(programs, options).context("measure B4 in one process")?);
        measured.pipeline = Some(pipeline::measure(programs, options).context("measure B4")?);
    }
    if options.wants(Figure::B9) {
        measured.upserts = Some(upserts::measure(options).context("measure B9")?);
    }
    if options.wants(Figure::Http) {
        measured.http = Some(http::measure(programs, options).context("measure the cache over HTTP")?);
    }
    Ok(())
}

impl Memory {
    fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Self> {
        let guilds = if options.quick { MANY / 4 } else { MANY };
        let held = |whose| Held::of(programs, whose, guilds, false);
        let (ours, twilight) = (held(Whose::Ours)?, held(Whose::Twilight)?);
        let json = ours.json_bytes(guilds);
        let (ours, twilight) = (ours.bytes(guilds), twilight.bytes(guilds));
        eprintln!("B3: {:.1} kB a guild, twilight {:.1} kB", ours / 1e3, twilight / 1e3);
        Ok(Self { guilds, json, ours, twilight })
    }
}

impl Fold {
    fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Self> {
        let rounds = if options.quick { 2 } else { options.rounds };
        let mut measured = Self { guilds: GUILDS, ..Self::default() };
        for number in 0..2 * rounds {
            // Neither always first: what disturbs the machine disturbs both.
            let whose = if (number + number / 2) % 2 == 0 { Whose::Ours } else { Whose::Twilight };
            let held = Held::of(programs, whose, GUILDS, true)?;
            let (seconds, reading) = match whose {
                Whose::Ours => (&mut measured.ours, &mut measured.ours_reading),
                Whose::Twilight => (&mut measured.twilight, &mut measured.twilight_reading),
            };
            seconds.push(held.cpu_seconds());
            reading.push(held.reading());
        }
        let (ours, twilight) = (median(&measured.ours), median(&measured.twilight));
        eprintln!("B4 in one process: {ours:.2} CPU s, twilight {twilight:.2} CPU s");
        Ok(measured)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, pipeline, fold, upserts, http } = self;
        memory.iter().try_for_each(|memory| memory.fmt(f))?;
        fold.iter().try_for_each(|fold| fold.fmt(f))?;
        pipeline.iter().try_for_each(|pipeline| write_pipeline(f, pipeline))?;
        upserts.iter().try_for_each(|upserts| write_upserts(f, upserts))?;
        http.iter().try_for_each(|http| write_http(f, http))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guilds, json, ours, twilight } = self;
        writeln!(
            f,
            "\nB3: memory of a guild (kB of 1000 bytes), of {guilds} guilds with {:.1} kB of JSON\n",
            json / 1e3
        )?;
        writeln!(f, "| cache | twilight-cache-inmemory | ratio |\n|---|---|---|")?;
        writeln!(f, "| {:.1} | {:.1} | {:.2} |", ours / 1e3, twilight / 1e3, ours / twilight)
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nB4 in one process: CPU seconds from frames to memory, of {} guilds\n", self.guilds)?;
        writeln!(f, "| what | CPU s | of it reading JSON | us a guild |\n|---|---|---|---|")?;
        let rows = [
            ("cache", &self.ours, &self.ours_reading),
            ("twilight-cache-inmemory", &self.twilight, &self.twilight_reading),
        ];
        for (name, seconds, reading) in rows {
            let guild_us = 1e6 * median(seconds) / crate::events::count(self.guilds);
            writeln!(f, "| {name} | {} | {:.0} % | {guild_us:.0} |", spread3(seconds), 100.0 * median(reading))?;
        }
        Ok(())
    }
}

fn write_pipeline(f: &mut fmt::Formatter<'_>, measured: &pipeline::Measured) -> fmt::Result {
    let pipeline::Measured { guilds, sharder, sync, cache, ours, postgres, kafka, seconds } = measured;
    writeln!(f, "\nB4: CPU seconds of {guilds} guilds from IDENTIFY until the cache answers for them\n")?;
    writeln!(f, "| process | CPU s |\n|---|---|")?;
    let rows = [
        ("sharder", sharder),
        ("cache-sync-service", sync),
        ("cache", cache),
        ("ours together", ours),
        ("Postgres", postgres),
        ("Kafka", kafka),
        ("seconds by the wall", seconds),
    ];
    rows.into_iter()
        .filter(|(_, all)| !all.is_empty())
        .try_for_each(|(name, all)| writeln!(f, "| {name} | {} |", spread3(all)))
}

fn write_upserts(f: &mut fmt::Formatter<'_>, measured: &upserts::Measured) -> fmt::Result {
    let upserts::Measured { guilds, rows, writers, literal, unnest } = measured;
    writeln!(f, "\nB9: {rows} rows of {guilds} guilds into Postgres, fsync on; again: the same guilds as they were\n")?;
    writeln!(
        f,
        "| how | rows/s | own us a row | Postgres us a row | log B a guild | again: guilds/s | log B a guild | rows written |"
    )?;
    writeln!(f, "|---|---|---|---|---|---|---|---|")?;
    for row in writers {
        let s = if row.writers == 1 { "" } else { "s" };
        writeln!(
            f,
            "| {} writer{s} | {} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} | {} |",
            row.writers,
            spread(&row.rows_per_second),
            median(&row.own_us),
            median(&row.postgres_us),
            median(&row.log_bytes),
            median(&row.again_per_second),
            median(&row.again_log_bytes),
            row.again_written.iter().max().copied().unwrap_or_default(),
        )?;
    }
    for (name, way) in [("literal values", literal), ("unnest alone", unnest)] {
        writeln!(f, "| {name} | {} | | | | | | |", spread(way))?;
    }
    Ok(())
}

fn write_http(f: &mut fmt::Formatter<'_>, measured: &http::Measured) -> fmt::Result {
    let http::Measured { guilds, rate, cache, cache_us, bare, bare_us, resident_mb } = measured;
    writeln!(f, "\nThe cache over HTTP: microseconds at {rate} questions a second, on one core")?;
    writeln!(f, "   {guilds} guilds, {resident_mb:.0} MB resident\n")?;
    writeln!(f, "| question | p50 | p95 | p99 | max | CPU us |\n|---|---|---|---|---|---|")?;
    let mut row = |name: &str, Took { p50, p95, p99, max }: &Took, us: &[f64]| {
        let cpu = if us.is_empty() { String::new() } else { spread(us) };
        writeln!(f, "| {name} | {:.0} | {} | {} | {:.0} | {cpu} |", median(p50), spread(p95), spread(p99), median(max))
    };
    cache.kinds.iter().try_for_each(|(name, took)| row(name, took, &[]))?;
    row("all", &cache.all, cache_us)?;
    row("a bare server", &bare.all, bare_us)?;
    writeln!(f, "\n| p99 of each second | median | within 1 ms |\n|---|---|---|")?;
    [("cache", &cache.seconds), ("a bare server", &bare.seconds)].into_iter().try_for_each(|(name, seconds)| {
        let within = seconds.iter().filter(|second| **second <= 1e3).count();
        writeln!(f, "| {name} | {} | {within} of {} |", spread(seconds), seconds.len())
    })
}

/// The median, and the least and the most, of numbers around one.
fn spread3(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.2} ({least:.2}-{most:.2})", median(values))
}
