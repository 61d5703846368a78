//! B2: what a sharder holds once its guilds have come and gone to Kafka.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    Options,
    events::{Forwarder, count},
    load::Load,
    names::Names,
    program::{Memory, Programs},
    report::Report,
};

/// Shards, and guilds of each: the ones of the figure, and one shard without guilds.
const CASES: [(u32, u64); 2] = [(16, 2_500), (1, 0)];
/// How long the process is left alone before it is looked at.
const REST: Duration = Duration::from_secs(10);

/// A sharder after its guilds.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) shards: u32,
    pub(crate) guilds_per_shard: u64,
    /// JSON that was received, in megabytes.
    pub(crate) received_mb: f64,
    /// From the start until all of it was in Kafka and the position stored.
    pub(crate) seconds: f64,
    /// CPU for it.
    pub(crate) cpu_seconds: f64,
    #[serde(flatten)]
    pub(crate) memory: Memory,
}

pub(crate) fn measure(programs: &Programs, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for (shards, guilds) in CASES {
        let guilds = if options.quick { guilds / 10 } else { guilds };
        let load = Load::start(programs)?;
        load.set_guilds(guilds)?;
        let begin = Instant::now();
        let sharder = Forwarder::sharder_with(programs, shards, load, &Names::new())?;
        let (seconds, cpu) = (begin.elapsed().as_secs_f64(), sharder.program.cpu()?);
        thread::sleep(REST);
        let memory = sharder.program.memory()?;
        let sent = sharder.load.sent()?;
        sharder.remove_topics()?;
        eprintln!("B2 {shards} shards, {guilds} guilds each: {:.1} MB", memory.resident_mb);
        report.memory.push(Measured {
            shards,
            guilds_per_shard: guilds,
            received_mb: count(sent.bytes) / 1e6,
            seconds,
            cpu_seconds: cpu.as_secs_f64(),
            memory,
        });
    }
    Ok(())
}
