//! What is larger than a topic of dead letters takes stops no partition.

use std::future::ready;

use event_stream::{
    Bounds, Class, DeadLetter, Failure, GatewayEvents, KafkaConfig, Message, Producer, Profile, Replaying, Selection,
    Spared, Told, dead_letters_of, replay,
    testing::{self, Raw},
};

use crate::support::{Kafka, Log, event, until_async};

/// Handles everything but event 1, which is given up, until the group has finished all; returns what was handled.
async fn finish_all(kafka: &Kafka, handled: usize) -> Vec<u64> {
    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 4, move |event, _| {
            let outcome = match event.sequence {
                1 => Err(Failure::discard(std::io::Error::other("e".repeat(5_000)))),
                sequence => {
                    seen.push(sequence);
                    Ok(())
                }
            };
            ready(outcome)
        })
        .await;
    log.wait(|entries| entries.len() == handled).await;
    let topic = &kafka.config.events_topic;
    until_async(async || testing::behind(&kafka.config, &kafka.group(), topic).await.unwrap() == 0).await;
    consumer.stop().await;
    log.entries()
}

fn incompressible(bytes: usize) -> Vec<u8> {
    let numbers =
        std::iter::successors(Some(1_u64), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)));
    numbers.take(bytes).map(|number| (number >> 56) as u8).collect()
}

/// The only dead letter, which no replay takes.
async fn only_letter(kafka: &Kafka) -> (Message, DeadLetter) {
    let mut dead = kafka.dead().await;
    assert_eq!(dead.len(), 1);
    let letter = DeadLetter::of(&dead[0].headers).unwrap();
    let graves = dead_letters_of::<GatewayEvents>(&kafka.config);
    let mut told = Vec::new();
    let tell = |one| told.push(one);
    replay(&kafka.config, &kafka.producer, &graves, &Selection::default(), Replaying::default(), tell).await.unwrap();
    let [Told::Spared(_, spared)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*spared, Spared::Cut(letter.left_out.unwrap()));
    assert!(spared.is_for_good());
    (dead.remove(0), letter)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_stranger_that_is_larger_than_ours_may_be_is_kept_without_its_value() {
    let kafka = Kafka::with_partitions(1).await;
    let topic = &kafka.config.events_topic;
    let bytes = 17 * 1024 * 1024;
    let headers = vec![(b"theirs".to_vec(), Some(b"kept".to_vec()))];
    let huge = Raw { headers, ..Raw::new(b"k", &vec![b' '; bytes]) };
    testing::send_raw(&kafka.config, topic, &[huge]).await.unwrap();
    kafka.send([event(1, 2)]).await;
    assert_eq!(finish_all(&kafka, 1).await, [2]);

    let (message, letter) = only_letter(&kafka).await;
    assert_eq!((message.payload.as_deref(), message.key.as_deref()), (None, Some(&b"k"[..])));
    assert_eq!(message.headers.text("theirs"), Ok("kept"));
    assert_eq!((letter.class, letter.offset, letter.left_out), (Class::Undecodable, 0, Some(17 * 1024 * 1024)));
}

/// Topics, of which that of the dead letters takes so many bytes at once.
async fn with_small_graves(limit: usize) -> Kafka {
    let config = KafkaConfig { partitions: 1, ..testing::config() };
    testing::make_with_limit(&config, &dead_letters_of::<GatewayEvents>(&config), limit).await.unwrap();
    let producer = testing::producer(&config).await.unwrap();
    Kafka { config, producer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_dead_letters_that_takes_little_has_what_it_takes() {
    // A bulk producer dies of each refusal, and another takes its place.
    let (interactive, bulk) = (Profile::Interactive, Profile::Bulk);
    for (profile, limit, value, has_headers) in
        [(interactive, 4_000, 5_000, true), (bulk, 4_000, 5_000, true), (interactive, 900, 500, false)]
    {
        let kafka = with_small_graves(limit).await;
        let producer = Producer::connect(&kafka.config, "test", profile).await.unwrap();
        let kafka = Kafka { producer, ..kafka };
        let mut lethal = event(5, 1);
        lethal.payload = incompressible(value).into();
        kafka.send([lethal, event(5, 2)]).await;
        assert_eq!(finish_all(&kafka, 1).await, [2]);

        let (message, letter) = only_letter(&kafka).await;
        assert_eq!((message.payload.as_deref(), message.key.as_deref()), (None, Some(&b"5"[..])));
        let own = message.headers.iter().filter(|(name, _)| !name.starts_with("dead-")).count();
        assert_eq!(own > 0, has_headers, "{:?}", message.headers);
        assert_eq!((letter.class, letter.attempts, letter.offset), (Class::Discarded, 1, 0));
        assert!(letter.left_out.unwrap() >= value as u64, "{letter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_only_together_are_too_large_are_kept_whole() {
    let kafka = with_small_graves(4_000).await;
    kafka.send((1..=40).map(|guild| event(guild, guild))).await;
    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 40, move |event, _| {
            seen.push(event.sequence);
            ready(Err(Failure::discard(std::io::Error::other("e".repeat(1_500)))))
        })
        .await;
    log.wait(|entries| entries.len() == 40).await;
    let topic = &kafka.config.events_topic;
    until_async(async || testing::behind(&kafka.config, &kafka.group(), topic).await.unwrap() == 0).await;
    consumer.stop().await;
    let dead = kafka.dead().await;
    assert_eq!(dead.len(), 40);
    assert!(dead.iter().all(|letter| letter.payload.is_some()));
}
