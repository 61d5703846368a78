//! A producer against a broker that answers writes by errors.
//!
//! The broker is librdkafka's mock, which looks at no sequence numbers ([`Broker::answer_writes`]); so its worlds have a
//! producer and a topic, and no people. What a producer does that dies of an answer, the sharder's own tests show.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use event_stream::{
    Acked, GatewayEvents, KafkaConfig, Message, Producer, Profile,
    embedded::{Answer, Broker},
    testing,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{Dose, Report};
use crate::check::{Rule, Violation};

const RECORDS: u64 = 10_000;
const GUILDS: u64 = 50;
/// So many that fifty guilds are easily found that share none.
const PARTITIONS: i32 = 128;

/// One of the runs: which answers a broker gives beside that it wrote.
struct Mix {
    name: &'static str,
    answers: &'static [Answer],
}

const MIXES: [Mix; 4] = [
    Mix { name: "not leader", answers: &[Answer::NotLeader] },
    Mix { name: "timed out", answers: &[Answer::TimedOut] },
    Mix { name: "duplicate", answers: &[Answer::Duplicate] },
    Mix { name: "all of them", answers: &[Answer::NotLeader, Answer::TimedOut, Answer::Duplicate] },
];

/// Guild and sequence of an event.
type Name = (u64, u64);
/// Partition and offset of a record.
type Place = (i32, i64);

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    for seed in (seed..).take(dose.choose(1, 10)) {
        for mix in &MIXES {
            let ended = [one_at_a_time(seed, mix, &mut report).await, many_at_once(seed, mix, &mut report).await];
            report.violations.extend(
                ended
                    .into_iter()
                    .filter_map(Result::err)
                    .map(|(rule, text)| Violation { rule, text: format!("{}, seed {seed}: {text}", mix.name) }),
            );
        }
        report.runs += 1;
    }
    report
}

type Outcome<T = ()> = Result<T, (Rule, String)>;

/// With one batch of a partition under way each record is there once, but for those that the broker claimed to have.
async fn one_at_a_time(seed: u64, mix: &Mix, report: &mut Report) -> Outcome {
    let mut chance = StdRng::seed_from_u64(seed);
    let world = World::new(PARTITIONS).await?;
    let guilds = world.guilds_apart().await?;
    let (mut acked, mut claimed) = (Vec::new(), 0);
    for wave in 1..=RECORDS / GUILDS {
        let since = Instant::now();
        // Each tenth wave meets errors; so few that no retry of it is behind the next wave's.
        let struck = chance.random_range(0..10) == 0;
        if struck {
            let mut answers: Vec<_> = guilds.iter().map(|_| mix.answer(4, &mut chance)).collect();
            answers.shuffle(&mut chance);
            claimed += answers.iter().filter(|answer| **answer == Answer::Duplicate).count();
            world.answer(&answers, report)?;
        }
        let names: Vec<_> = guilds.iter().map(|guild| (*guild, wave)).collect();
        acked.extend(world.send(&names, report).await?);
        if struck {
            report.recovery.push(since.elapsed());
        }
    }
    let mut written = world.written().await?;
    written.retain(|_, (_, sequence)| *sequence > 0);
    let missing = check(&acked, &written)?;
    if missing != claimed {
        return Err((Rule::Kept, format!("{missing} are missing, of which the broker claimed to have {claimed}")));
    }
    Ok(())
}

/// With many batches under way no record is lost or out of order.
async fn many_at_once(seed: u64, mix: &Mix, report: &mut Report) -> Outcome {
    let mut chance = StdRng::seed_from_u64(seed);
    let world = World::new(4).await?;
    let names: Vec<Name> = (0..RECORDS).map(|n| (1_000 + n % GUILDS, 1 + n)).collect();
    let mut acked = Vec::new();
    for part in names.chunks(500) {
        let since = Instant::now();
        let answers: Vec<_> = (0..8).map(|_| mix.answer(3, &mut chance)).collect();
        world.answer(&answers, report)?;
        acked.extend(world.send(part, report).await?);
        report.recovery.push(since.elapsed());
    }
    let written = world.written().await?;
    if !mix.answers.contains(&Answer::Duplicate) {
        return check(&acked, &written).map(drop);
    }
    // librdkafka counts the places of such a batch up from -1: they say nothing.
    in_order(&written)?;
    let sent: BTreeSet<_> = names.iter().collect();
    if let Some(foreign) = written.values().find(|name| !sent.contains(name)) {
        return Err((Rule::Genuine, format!("{foreign:?} is in the topic, and nobody sent it")));
    }
    if written.len() <= names.len() / 4 {
        return Err((Rule::Kept, format!("only {} of {} are there", written.len(), names.len())));
    }
    Ok(())
}

impl Mix {
    /// One of its answers in so many, else that it wrote.
    fn answer(&self, of: u32, chance: &mut StdRng) -> Answer {
        match chance.random_range(0..of) {
            0 => self.answers[chance.random_range(0..self.answers.len())],
            _ => Answer::Written,
        }
    }
}

