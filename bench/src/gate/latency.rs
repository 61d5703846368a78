//! G2: how much longer a call takes through the gate, at a rate far from what it can do and with no limit in the way.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::{
    processes::{HIGHEST_LIMIT, Server},
    request::{Kind, to_each_channel},
};
use crate::{
    Options,
    connection::Connection,
    events::count,
    pace::{self, Pace, Took, micros},
    program::Programs,
    report::median,
};

/// Calls in a second.
const RATES: [u32; 2] = [500, 2_000];
/// Each sends its share of the calls at its own times.
const THREADS: u32 = 32;
/// So long the calls take one way before they take the next: what disturbs the machine for longer disturbs all.
const SLICE_SECONDS: u32 = 1;
/// Slices of each way in a round.
const SLICES: u32 = 10;
/// The ways: through the gate, through the reference, and directly.
const WAYS: usize = 3;

/// The rounds of a rate.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) rate: u32,
    pub(super) gate: Took,
    pub(super) forwarder: Took,
    pub(super) direct: Took,
    /// CPU microseconds of the gate for a call, of each round.
    pub(super) gate_us: Vec<f64>,
    /// The same of the reference.
    pub(super) forwarder_us: Vec<f64>,
}

pub(super) fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Vec<Measured>> {
    RATES.into_iter().map(|rate| measure_rate(programs, options, rate)).collect()
}

fn measure_rate(programs: &Programs, options: &Options, rate: u32) -> anyhow::Result<Measured> {
    let (rounds, slices) = if options.quick { (2, 2) } else { (options.rounds, SLICES) };
    let upstream = Server::upstream(programs)?;
    let gate = Server::gate(programs, &upstream, HIGHEST_LIMIT)?;
    let forwarder = Server::forwarder(programs, &upstream)?;
    let addresses = [&gate, &forwarder, &upstream].map(|server| server.address.as_str());
    send(addresses, rate, 1)?;
    let mut measured = Measured {
        rate,
        gate: Took::default(),
        forwarder: Took::default(),
        direct: Took::default(),
        gate_us: Vec::new(),
        forwarder_us: Vec::new(),
    };
    for _ in 0..rounds {
        let (ours, theirs) = (gate.program.cpu()?, forwarder.program.cpu()?);
        let [gate_took, forwarder_took, direct_took] = send(addresses, rate, slices)?;
        let (ours, theirs) =
            (gate.program.cpu()?.saturating_sub(ours), forwarder.program.cpu()?.saturating_sub(theirs));
        measured.gate_us.push(micros(ours) / count(gate_took.len() as u64));
        measured.forwarder_us.push(micros(theirs) / count(forwarder_took.len() as u64));
        measured.gate.push(gate_took);
        measured.forwarder.push(forwarder_took);
        measured.direct.push(direct_took);
    }
    let (gate, direct) = (median(&measured.gate.p99), median(&measured.direct.p99));
    eprintln!("G2 {rate}/s: p99 {gate:.0} us, directly {direct:.0} us");
    Ok(measured)
}

/// Sends at the rate, in slices each way in turn, and tells how long each call took, by its way.
fn send(addresses: [&str; WAYS], rate: u32, slices: u32) -> anyhow::Result<[Vec<Duration>; WAYS]> {
    let requests = to_each_channel(Kind::Get);
    let slice = |call: u32| usize::try_from(call / (rate * SLICE_SECONDS));
    let calls = rate * SLICE_SECONDS * slices * u32::try_from(WAYS)?;
    let open = || addresses.iter().map(|address| Connection::open_blocking(address)).collect::<Result<Vec<_>, _>>();
    let took = pace::send(Pace { rate, calls, threads: THREADS }, open, |connections, call| {
        let request = &requests[usize::try_from(call)? % requests.len()];
        let status = connections[slice(call)? % WAYS].call_blocking(request)?;
        ensure!(status == 200, "a call was answered {status}");
        Ok(())
    })?;
    let mut by_way = [const { Vec::new() }; WAYS];
    for (took, call) in took.into_iter().zip(0..) {
        by_way[slice(call)? % WAYS].push(took);
    }
    Ok(by_way)
}
