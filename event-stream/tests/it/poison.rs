//! Poison of every kind between good records, over all partitions.

use std::collections::{BTreeMap, BTreeSet};

use event_stream::{
    Bounds, Class, DeadLetter, Failure,
    testing::{self, Expected, Poison, Raw, behind, poison},
};
use model::topics::GatewayEvent;
use twilight_model::id::Id;

use crate::{
    order::by_guild,
    seeded::{Seeded, seeds},
    support::{Kafka, Log, event},
};

const PARTITIONS: i32 = 4;
/// Good records; the guilds are those above [`FIRST_GUILD`].
const GOOD: u64 = 400;
const GUILDS: u64 = 40;
const FIRST_GUILD: u64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn poison_of_every_kind_dies_and_nothing_else_does() {
    for seed in seeds(1) {
        run(seed).await;
    }
}

/// A record with its partition, and the poison that it is, where it is one.
struct Sent {
    record: Raw,
    poison: Option<Poison>,
}

fn stream(seed: u64) -> Vec<Sent> {
    let mut chance = Seeded::new(seed);
    let mut poison = poison(Id::new(1));
    chance.shuffle(&mut poison);
    let mut good = (0..GOOD).map(|n| {
        // A guild stays in its partition, and its events in their order.
        let guild = FIRST_GUILD + n % GUILDS;
        let partition = i32::try_from(guild % u64::try_from(PARTITIONS).unwrap()).unwrap();
        Sent { record: Raw { partition: Some(partition), ..raw(&event(guild, n)) }, poison: None }
    });
    let places: BTreeSet<usize> = {
        let all = poison.len() + usize::try_from(GOOD).unwrap();
        let mut places: Vec<usize> = (0..all).collect();
        chance.shuffle(&mut places);
        places.into_iter().take(poison.len()).collect()
    };
    let all = poison.len() + usize::try_from(GOOD).unwrap();
    let mut dealt = 0;
    let stream = (0..all).map(|place| {
        if !places.contains(&place) {
            return good.next().unwrap();
        }
        let poison = poison.pop().unwrap();
        dealt = (dealt + 1) % PARTITIONS;
        Sent { record: Raw { partition: Some(dealt), ..poison.record.clone() }, poison: Some(poison) }
    });
    stream.collect()
}

/// As the sharder writes it.
fn raw(event: &GatewayEvent) -> Raw {
    let guild = event.guild.unwrap().to_string();
    let headers = [
        ("schema", "1"),
        ("bot", "1"),
        ("shard", "0"),
        ("session", "session"),
        ("sequence", &event.sequence.to_string()),
        ("type", &event.kind),
        ("guild", &guild),
        ("received-at-ns", "0"),
    ];
    let headers = headers.map(|(name, value)| (name.into(), Some(value.as_bytes().to_vec()))).into();
    Raw { headers, ..Raw::new(guild.as_bytes(), &event.payload) }
}

/// Reads what it knows as the worker does, and nothing else.
fn read(event: &GatewayEvent) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct Frame {
        #[serde(rename = "d")]
        _d: Deleted,
    }
    #[derive(serde::Deserialize)]
    struct Deleted {
        #[serde(rename = "id")]
        _id: Id<twilight_model::id::marker::MessageMarker>,
        #[serde(rename = "channel_id")]
        _channel: Id<twilight_model::id::marker::ChannelMarker>,
    }
    if event.kind != "MESSAGE_DELETE" {
        return Ok(());
    }
    serde_json::from_slice::<Frame>(&event.payload).map(drop).map_err(Failure::discard)
}