struct World {
    broker: Broker,
    config: KafkaConfig,
    producer: Producer,
}

impl World {
    async fn new(partitions: i32) -> Outcome<Self> {
        let broker = tokio::task::spawn_blocking(Broker::start).await.map_err(broken)?.map_err(broken)?;
        let config = KafkaConfig {
            events_topic: "events".to_owned(),
            interactions_topic: "interactions".to_owned(),
            cache_topic: "changes".to_owned(),
            partitions,
            ..broker.config()
        };
        broker.create_topics(&config).map_err(broken)?;
        let producer = Producer::connect(&config, "test", Profile::Bulk).await.map_err(broken)?;
        Ok(Self { broker, config, producer })
    }

    fn answer(&self, answers: &[Answer], report: &mut Report) -> Outcome {
        report.strikes += answers.iter().filter(|answer| **answer != Answer::Written).count() as u64;
        self.broker.answer_writes(answers).map_err(broken)
    }

    /// Sends the events at once, and waits until each is acknowledged.
    async fn send(&self, names: &[Name], report: &mut Report) -> Outcome<Vec<(Name, Acked)>> {
        report.events += names.len() as u64;
        let under_way: Result<Vec<_>, _> = names
            .iter()
            .map(|name| {
                let event = testing::event(name.0, name.1);
                self.producer.enqueue::<GatewayEvents>(&event).map(|delivery| (*name, delivery))
            })
            .collect();
        let mut acked = Vec::with_capacity(names.len());
        for (name, delivery) in under_way.map_err(broken)? {
            let one = tokio::time::timeout(super::scene::PATIENCE, delivery).await;
            let one = one.map_err(|_| (Rule::Kept, format!("{name:?} is not acknowledged")))?;
            acked.push((name, one.map_err(|error| (Rule::Kept, format!("{name:?}: {error}")))?));
        }
        Ok(acked)
    }

    /// Guilds whose records share no partition.
    async fn guilds_apart(&self) -> Outcome<Vec<u64>> {
        let candidates: Vec<_> = (1_000..1_200).map(|guild| (guild, 0)).collect();
        let mut by_partition = BTreeMap::new();
        let mut nowhere = Report::new(Dose::Small, 0);
        for ((guild, _), acked) in self.send(&candidates, &mut nowhere).await? {
            by_partition.insert(acked.partition, guild);
        }
        let guilds: Vec<_> = by_partition.into_values().take(usize::try_from(GUILDS).unwrap_or(usize::MAX)).collect();
        if guilds.len() as u64 == GUILDS { Ok(guilds) } else { Err(broken("too few guilds are apart")) }
    }

    /// What the topic holds.
    async fn written(&self) -> Outcome<HashMap<Place, Name>> {
        let raw = testing::read_raw(&self.config, &self.config.events_topic).await.map_err(broken)?;
        let read = |message: &Message| {
            let guild = message.headers.parse("guild").map_err(broken)?;
            Ok(((message.partition, message.offset), (guild, message.headers.parse("sequence").map_err(broken)?)))
        };
        raw.iter().map(read).collect()
    }
}

/// Holds what was acknowledged against the topic. Gives how many are missing, which only those may be of which the broker
/// said that it has them, without a place.
fn check(acked: &[(Name, Acked)], written: &HashMap<Place, Name>) -> Outcome<usize> {
    for (name, acked) in acked.iter().filter(|(_, acked)| acked.offset >= 0) {
        if written.get(&(acked.partition, acked.offset)) != Some(name) {
            return Err((Rule::Kept, format!("{name:?} is not where it was written, {acked:?}")));
        }
    }
    in_order(written)?;
    let there: BTreeSet<_> = written.values().collect();
    let missing: Vec<_> = acked.iter().filter(|(name, _)| !there.contains(name)).collect();
    if let Some((name, _)) = missing.iter().find(|(_, acked)| acked.offset >= 0) {
        return Err((Rule::Kept, format!("{name:?} is lost")));
    }
    if there.len() + missing.len() != acked.len() {
        return Err((Rule::Genuine, "the topic holds what nobody sent".to_owned()));
    }
    Ok(missing.len())
}

/// The records of a guild are in their order, none of them twice.
fn in_order(written: &HashMap<Place, Name>) -> Outcome {
    let mut places: Vec<_> = written.iter().collect();
    places.sort_unstable();
    let mut last: HashMap<u64, u64> = HashMap::new();
    for (place, (guild, sequence)) in places {
        let before = last.insert(*guild, *sequence);
        if before >= Some(*sequence) {
            return Err((Rule::Ordered, format!("{sequence} of guild {guild} is at {place:?}, behind {before:?}")));
        }
    }
    Ok(())
}

/// The test itself failed.
fn broken(error: impl ToString) -> (Rule, String) {
    (Rule::Clean, error.to_string())
}
