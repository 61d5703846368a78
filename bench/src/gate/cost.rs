//! G1: what a call through the gate costs: CPU of its process, and how many go through in a second.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    caller::send,
    processes::{HIGHEST_LIMIT, Server},
    request::{CHANNELS, Kind, to_each_channel},
};
use crate::{Options, events::count, program::Programs, report::median};

const KINDS: [Kind; 2] = [Kind::Get, Kind::Post];
/// Connections of the callers.
const CONNECTIONS: usize = 32;
/// Calls of a round.
const CALLS: u64 = 60_000;

/// The rounds of a kind of call.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) kind: Kind,
    pub(super) connections: usize,
    /// CPU microseconds of the gate for a call, of each round.
    pub(super) gate_us: Vec<f64>,
    /// The same of the reference.
    pub(super) forwarder_us: Vec<f64>,
    /// Microseconds by the wall from a call's question to the limiter to its leave to go, on average of each round.
    pub(super) limiter_us: Vec<f64>,
    /// Share of the calls for which that was more than a millisecond.
    pub(super) waited: Vec<f64>,
    /// Calls in a second by the wall, through the gate.
    pub(super) gate_per_second: Vec<f64>,
    pub(super) forwarder_per_second: Vec<f64>,
    /// Without anything between.
    pub(super) direct_per_second: Vec<f64>,
}

pub(super) fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Vec<Measured>> {
    KINDS.into_iter().map(|kind| measure_kind(programs, options, kind)).collect()
}

fn measure_kind(programs: &Programs, options: &Options, kind: Kind) -> anyhow::Result<Measured> {
    let (rounds, calls) = if options.quick { (2, CALLS / 10) } else { (options.rounds, CALLS) };
    let upstream = Server::upstream(programs)?;
    let gate = Server::gate(programs, &upstream, HIGHEST_LIMIT)?;
    let forwarder = Server::forwarder(programs, &upstream)?;
    let requests: Arc<[_]> = to_each_channel(kind).into();
    let round = |server: &Server, calls: u64| -> anyhow::Result<Round> {
        let before = server.program.cpu()?;
        let wall = send(&server.address, &requests, usize::try_from(calls)?, CONNECTIONS)?;
        Ok(Round { calls, wall, cpu: server.program.cpu()?.saturating_sub(before) })
    };
    // All channels: the gate has met every bucket then.
    for server in [&gate, &forwarder, &upstream] {
        round(server, 2 * CHANNELS)?;
    }
    let mut measured = Measured {
        kind,
        connections: CONNECTIONS,
        gate_us: Vec::new(),
        forwarder_us: Vec::new(),
        limiter_us: Vec::new(),
        waited: Vec::new(),
        gate_per_second: Vec::new(),
        forwarder_per_second: Vec::new(),
        direct_per_second: Vec::new(),
    };
    for number in 0..rounds {
        // None always first: what disturbs the machine disturbs all.
        for lane in 0..3 {
            match (number + lane) % 3 {
                0 => {
                    let before = gate.counts()?;
                    let through = round(&gate, calls)?;
                    let counts = gate.counts()?.since(before);
                    measured.gate_us.push(through.cpu_us());
                    measured.gate_per_second.push(through.per_second());
                    measured.limiter_us.push(counts.seconds * 1e6 / counts.passed);
                    measured.waited.push(counts.waited / counts.passed);
                }
                1 => {
                    let through = round(&forwarder, calls)?;
                    measured.forwarder_us.push(through.cpu_us());
                    measured.forwarder_per_second.push(through.per_second());
                }
                _ => measured.direct_per_second.push(round(&upstream, calls)?.per_second()),
            }
        }
    }
    let (ours, reference) = (median(&measured.gate_us), median(&measured.forwarder_us));
    eprintln!("G1 {kind:?}: {ours:.1} us a call, forwarder {reference:.1} us");
    Ok(measured)
}

struct Round {
    calls: u64,
    wall: Duration,
    cpu: Duration,
}

impl Round {
    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(self.calls)
    }

    fn per_second(&self) -> f64 {
        count(self.calls) / self.wall.as_secs_f64()
    }
}
