//! G4: how long one guild waits while another has thousands of calls in the queue.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::{
    caller::runtime,
    global::LIMIT,
    processes::Server,
    request::{Call, Kind},
};
use crate::{
    Options,
    connection::Connection,
    events::count,
    pace::{micros, quantile},
    program::{PATIENCE, Programs},
};

/// Calls of the one guild, each on a connection of its own.
const FLOOD: u64 = 10_000;
/// Calls of the other guild, one in each second.
const CALLS: u32 = 60;
/// Longer than the flood takes to drain.
const DEADLINE_MS: u64 = 15 * 60 * 1000;

/// What both saw.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) flood: u64,
    pub(super) limit: u32,
    /// The other guild's calls, without the flood and with it.
    pub(super) alone: Waits,
    pub(super) beside: Waits,
    /// The gate's memory with the flood in it, in megabytes.
    pub(super) resident_mb: f64,
}

/// In microseconds.
#[derive(Serialize)]
pub(crate) struct Waits {
    pub(super) calls: u32,
    pub(super) p50: f64,
    pub(super) max: f64,
}

pub(super) fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Measured> {
    let (flood, calls) = if options.quick { (FLOOD / 10, 8) } else { (FLOOD, CALLS) };
    let upstream = Server::upstream(programs)?;
    let gate = Arc::new(Server::gate(programs, &upstream, LIMIT)?);
    runtime()?.block_on(async {
        let alone = once_a_second(&gate.address, calls).await?;
        let mut flooding = JoinSet::new();
        for channel in 0..flood {
            let mut connection = Connection::open(&gate.address).await?;
            let call = Call { kind: Kind::Get, bot: 0, channel, guild: Some(1), deadline_ms: DEADLINE_MS };
            flooding.spawn(async move { connection.call(&call.bytes()).await });
        }
        wait_for_calls(&gate, u64::from(calls) + flood).await?;
        let (beside, memory) = (once_a_second(&gate.address, calls).await?, gate.program.memory()?);
        while let Some(answered) = flooding.try_join_next() {
            let status = answered??;
            ensure!(status == 200, "a call of the flood was answered {status}");
        }
        ensure!(!flooding.is_empty(), "the flood was over before the measure");
        eprintln!("G4 beside {flood} calls: {:.0} us, alone {:.0} us", beside.p50, alone.p50);
        Ok(Measured { flood, limit: LIMIT, alone, beside, resident_mb: memory.resident_mb })
    })
}

/// Waits until so many calls went through the gate or wait in it.
async fn wait_for_calls(gate: &Arc<Server>, calls: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = gate.clone();
        let counts = tokio::task::spawn_blocking(move || asked.counts()).await??;
        if counts.passed + counts.queue >= count(calls) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{} of {calls} calls reached the gate", counts.passed + counts.queue);
        sleep(Duration::from_millis(100)).await;
    }
}

/// Calls as the other guild, at a random moment of each second, and waits for none of them before the next.
async fn once_a_second(address: &str, calls: u32) -> anyhow::Result<Waits> {
    let (begin, mut waiting) = (tokio::time::Instant::now(), JoinSet::new());
    for number in 0..calls {
        let mut connection = Connection::open(address).await?;
        let channel = FLOOD + u64::from(number);
        let call = Call { kind: Kind::Get, bot: 0, channel, guild: Some(2), deadline_ms: DEADLINE_MS }.bytes();
        let due = begin + Duration::from_millis(u64::from(number) * 1_000 + rand::random_range(0..1_000));
        waiting.spawn(async move {
            sleep_until(due).await;
            let sent = Instant::now();
            let status = connection.call(&call).await?;
            ensure!(status == 200, "a call beside the flood was answered {status}");
            Ok(sent.elapsed())
        });
    }
    let mut took = Vec::new();
    while let Some(answered) = waiting.join_next().await {
        took.push(answered??);
    }
    took.sort_unstable();
    Ok(Waits { calls, p50: micros(quantile(&took, 0.5)), max: micros(quantile(&took, 1.0)) })
}
