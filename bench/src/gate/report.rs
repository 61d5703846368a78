//! The figures of the gate.

use std::fmt;

use anyhow::Context;
use serde::Serialize;

use super::{cost, fairness, global, latency, request::Kind};
use crate::{
    Figure, Options,
    pace::Took,
    program::Programs,
    report::{median, spread},
};

/// All that was measured of the gate.
#[derive(Default, Serialize)]
pub(crate) struct Measured {
    #[serde(rename = "g1")]
    cost: Vec<cost::Measured>,
    #[serde(rename = "g2")]
    latency: Vec<latency::Measured>,
    #[serde(rename = "g3")]
    global: Option<global::Measured>,
    #[serde(rename = "g4")]
    fairness: Option<fairness::Measured>,
}

/// Those of the four figures that are wanted.
pub(crate) fn measure(programs: &Programs, options: &Options, measured: &mut Measured) -> anyhow::Result<()> {
    if options.wants(Figure::G1) {
        measured.cost = cost::measure(programs, options).context("measure G1")?;
    }
    if options.wants(Figure::G2) {
        measured.latency = latency::measure(programs, options).context("measure G2")?;
    }
    if options.wants(Figure::G3) {
        measured.global = Some(global::measure(programs, options).context("measure G3")?);
    }
    if options.wants(Figure::G4) {
        measured.fairness = Some(fairness::measure(programs, options).context("measure G4")?);
    }
    Ok(())
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cost, latency, global, fairness } = self;
        if !cost.is_empty() {
            write_cost(f, cost)?;
        }
        if !latency.is_empty() {
            write_latency(f, latency)?;
        }
        if let Some(global) = global {
            write_global(f, global)?;
        }
        match fairness {
            Some(fairness) => write_fairness(f, fairness),
            None => Ok(()),
        }
    }
}

fn write_cost(f: &mut fmt::Formatter<'_>, rows: &[cost::Measured]) -> fmt::Result {
    writeln!(f, "\nG1: CPU of the gate's process for a call, as fast as calls are answered")?;
    writeln!(f, "   in the limiter: by the wall, on average, and how many were there for more than a millisecond\n")?;
    writeln!(
        f,
        "| call | connections | gate us | forwarder us | ratio | in the limiter us | over 1 ms | gate/s | forwarder/s | direct/s |"
    )?;
    writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
    for row in rows {
        let kind = match row.kind {
            Kind::Get => "GET",
            Kind::Post => "POST of 2 kB",
        };
        writeln!(
            f,
            "| {kind} | {} | {} | {} | {:.2} | {:.1} | {:.2} % | {:.0} | {:.0} | {:.0} |",
            row.connections,
            spread(&row.gate_us),
            spread(&row.forwarder_us),
            median(&each(&row.gate_us, &row.forwarder_us, |ours, theirs| ours / theirs)),
            median(&row.limiter_us),
            100.0 * median(&row.waited),
            median(&row.gate_per_second),
            median(&row.forwarder_per_second),
            median(&row.direct_per_second),
        )?;
    }
    Ok(())
}

fn write_latency(f: &mut fmt::Formatter<'_>, rows: &[latency::Measured]) -> fmt::Result {
    writeln!(f, "\nG2: microseconds of a call at a steady rate without limits; added is to the direct way\n")?;
    writeln!(f, "| rate | way | p50 | p99 | max | added p50 | added p99 | CPU us |")?;
    writeln!(f, "|---|---|---|---|---|---|---|---|")?;
    for row in rows {
        let ways = [
            ("gate", &row.gate, Some(&row.gate_us)),
            ("forwarder", &row.forwarder, Some(&row.forwarder_us)),
            ("direct", &row.direct, None),
        ];
        for (name, way, cpu) in ways {
            let (rate, Took { p50, p99, max, .. }) = (row.rate, way);
            write!(f, "| {rate}/s | {name} | {:.0} | {:.0} | {:.0} |", median(p50), median(p99), median(max))?;
            let Some(cpu) = cpu else {
                writeln!(f, " | | |")?;
                continue;
            };
            let added = |with: &[f64], without: &[f64]| spread(&each(with, without, |with, without| with - without));
            let (middle, high) = (added(p50, &row.direct.p50), added(p99, &row.direct.p99));
            writeln!(f, " {middle} | {high} | {:.1} |", median(cpu))?;
        }
    }
    Ok(())
}

fn write_global(f: &mut fmt::Formatter<'_>, measured: &global::Measured) -> fmt::Result {
    let global::Measured { processes, limit, seconds, used, most, passed, refused } = measured;
    writeln!(f, "\nG3: {processes} processes as one bot, {limit} calls a second; each line a round of {seconds} s\n")?;
    writeln!(f, "| used | most in a second | calls of a process | answered 429 |")?;
    writeln!(f, "|---|---|---|---|")?;
    for (((used, most), [fewest, highest]), refused) in used.iter().zip(most).zip(passed).zip(refused) {
        writeln!(f, "| {:.1} % | {most} | {fewest}-{highest} | {refused} |", 100.0 * used)?;
    }
    Ok(())
}

fn write_fairness(f: &mut fmt::Formatter<'_>, measured: &fairness::Measured) -> fmt::Result {
    let fairness::Measured { flood, limit, alone, beside, resident_mb } = measured;
    writeln!(f, "\nG4: a guild that calls once a second, at {limit} calls a second of the bot; in milliseconds\n")?;
    writeln!(f, "| beside | calls | p50 | max | gate MB |")?;
    writeln!(f, "|---|---|---|---|---|")?;
    writeln!(f, "| nothing | {} | {:.1} | {:.1} | |", alone.calls, alone.p50 / 1e3, alone.max / 1e3)?;
    let fairness::Waits { calls, p50, max } = beside;
    writeln!(f, "| another's {flood} | {calls} | {:.1} | {:.1} | {resident_mb:.1} |", p50 / 1e3, max / 1e3)
}

/// Round by round.
fn each(ours: &[f64], theirs: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| of(*ours, *theirs)).collect()
}
