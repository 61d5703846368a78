use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Dose;
use crate::check::Violation;

/// What came of a fault.
#[derive(Debug)]
pub struct Report {
    /// Which fault.
    pub fault: &'static str,
    /// How much of it.
    pub dose: Dose,
    /// The seed of the first run; each next one has the next.
    pub seed: u64,
    /// Worlds that were made for it.
    pub runs: u64,
    /// How often the fault struck.
    pub strikes: u64,
    /// Dispatches of Discord in all runs.
    pub events: u64,
    /// Acts of people a second, where the load ran by itself.
    pub rate: f64,
    /// What must hold and did not.
    pub violations: Vec<Violation>,
    /// From the end of each strike until all that Discord had dispatched by then was acknowledged.
    pub recovery: Vec<Duration>,
    /// What else is worth knowing, by name.
    pub notes: Vec<(&'static str, u64)>,
    began: Instant,
    took: Duration,
}

impl Report {
    pub(super) fn new(dose: Dose, seed: u64) -> Self {
        Self {
            fault: "",
            dose,
            seed,
            runs: 0,
            strikes: 0,
            events: 0,
            rate: 0.0,
            violations: Vec::new(),
            recovery: Vec::new(),
            notes: Vec::new(),
            began: Instant::now(),
            took: Duration::ZERO,
        }
    }

    pub(super) fn of(self, fault: &'static str) -> Self {
        let took = self.began.elapsed();
        Self { fault, took, ..self }
    }

    /// Adds to the number of this name.
    pub(super) fn note(&mut self, name: &'static str, more: u64) {
        match self.notes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, number)) => *number += more,
            None => self.notes.push((name, more)),
        }
    }

    /// The recovery that so many of a hundred strikes were not above; `None` without any.
    #[must_use]
    pub fn percentile(&self, of_a_hundred: usize) -> Option<Duration> {
        let mut sorted = self.recovery.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * of_a_hundred).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis());
        json!({
            "fault": self.fault, "dose": self.dose.as_str(), "seed": self.seed, "runs": self.runs, "strikes": self.strikes,
            "events": self.events, "acts_per_second": self.rate.round(), "seconds": self.took.as_secs_f64().round(),
            "recovery_p50_ms": millis(self.percentile(50)), "recovery_p99_ms": millis(self.percentile(99)),
            "notes": self.notes.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect::<serde_json::Map<_, _>>(),
            "violations": self.violations.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// For people: a row for each report, then every violation.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut text = String::from(
        "| fault | dose | seeds | runs | strikes | events | acts/s | violations | recovery p50 | p99 | took |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let seconds =
        |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
    for report in reports {
        let Report { fault, dose, seed, runs, strikes, events, rate, violations, .. } = report;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {fault} | {} | {seed}-{} | {runs} | {strikes} | {events} | {rate:.0} | {} | {} | {} | {} s |",
            dose.as_str(),
            seed + runs.saturating_sub(1),
            violations.len(),
            seconds(report.percentile(50)),
            seconds(report.percentile(99)),
            report.took.as_secs(),
        );
    }
    for report in reports {
        for violation in report.violations.iter().take(20) {
            let _ = writeln!(text, "{}: {violation}", report.fault);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut report = Report::new(Dose::Small, 1);
        assert_eq!(report.percentile(50), None);
        report.recovery = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(report.percentile(50), Some(Duration::from_millis(100)));
        assert_eq!(report.percentile(99), Some(Duration::from_millis(198)));
        report.recovery.truncate(1);
        assert_eq!(report.percentile(50), report.percentile(99));
    }
}
