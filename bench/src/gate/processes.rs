//! The processes of this part: the gate, the reference beside it, and the upstream behind both.

use std::{net::TcpStream, time::Duration};

use anyhow::Context;
use serde_json::Value;

use super::upstream::ARRIVALS;
use crate::{
    http::ask,
    program::{Program, Programs, free_address, wait_for},
};

/// The most that `GLOBAL_RATE_LIMIT` may be.
pub(super) const HIGHEST_LIMIT: u32 = 10_000;

/// A process that answers calls.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) program: Program,
}

impl Server {
    /// What stands behind the gate.
    pub(super) fn upstream(programs: &Programs) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = programs.command("bench")?;
        command.args(["upstream", "--listen", &address]);
        Self::start(address, Program::start(command)?)
    }

    /// The gate, with so many calls of a bot in a second.
    pub(super) fn gate(programs: &Programs, upstream: &Server, limit: u32) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = programs.command("global-resolver")?;
        command
            .env("SERVER_ADDR", &address)
            .env("DISCORD_API_URL", format!("http://{}/api/v10", upstream.address))
            .env("GLOBAL_RATE_LIMIT", limit.to_string());
        let mut gate = Self::start(address, Program::start(command)?)?;
        wait_for("the gate to be ready", &mut gate.program, || {
            Ok(ask(&gate.address, "GET", "/readyz", &Value::Null).is_ok())
        })?;
        Ok(gate)
    }

    /// The reference.
    pub(super) fn forwarder(programs: &Programs, upstream: &Server) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = programs.command("bench")?;
        command.args(["forwarder", "--listen", &address, "--upstream", &upstream.address]);
        Self::start(address, Program::start(command)?)
    }

    fn start(address: String, mut program: Program) -> anyhow::Result<Self> {
        wait_for("a server to listen", &mut program, || Ok(TcpStream::connect(&address).is_ok()))?;
        Ok(Self { address, program })
    }

    /// When requests arrived at the upstream since it was asked last, by its own clock, the earliest first.
    pub(super) fn arrivals(&self) -> anyhow::Result<Vec<Duration>> {
        let told: Vec<u64> = serde_json::from_str(&ask(&self.address, "GET", ARRIVALS, &Value::Null)?)?;
        Ok(told.into_iter().map(Duration::from_micros).collect())
    }

    /// What the gate has counted.
    pub(super) fn counts(&self) -> anyhow::Result<Counts> {
        Counts::read(&ask(&self.address, "GET", "/metrics", &Value::Null)?)
    }
}

/// Of the gate's metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counts {
    /// Calls that were let go.
    pub(super) passed: f64,
    /// Of them, those that the limiter had for more than a millisecond.
    pub(super) waited: f64,
    /// Seconds that calls were in the limiter.
    pub(super) seconds: f64,
    /// Calls that wait now.
    pub(super) queue: f64,
}

impl Counts {
    fn read(metrics: &str) -> anyhow::Result<Self> {
        let value = |wanted: &str, label: &str| {
            let of = |line: &str| {
                let (name, value) = line.rsplit_once(' ')?;
                let named = name.split('{').next() == Some(wanted) && name.contains(label);
                named.then(|| value.parse::<f64>().ok()).flatten()
            };
            metrics.lines().find_map(of).with_context(|| format!("the gate counts no {wanted}"))
        };
        let passed = value("resolver_wait_seconds_count", "")?;
        let soon = value("resolver_wait_seconds_bucket", r#"le="0.001""#)?;
        let (seconds, queue) = (value("resolver_wait_seconds_sum", "")?, value("resolver_queue", "")?);
        Ok(Self { passed, waited: passed - soon, seconds, queue })
    }

    /// What was counted since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            passed: self.passed - before.passed,
            waited: self.waited - before.waited,
            seconds: self.seconds - before.seconds,
            queue: self.queue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_among_the_metrics() {
        let metrics = r#"# TYPE resolver_queue gauge
resolver_queue{service="global-resolver"} 3
resolver_wait_seconds_bucket{service="global-resolver",le="0.001"} 90
resolver_wait_seconds_bucket{service="global-resolver",le="0.005"} 95
resolver_wait_seconds_sum{service="global-resolver"} 0.5
resolver_wait_seconds_count{service="global-resolver"} 100
"#;
        let counts = Counts::read(metrics).unwrap();
        assert_eq!(counts, Counts { passed: 100.0, waited: 10.0, seconds: 0.5, queue: 3.0 });
        assert!(Counts::read("").is_err());
    }
}
