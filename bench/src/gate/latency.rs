//! G2: how much longer a call takes through the gate, at a rate far from what it can do and with no limit in the way.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use serde::Serialize;

use super::{
    processes::{HIGHEST_LIMIT, Server},
    request::{Connection, Kind, to_each_channel},
};
use crate::{Options, events::count, program::Programs, report::median};

/// Calls in a second.
const RATES: [u32; 2] = [500, 2_000];
/// Each sends its share of the calls at its own times.
const THREADS: u32 = 32;
/// So long the calls take one way before they take the next: what disturbs the machine for longer disturbs all.
const SLICE: Duration = Duration::from_secs(1);
/// Slices of each way in a round.
const SLICES: u32 = 10;
/// The ways: through the gate, through the reference, and directly.
const WAYS: usize = 3;

/// The rounds of a rate.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) rate: u32,
    pub(super) gate: Way,
    pub(super) forwarder: Way,
    pub(super) direct: Way,
    /// CPU microseconds of the gate for a call, of each round.
    pub(super) gate_us: Vec<f64>,
    /// The same of the reference.
    pub(super) forwarder_us: Vec<f64>,
}

/// What calls took one way, in microseconds of each round.
#[derive(Default, Serialize)]
pub(crate) struct Way {
    pub(super) p50: Vec<f64>,
    pub(super) p99: Vec<f64>,
    pub(super) max: Vec<f64>,
}

impl Way {
    fn push(&mut self, mut took: Vec<Duration>) {
        took.sort_unstable();
        self.p50.push(micros(quantile(&took, 0.5)));
        self.p99.push(micros(quantile(&took, 0.99)));
        self.max.push(micros(quantile(&took, 1.0)));
    }
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
        gate: Way::default(),
        forwarder: Way::default(),
        direct: Way::default(),
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
    // When all threads have their connections.
    let start = Instant::now() + Duration::from_millis(200);
    thread::scope(|scope| {
        let one = |number: u32| {
            let requests = &requests;
            scope.spawn(move || send_share(addresses, requests, Share { number, rate, slices, start }))
        };
        let threads: Vec<_> = (0..THREADS).map(one).collect();
        let mut all = [const { Vec::new() }; WAYS];
        for thread in threads {
            let took = thread.join().map_err(|_| anyhow!("a thread that sends panicked"))??;
            for (all, took) in all.iter_mut().zip(took) {
                all.extend(took);
            }
        }
        Ok(all)
    })
}

/// What one thread sends: of the calls at this rate one of [`THREADS`].
#[derive(Clone, Copy)]
struct Share {
    number: u32,
    rate: u32,
    slices: u32,
    start: Instant,
}

fn send_share(addresses: [&str; WAYS], requests: &[Vec<u8>], share: Share) -> anyhow::Result<[Vec<Duration>; WAYS]> {
    let Share { number, rate, slices, start } = share;
    let mut connections = Vec::new();
    for address in addresses {
        connections.push(Connection::open_blocking(address)?);
    }
    let mut took = [const { Vec::new() }; WAYS];
    let mut call = number;
    loop {
        let after = Duration::from_secs(1) * call / rate;
        let slice = usize::try_from(after.as_micros() / SLICE.as_micros())?;
        if slice >= WAYS * usize::try_from(slices)? {
            return Ok(took);
        }
        // A call that is late because of the one before counts from when it was due, and its wait counts; one that is late
        // because this thread woke late counts from then.
        let mut begin = start + after;
        if let Some(left) = begin.checked_duration_since(Instant::now()) {
            thread::sleep(left);
            begin = Instant::now();
        }
        let request = &requests[usize::try_from(call)? % requests.len()];
        let status = connections[slice % WAYS].call_blocking(request)?;
        took[slice % WAYS].push(begin.elapsed());
        ensure!(status == 200, "a call was answered {status}");
        call += THREADS;
    }
}

/// The least that so large a share does not exceed; zero of nothing.
pub(super) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * count(sorted.len() as u64)).ceil();
    sorted.iter().zip(1_u32..).find(|(_, number)| f64::from(*number) >= rank).map_or(Duration::ZERO, |(took, _)| *took)
}

pub(super) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let of = |share| quantile(&sorted, share).as_millis();
        assert_eq!((of(0.5), of(0.99), of(1.0)), (100, 198, 200));
        assert_eq!(quantile(&[], 0.99), Duration::ZERO);
    }
}
