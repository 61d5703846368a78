//! What cannot be handled is kept, and never takes the consumer down.

use event_stream::{
    Bounds, Class, DeadLetter, Failure, GatewayEvents, HeaderWriter, KafkaConfig, Key, Message, Topic, Undecodable,
};

use crate::support::{Kafka, Log, event, id};

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_event_is_kept_whole_with_its_origin_and_the_error() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1), event(1, 2), event(1, 3)]).await;
    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 4, move |event, meta| {
            seen.push((id(&event).1, meta.attempt));
            let source = std::io::Error::other("no such guild");
            let discard = Failure::discard(anyhow::Error::new(source).context("look the guild up"));
            std::future::ready(if event.sequence == 2 { Err(discard) } else { Ok(()) })
        })
        .await;
    assert_eq!(log.wait(|entries| entries.len() == 3).await, [(1, 1), (2, 1), (3, 1)]);
    consumer.stop().await;

    let dead = kafka.dead().await;
    let [letter] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(letter.payload, Some(event(1, 2).payload));
    assert_eq!(letter.key.as_deref(), Some(&b"1"[..]));
    assert_eq!(letter.headers.text("sequence"), Ok("2"));
    let expected = DeadLetter {
        topic: kafka.config.events_topic.clone(),
        partition: 0,
        offset: 1,
        group: kafka.group(),
        attempts: 1,
        class: Class::Discarded,
        error: "look the guild up: no such guild".to_owned(),
        left_out: None,
    };
    assert_eq!(DeadLetter::of(&letter.headers), Ok(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_fail_or_panic_at_every_attempt_become_dead_letters_and_the_others_go_on() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1), event(2, 2), event(1, 3), event(2, 4), event(3, 5)]).await;
    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 4, move |event, meta| {
            seen.push((id(&event).1, meta.attempt));
            async move {
                match event.sequence {
                    1 => Err(Failure::retry(std::io::Error::other("away"))),
                    2 => panic!("a bug"),
                    // A panic counts as an attempt: the next one succeeds.
                    5 if meta.attempt == 1 => panic!("{}", String::from("a passing bug")),
                    _ => Ok(()),
                }
            }
        })
        .await;
    log.wait(|entries| [3, 4].iter().all(|n| entries.contains(&(*n, 1))) && entries.contains(&(5, 2))).await;
    consumer.stop().await;

    let attempts = |n| log.entries().iter().filter(|(sequence, _)| *sequence == n).count();
    assert_eq!([1, 2, 3, 4, 5].map(attempts), [3, 3, 1, 1, 2]);
    let mut letters: Vec<_> = kafka.dead().await.iter().map(|dead| DeadLetter::of(&dead.headers).unwrap()).collect();
    letters.sort_by_key(|letter| letter.offset);
    let shown: Vec<_> =
        letters.iter().map(|letter| (letter.offset, letter.attempts, letter.class, letter.error.as_str())).collect();
    assert_eq!(shown, [(0, 3, Class::Exhausted, "away"), (1, 3, Class::Panicked, "panicked: a bug")]);
}

/// Writes to the events' topic what is no event.
struct Foreign;

impl Topic for Foreign {
    const LABEL: &'static str = "foreign";
    type Payload = &'static [u8];

    fn name(config: &KafkaConfig) -> &str {
        GatewayEvents::name(config)
    }

    fn key(_: &Self::Payload) -> Key {
        GatewayEvents::key(&event(1, 1))
    }

    fn headers(_: &Self::Payload, headers: &mut HeaderWriter) {
        headers.text("bot", "not a number");
    }

    fn body(payload: &Self::Payload) -> &[u8] {
        payload
    }

    fn decode(_: &Message) -> Result<Self::Payload, Undecodable> {
        Err(Undecodable::NoPayload)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_decode_becomes_a_dead_letter_without_a_call_of_the_handler() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.producer.send::<Foreign>(&&b"\xff\x00garbage"[..]).await.unwrap();
    kafka.send([event(1, 7)]).await;
    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 4, move |event, _| {
            seen.push(event.sequence);
            std::future::ready(Ok(()))
        })
        .await;
    assert_eq!(log.wait(|entries| !entries.is_empty()).await, [7]);
    consumer.stop().await;

    let dead = kafka.dead().await;
    let [letter] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(letter.payload.as_deref(), Some(&b"\xff\x00garbage"[..]));
    let died = DeadLetter::of(&letter.headers).unwrap();
    assert_eq!((died.class, died.attempts, died.offset), (Class::Undecodable, 0, 0));
    assert_eq!(died.error, "header bot does not parse");
}
