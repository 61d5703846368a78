//! The figures, for people and as JSON.

use std::{fmt, fs, io, path::Path, time::SystemTime};

use serde::Serialize;

use crate::{cache, events, gate, memory};

/// All that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Seconds since 1970.
    at: u64,
    machine: Machine,
    #[serde(rename = "b1")]
    pub(crate) events: Vec<events::Measured>,
    #[serde(rename = "b2")]
    pub(crate) memory: Vec<memory::Measured>,
    #[serde(flatten)]
    pub(crate) cache: cache::Measured,
    #[serde(flatten)]
    pub(crate) gate: gate::Measured,
}

#[derive(Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// Processes that wanted to run, over the minute before: more than a few mean that somebody else was at work.
    load_before: String,
}

impl Report {
    pub(crate) fn begin() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            at: since.as_secs(),
            machine: Machine {
                processor: model.map_or("unknown", |(_, name)| name).to_owned(),
                cores: std::thread::available_parallelism().map_or(1, usize::from),
                kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
                load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            },
            events: Vec::new(),
            memory: Vec::new(),
            cache: cache::Measured::default(),
            gate: gate::Measured::default(),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, kernel, load_before } = &self.machine;
        writeln!(f, "{cores} cores of {processor}, Linux {kernel}, load before {load_before}")?;
        if !self.events.is_empty() {
            writeln!(f, "\nB1: CPU of the process for an event, from the socket to the acknowledged position")?;
            writeln!(f, "   median of the rounds, least to most in brackets; events/s is wall time\n")?;
            writeln!(f, "| bytes | shards | rate | sharder us | reference us | ratio | events/s |")?;
            writeln!(f, "|---|---|---|---|---|---|---|")?;
        }
        for measured in &self.events {
            let events::Row { rate, bytes, shards, .. } = measured.row;
            let rate = if rate == 0 { "flat out".to_owned() } else { format!("{rate}/s") };
            let ratios: Vec<_> =
                measured.sharder_us.iter().zip(&measured.reference_us).map(|(ours, theirs)| ours / theirs).collect();
            writeln!(
                f,
                "| {bytes} | {shards} | {rate} | {} | {} | {:.2} | {:.0} |",
                spread(&measured.sharder_us),
                spread(&measured.reference_us),
                median(&ratios),
                median(&measured.per_second),
            )?;
        }
        if !self.memory.is_empty() {
            writeln!(f, "\nB2: resident memory (MB of 10^6 bytes) after the guilds and ten seconds of rest\n")?;
            writeln!(f, "| shards x guilds | resident | of it own | of it files | peak | CPU s | seconds |")?;
            writeln!(f, "|---|---|---|---|---|---|---|")?;
        }
        for measured in &self.memory {
            let memory = &measured.memory;
            writeln!(
                f,
                "| {} x {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
                measured.shards,
                measured.guilds_per_shard,
                memory.resident_mb,
                memory.own_mb,
                memory.files_mb,
                memory.peak_mb,
                measured.cpu_seconds,
                measured.seconds,
            )?;
        }
        self.cache.fmt(f)?;
        self.gate.fmt(f)
    }
}

/// The median, and the least and the most.
pub(crate) fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.1} ({least:.1}-{most:.1})", median(values))
}

/// The middle one, or between the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => sorted[middle],
        (_, middle) => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 100.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }
}
