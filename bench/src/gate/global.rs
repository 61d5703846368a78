//! G3: whether several processes together use what a bot may send in a second, and never more.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use serde::Serialize;

use super::{caller::Answered, processes::Server};
use crate::{
    Options,
    events::count,
    program::{Program, Programs},
};

/// What the bot may send in a second.
pub(super) const LIMIT: u32 = 50;
/// Processes that call through one gate.
const PROCESSES: u64 = 4;
/// Connections of each, and calls that wait at any time.
const CONNECTIONS: u64 = 16;
const SECONDS: u64 = 20;

/// The rounds.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) processes: u64,
    pub(super) limit: u32,
    pub(super) seconds: u64,
    /// Share of the limit that arrived, of each round.
    pub(super) used: Vec<f64>,
    /// The most requests that arrived within a second, wherever it begins.
    pub(super) most: Vec<usize>,
    /// The fewest and the most calls that a process got through.
    pub(super) passed: Vec<[u64; 2]>,
    /// Calls that were answered 429.
    pub(super) refused: Vec<u64>,
}

pub(super) fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Measured> {
    let (rounds, seconds) = if options.quick { (1, 6) } else { (options.rounds, SECONDS) };
    let (used, most, passed, refused) = Default::default();
    let mut measured = Measured { processes: PROCESSES, limit: LIMIT, seconds, used, most, passed, refused };
    for _ in 0..rounds {
        // Of its own: nothing of a round before counts still.
        let upstream = Server::upstream(programs)?;
        let gate = Server::gate(programs, &upstream, LIMIT)?;
        let mut callers = Vec::new();
        for number in 0..PROCESSES {
            let mut command = programs.command("bench")?;
            command.arg("caller").args(["--address", &gate.address]).stdout(Stdio::piped());
            command.args(["--connections", &CONNECTIONS.to_string(), "--seconds", &seconds.to_string()]);
            command.args(["--channel", &(number * CONNECTIONS).to_string()]);
            callers.push(Program::start(command)?);
        }
        let mut all = Vec::new();
        for caller in callers {
            all.push(serde_json::from_str::<Answered>(&caller.output()?).context("read what a caller tells")?);
        }
        let arrivals = upstream.arrivals()?;
        let passed = || all.iter().map(|answered| answered.passed);
        measured.passed.push([passed().min().unwrap_or(0), passed().max().unwrap_or(0)]);
        measured.refused.push(all.iter().map(|answered| answered.refused).sum());
        let (used, most) = (used_share(&arrivals, LIMIT)?, most_within(&arrivals, Duration::from_secs(1)));
        eprintln!("G3 {:.1} % of the limit used, {most} a second at most", 100.0 * used);
        measured.used.push(used);
        measured.most.push(most);
    }
    Ok(measured)
}

/// How much of the limit arrived. It is counted from one arrival to the one that is a multiple of the limit later, so that
/// where a burst begins or ends makes no difference.
fn used_share(arrivals: &[Duration], limit: u32) -> anyhow::Result<f64> {
    let limit = usize::try_from(limit)?;
    let bursts = arrivals.len().saturating_sub(1) / limit;
    ensure!(bursts > 0, "only {} requests arrived", arrivals.len());
    let took = arrivals[bursts * limit].saturating_sub(arrivals[0]);
    Ok(count(u64::try_from(bursts)?) / took.as_secs_f64())
}

/// The most within any period of that length; the end of it does not belong to it.
fn most_within(arrivals: &[Duration], period: Duration) -> usize {
    let from = |first: usize| arrivals[first..].partition_point(|arrival| *arrival < arrivals[first] + period);
    (0..arrivals.len()).map(from).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_most_is_found_wherever_its_second_begins() {
        let arrivals: Vec<_> = [0, 900, 1_000, 1_100, 1_899, 1_900].map(Duration::from_millis).into();
        assert_eq!(most_within(&arrivals, SECOND), 4);
        assert_eq!(most_within(&arrivals[..1], SECOND), 1);
        assert_eq!(most_within(&[], SECOND), 0);
    }

    #[test]
    fn bursts_and_even_streams_of_the_same_rate_use_the_same() {
        let bursts: Vec<_> = (0..1_000).map(|number| number / 50 * SECOND).collect();
        let even: Vec<_> = (0..1_000).map(|number| number * SECOND / 50).collect();
        for arrivals in [bursts, even] {
            assert!((used_share(&arrivals, 50).unwrap() - 1.0).abs() < 1e-9);
        }
        assert!(used_share(&[SECOND], 50).is_err());
    }
}
