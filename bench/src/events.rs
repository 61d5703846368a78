//! B1: CPU of the process for each event, from the socket to the acknowledged position.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{
    Options,
    kafka::Kafka,
    load::Load,
    names::Names,
    program::{Program, Programs, Servers, free_address, wait_for},
    redis::Redis,
    report::{Report, median},
};

/// The rows: events a second (0: as fast as they are taken), bytes of a message, shards, events of a round.
const ROWS: [Row; 7] = [
    Row { rate: 0, bytes: 400, shards: 1, events: 200_000 },
    Row { rate: 0, bytes: 1_500, shards: 1, events: 200_000 },
    Row { rate: 0, bytes: 1_500, shards: 16, events: 200_000 },
    Row { rate: 10_000, bytes: 400, shards: 1, events: 200_000 },
    Row { rate: 10_000, bytes: 1_500, shards: 1, events: 200_000 },
    Row { rate: 2_000, bytes: 1_500, shards: 1, events: 40_000 },
    Row { rate: 2_000, bytes: 1_500, shards: 16, events: 40_000 },
];
/// Sent before the first round: connections, caches and queues have their size then.
const WARM_UP: u64 = 20_000;

/// What is measured.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Row {
    pub(crate) rate: u64,
    pub(crate) bytes: u64,
    pub(crate) shards: u32,
    /// Of each round.
    pub(crate) events: u64,
}

/// The medians of a row.
#[derive(Serialize)]
pub(crate) struct Measured {
    #[serde(flatten)]
    pub(crate) row: Row,
    /// CPU microseconds of the sharder for an event, of each round.
    pub(crate) sharder_us: Vec<f64>,
    /// The same of the reference.
    pub(crate) reference_us: Vec<f64>,
    /// Events a second by the wall, of the sharder's rounds.
    pub(crate) per_second: Vec<f64>,
    /// Bytes of an event on the way to the sharder, compressed.
    pub(crate) wire_bytes: f64,
}

pub(crate) fn measure(programs: &Programs, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rounds = if options.quick { 2 } else { options.rounds };
    for row in ROWS {
        let row = Row { events: if options.quick { row.events / 10 } else { row.events }, ..row };
        let mut sharder = Forwarder::sharder(programs, row.shards)?;
        let mut reference = Forwarder::reference(programs, row.shards)?;
        let mut measured =
            Measured { row, sharder_us: Vec::new(), reference_us: Vec::new(), per_second: Vec::new(), wire_bytes: 0.0 };
        for forwarder in [&mut sharder, &mut reference] {
            forwarder.round(Row { rate: 0, events: WARM_UP.min(row.events), ..row })?;
        }
        for number in 0..rounds {
            // Side by side, and neither always first: what disturbs the machine disturbs both.
            let (ours, theirs) = if number % 2 == 0 {
                let ours = sharder.round(row)?;
                (ours, reference.round(row)?)
            } else {
                let theirs = reference.round(row)?;
                (sharder.round(row)?, theirs)
            };
            measured.sharder_us.push(ours.cpu_us(row.events));
            measured.reference_us.push(theirs.cpu_us(row.events));
            measured.per_second.push(count(row.events) / ours.wall.as_secs_f64());
        }
        let sent = sharder.load.sent()?;
        measured.wire_bytes = count(sent.wire_bytes) / count(sent.dispatched);
        sharder.remove_topics()?;
        reference.remove_topics()?;
        eprintln!(
            "B1 {} B at {}/s on {} shards: {:.1} us, reference {:.1} us",
            row.bytes,
            row.rate,
            row.shards,
            median(&measured.sharder_us),
            median(&measured.reference_us)
        );
        report.events.push(measured);
    }
    Ok(())
}

struct Round {
    cpu: Duration,
    wall: Duration,
}

impl Round {
    fn cpu_us(&self, events: u64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(events)
    }
}

/// A measured program with a Discord of its own.
pub(crate) struct Forwarder {
    pub(crate) load: Load,
    pub(crate) program: Program,
    kafka: Kafka,
    topics: Vec<String>,
    /// Of the sharder: where its position is looked up.
    redis: Option<(Redis, u64)>,
    shards: u32,
}

impl Forwarder {
    /// The sharder, connected and with nothing on its way.
    pub(crate) fn sharder(programs: &Programs, shards: u32) -> anyhow::Result<Self> {
        Self::sharder_with(programs, shards, Load::start(programs)?, &Names::new())
    }

    /// The same on a Discord that is prepared already, and under these names.
    pub(crate) fn sharder_with(programs: &Programs, shards: u32, load: Load, names: &Names) -> anyhow::Result<Self> {
        let servers = Servers::named()?;
        let mut command = programs.command("public")?;
        names.give(&servers, &mut command);
        command
            .env("DISCORD_TOKEN", "bench")
            .env("GLOBAL_RESOLVER_URL", load.api_url())
            .env("SHARDER_CLUSTER_SIZE", shards.to_string())
            .env("METRICS_ADDR", free_address()?);
        let redis = Some((Redis::connect(&servers.redis)?, names.bot));
        let kafka = Kafka::connect(&servers.kafka)?;
        let program = Program::start(command)?;
        let mut forwarder = Self { load, program, kafka, topics: names.topics(), redis, shards };
        forwarder.settle()?;
        Ok(forwarder)
    }

    fn reference(programs: &Programs, shards: u32) -> anyhow::Result<Self> {
        let servers = Servers::named()?;
        let (load, kafka) = (Load::start(programs)?, Kafka::connect(&servers.kafka)?);
        let topic = format!("bench-reference-{}", rand::random::<u64>());
        kafka.create(&topic)?;
        let mut command = programs.command("bench")?;
        command
            .arg("reference")
            .env("GATEWAY_URL", load.gateway_url())
            .env("KAFKA_BROKERS", &servers.kafka)
            .env("KAFKA_TOPIC", &topic)
            .env("SHARDER_CLUSTER_SIZE", shards.to_string());
        let program = Program::start(command)?;
        let mut forwarder = Self { load, program, kafka, topics: vec![topic], redis: None, shards };
        forwarder.settle()?;
        Ok(forwarder)
    }

    fn round(&mut self, row: Row) -> anyhow::Result<Round> {
        let (begin, before) = (Instant::now(), self.program.cpu()?);
        self.load.send(row.events, row.rate, row.bytes)?;
        self.settle()?;
        Ok(Round { wall: begin.elapsed(), cpu: self.program.cpu()?.saturating_sub(before) })
    }

    /// Waits until all shards are connected and every dispatch has arrived: with the reference in Kafka, with the sharder
    /// in the position that it would resume from.
    ///
    /// Asked from the servers, so that it costs the measured process nothing.
    pub(crate) fn settle(&mut self) -> anyhow::Result<()> {
        let Self { load, program, kafka, topics, redis, shards } = self;
        wait_for("every event to arrive", program, || {
            let sent = load.sent()?;
            let arrived = match redis {
                Some((redis, bot)) => redis.sequences(*bot, *shards)?,
                None => kafka.records(&topics[0])?,
            };
            Ok(sent.connected == *shards && arrived >= sent.dispatched)
        })
    }

    pub(crate) fn remove_topics(&self) -> anyhow::Result<()> {
        let dead: Vec<_> = self.topics.iter().map(|topic| format!("{topic}-dead")).collect();
        let all: Vec<_> = self.topics.iter().chain(&dead).map(String::as_str).collect();
        self.kafka.delete(&all)
    }
}

/// Counts of a run are far below 2^52.
pub(crate) fn count(number: u64) -> f64 {
    number as f64
}
