//! A producer against a broker that answers writes by errors, in an order that a seed decides.
//!
//! The broker is librdkafka's mock, which looks at no sequence numbers: see [`Broker::answer_writes`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use event_stream::{
    Acked, GatewayEvents, KafkaConfig, Producer, Profile,
    embedded::{Answer, Broker},
    testing,
};
use twilight_model::id::Id;

use crate::{
    seeded::{Seeded, seeds},
    support::{event, within},
};

const RECORDS: u64 = 10_000;
const KEYS: usize = 50;
/// So many that fifty keys are easily found that share none.
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

struct World {
    broker: Broker,
    config: KafkaConfig,
    producer: Producer,
}

impl World {
    async fn new(partitions: i32) -> World {
        let broker = tokio::task::spawn_blocking(Broker::start).await.unwrap().unwrap();
        let config = KafkaConfig {
            events_topic: "events".to_owned(),
            interactions_topic: "interactions".to_owned(),
            partitions,
            ..broker.config()
        };
        broker.create_topics(&config).unwrap();
        let producer = Producer::connect(&config, "test", Profile::Bulk).await.unwrap();
        World { broker, config, producer }
    }

    /// Sends the events at once, and waits until each is acknowledged.
    async fn send(&self, ids: &[(u64, u64)]) -> Vec<((u64, u64), Acked)> {
        let under_way: Vec<_> =
            ids.iter().map(|id| (*id, self.producer.enqueue::<GatewayEvents>(&event(id.0, id.1)).unwrap())).collect();
        let mut acked = Vec::with_capacity(ids.len());
        for (id, delivery) in under_way {
            acked.push((id, within(delivery).await.unwrap()));
        }
        acked
    }

    /// Guilds whose records share no partition.
    async fn guilds_apart(&self) -> Vec<u64> {
        let candidates: Vec<_> = (1_000..1_200).map(|guild| (guild, 0)).collect();
        let mut by_partition = BTreeMap::new();
        for ((guild, _), acked) in self.send(&candidates).await {
            by_partition.insert(acked.partition, guild);
        }
        by_partition.into_values().take(KEYS).collect()
    }

    /// What the topic holds, by the place of each record.
    async fn written(&self) -> HashMap<(i32, i64), (u64, u64)> {
        let raw = testing::read_raw(&self.config, &self.config.events_topic).await.unwrap();
        let read = |message: &event_stream::Message| {
            let guild: Id<twilight_model::id::marker::GuildMarker> = message.headers.parse("guild").unwrap();
            ((message.partition, message.offset), (guild.get(), message.headers.parse("sequence").unwrap()))
        };
        raw.iter().map(read).collect()
    }
}

/// What acknowledged records and the topic have to do with each other, whatever a broker answered. Gives how many are
/// missing, which only those may be of which the broker said that it has them, without a place.
#[track_caller]
fn check(acked: &[((u64, u64), Acked)], written: &HashMap<(i32, i64), (u64, u64)>, run: &str) -> usize {
    for (id, acked) in acked.iter().filter(|(_, acked)| acked.offset >= 0) {
        assert_eq!(
            written.get(&(acked.partition, acked.offset)),
            Some(id),
            "{run}: {id:?} is not where it was written"
        );
    }
    assert_order(written, run);
    let there: BTreeSet<_> = written.values().collect();
    let missing: Vec<_> = acked.iter().filter(|(id, _)| !there.contains(id)).collect();
    for (id, acked) in &missing {
        assert!(acked.offset < 0, "{run}: {id:?} is lost");
    }
    assert_eq!(there.len() + missing.len(), acked.len(), "{run}: the topic holds what nobody sent");
    missing.len()
}

/// The records of a key are in their order, none of them twice.
#[track_caller]
fn assert_order(written: &HashMap<(i32, i64), (u64, u64)>, run: &str) {
    let mut places: Vec<_> = written.iter().collect();
    places.sort_unstable();
    let mut last: HashMap<u64, u64> = HashMap::new();
    for (place, (guild, sequence)) in places {
        let before = last.insert(*guild, *sequence);
        assert!(before < Some(*sequence), "{run}: {sequence} of guild {guild} is at {place:?}, behind {before:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_batch_of_a_partition_under_way_each_record_is_there_once_and_in_order() {
    for seed in seeds(1) {
        for mix in MIXES {
            let run = format!("{}, seed {seed}", mix.name);
            let mut chance = Seeded::new(seed);
            let world = World::new(PARTITIONS).await;
            let guilds = world.guilds_apart().await;
            assert_eq!(guilds.len(), KEYS);
            let mut acked = Vec::new();
            let mut claimed = 0;
            for wave in 1..=RECORDS / u64::try_from(KEYS).unwrap() {
                // Each tenth wave meets errors; so few that no retry of it is behind the next wave's.
                if chance.below(10) == 0 {
                    let mut answers: Vec<Answer> = (0..KEYS)
                        .map(|_| match chance.below(4) {
                            0 => mix.answers[chance.below(mix.answers.len())],
                            _ => Answer::Written,
                        })
                        .collect();
                    chance.shuffle(&mut answers);
                    claimed += answers.iter().filter(|answer| **answer == Answer::Duplicate).count();
                    world.broker.answer_writes(&answers).unwrap();
                }
                let ids: Vec<_> = guilds.iter().map(|guild| (*guild, wave)).collect();
                acked.extend(world.send(&ids).await);
            }
            let mut written = world.written().await;
            written.retain(|_, (_, sequence)| *sequence > 0);
            let missing = check(&acked, &written, &run);
            assert_eq!(missing, claimed, "{run}: other records are missing than those that the broker claimed to have");
            assert_eq!(u64::try_from(acked.len()).unwrap(), RECORDS);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_many_batches_under_way_no_record_is_lost_or_out_of_order() {
    for seed in seeds(1) {
        for mix in MIXES {
            let run = format!("{}, seed {seed}", mix.name);
            let mut chance = Seeded::new(seed);
            let world = World::new(4).await;
            let ids: Vec<_> = (0..RECORDS).map(|n| (1_000 + n % u64::try_from(KEYS).unwrap(), 1 + n)).collect();
            let mut acked = Vec::new();
            for part in ids.chunks(500) {
                let answers: Vec<Answer> = (0..8)
                    .map(|_| match chance.below(3) {
                        0 => mix.answers[chance.below(mix.answers.len())],
                        _ => Answer::Written,
                    })
                    .collect();
                world.broker.answer_writes(&answers).unwrap();
                acked.extend(world.send(part).await);
            }
            let written = world.written().await;
            if mix.answers.contains(&Answer::Duplicate) {
                // librdkafka counts the places of such a batch up from -1: they say nothing.
                assert_order(&written, &run);
                let sent: BTreeSet<_> = ids.iter().collect();
                assert!(written.values().all(|id| sent.contains(id)), "{run}: the topic holds what nobody sent");
                assert!(written.len() > ids.len() / 4, "{run}: {} records are there", written.len());
            } else {
                check(&acked, &written, &run);
            }
        }
    }
}