async fn run(seed: u64) {
    let kafka = Kafka::with_partitions(PARTITIONS).await;
    let topic = &kafka.config.events_topic;
    let sent = stream(seed);
    let records: Vec<Raw> = sent.iter().map(|sent| sent.record.clone()).collect();
    let acked = testing::send_raw(&kafka.config, topic, &records).await.unwrap();

    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 16, move |event, meta| {
            let outcome = read(&event);
            // Some good ones need a second attempt: what is behind them waits.
            let again = event.sequence % 17 == 0 && meta.attempt == 1 && outcome.is_ok();
            if again {
                return std::future::ready(Err(Failure::retry(std::io::Error::other("not yet"))));
            }
            if outcome.is_ok() {
                seen.push((meta.partition, meta.offset, event.guild.map_or(0, Id::get), event.sequence));
            }
            std::future::ready(outcome)
        })
        .await;

    let dies = |sent: &Sent| sent.poison.as_ref().is_some_and(|poison| poison.expected != Expected::Handled);
    let handled = log.wait(|entries| entries.len() >= sent.iter().filter(|sent| !dies(sent)).count()).await;
    let group = &kafka.group();
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    while behind(&kafka.config, group, topic).await.unwrap() > 0 {
        assert!(std::time::Instant::now() < deadline, "seed {seed}: offsets never come to the end");
    }
    // Neither an error nor a panic ended it.
    consumer.stop().await;
    assert_eq!(log.entries().len(), handled.len(), "seed {seed}: something was handled twice");

    let mut letters = BTreeMap::new();
    for message in kafka.dead().await {
        let letter = DeadLetter::of(&message.headers).unwrap();
        assert_eq!(letter.topic, *topic, "seed {seed}");
        let twice = letters.insert((letter.partition, letter.offset), (letter, message));
        assert!(twice.is_none(), "seed {seed}: {twice:?} died twice");
    }
    let places: BTreeSet<_> = handled.iter().map(|(partition, offset, ..)| (*partition, *offset)).collect();
    for (sent, acked) in sent.iter().zip(acked) {
        let place = (acked.partition, acked.offset);
        let name = sent.poison.as_ref().map_or("a good record", |poison| poison.name);
        match sent.poison.as_ref().map(|poison| poison.expected) {
            Some(Expected::Dead(class)) => {
                let Some((letter, message)) = letters.remove(&place) else { panic!("seed {seed}: {name} is not dead") };
                assert_eq!(letter.class, class, "seed {seed}: {name}: {}", letter.error);
                assert_eq!(letter.attempts, u32::from(class == Class::Discarded), "seed {seed}: {name}");
                assert_kept(&sent.record, &message, name);
                assert!(!places.contains(&place), "seed {seed}: {name} was handled and died");
            }
            _ => assert!(places.contains(&place), "seed {seed}: {name} was not handled"),
        }
    }
    assert!(letters.is_empty(), "seed {seed}: these died for nothing: {letters:?}");
    let good = handled.iter().filter(|entry| entry.2 >= FIRST_GUILD && entry.2 < FIRST_GUILD + GUILDS);
    let good: Vec<_> = good.map(|(_, _, guild, sequence)| (*guild, *sequence)).collect();
    assert_eq!(good.len(), usize::try_from(GOOD).unwrap());
    for (guild, sequences) in by_guild(&good) {
        assert!(sequences.is_sorted(), "seed {seed}: guild {guild}: {sequences:?}");
    }
}

/// The letter is the record: all but what says why it died.
#[track_caller]
fn assert_kept(record: &Raw, letter: &event_stream::Message, name: &str) {
    assert!(letter.payload.as_deref() == record.payload.as_deref(), "{name}: another value");
    assert_eq!(letter.key.as_deref(), record.key.as_deref(), "{name}: another key");
    let kept: Vec<_> = letter.headers.iter().filter(|(name, _)| !name.starts_with("dead-")).collect();
    let sent = record.headers.iter().filter(|(name, _)| !name.starts_with(b"dead-"));
    // A header whose name cannot be read is only told of.
    let sent = sent.map(|(name, value)| match std::str::from_utf8(name) {
        Ok(name) => (name, value.as_deref()),
        Err(_) => ("\u{fffd}", None),
    });
    assert_eq!(kept, sent.collect::<Vec<_>>(), "{name}");
}
