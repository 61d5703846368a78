//! Kafka goes away: reading stops at the limit, nothing is passed over.

use event_stream::{Class, DeadLetter, embedded::Broker, testing};
use sharder::budget::{Budget, Limits};

use crate::harness::{House, Sharder};

#[tokio::test]
async fn without_kafka_reading_stops_and_what_was_not_acknowledged_comes_again() {
    // librdkafka's own broker, because this one has to die.
    let broker = Broker::start().unwrap();
    let mut house = House::build().await;
    house.kafka = broker.config();
    let sharder = house.start().await;
    house.chat(10);
    let safe = house.position_is_last().await;

    drop(broker);
    house.chat(20_000);
    let reason = sharder.until("/readyz", "kafka").await;
    assert!(reason.contains("no acknowledgement"), "{reason}");
    sharder.until("/metrics", r#"gateway_stalls_total{service="sharder"} 1"#).await;
    let unacked = sharder.metric("gateway_seq_unacked").await;
    let unacked = usize::try_from(unacked).unwrap();
    let bytes: usize = house.sim.read(|state| {
        let missing = state.ledger.dispatches.iter().filter(|dispatch| dispatch.sequence > safe.1);
        missing.take(unacked).map(|dispatch| dispatch.frame.len()).sum()
    });
    // One event may go beyond the limit.
    let Limits { events, bytes: most } = Budget::PROCESS;
    assert!(unacked < events && (most..most + 4096).contains(&bytes), "{unacked} events of {bytes} bytes");
    assert_eq!(house.position().await.as_ref(), Some(&safe), "the position does not pass what Kafka lacks");
    sharder.kill();

    house.kafka = testing::config();
    let sharder = house.start().await;
    house.until_resumed(1).await;
    house.position_is_last().await;
    let events = house.in_kafka().await;
    let last = house.dispatched().into_keys().last().unwrap().1;
    let sequences: std::collections::BTreeSet<u64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (safe.1 + 1..=last).collect());
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn what_came_while_kafka_was_away_is_written_in_order_once_it_is_back() {
    let house = House::build().await;
    let (sharder, door) = house.start_behind_a_door().await;
    house.chat(50);
    house.all_in_kafka().await;
    for _ in 0..2 {
        door.shut();
        house.chat(500);
        sharder.until("/readyz", "kafka").await;
        door.open();
        house.chat(50);
        sharder.until("/readyz", "ready").await;
    }
    House::assert_order(&house.all_in_kafka().await);
    house.position_is_last().await;
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_producer_that_dies_in_the_stream_leaves_no_gap_and_no_disorder() {
    // librdkafka's own broker, because this one has to contradict.
    let broker = Broker::start().unwrap();
    let mut house = House::build().await;
    house.kafka = broker.config();
    let sharder = house.start().await;
    for _ in 0..3 {
        house.chat(100);
        broker.desynchronise().unwrap();
        house.chat(300);
        House::assert_order(&house.all_in_kafka().await);
    }
    assert!(sharder.metric("gateway_resends_total").await > 0);
    house.position_is_last().await;
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_that_the_topic_is_too_small_for_is_kept_without_its_body_and_the_others_pass() {
    let house = House::build().await;
    // Less than one batch of many small ones, too.
    testing::make_with_limit(&house.kafka, &house.kafka.events_topic, 1_500).await.unwrap();
    let sharder = house.start().await;
    house.chat(3);
    // Random, so that it does not become small by compression.
    let text: String = (0..1_900).map(|_| char::from(rand::random_range(b'#'..b'~'))).collect();
    house.say(&text);
    house.chat(100);
    let last = house.position_is_last().await;
    let dead = testing::read_raw(&house.kafka, &testing::dead_letters_of(&house.kafka.events_topic)).await.unwrap();
    let events = house.in_kafka().await;
    House::assert_order(&events);
    let mut missing = house.dispatched();
    for event in &events {
        missing.remove(&(event.session.clone(), event.sequence));
    }
    let refused = missing.iter().map(|((session, sequence), frame)| {
        assert!(frame.len() > 1_000, "{} bytes are not to blame", frame.len());
        (session.clone(), sequence.to_string())
    });
    let refused: std::collections::BTreeSet<_> = refused.collect();
    assert!(!refused.is_empty());
    let kept = dead.iter().map(|dead| {
        let letter = DeadLetter::of(&dead.headers).unwrap();
        assert_eq!((letter.class, &dead.payload), (Class::Refused, &None));
        let header = |name| dead.headers.text(name).unwrap().to_owned();
        (header("session"), header("sequence"))
    });
    assert_eq!(refused, kept.collect());
    assert!(last.1 >= 104);
    assert_eq!(sharder.metric("gateway_events_refused_total").await, refused.len() as u64);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn without_redis_or_kafka_at_the_start_it_waits_and_does_not_identify() {
    let nowhere = "127.0.0.1:1".to_owned();
    let house = House::build().await;
    let mut config = house.config();
    config.redis.addr = nowhere.clone();
    let sharder = Sharder::start(config).await;
    sharder.until("/readyz", "redis: ").await;
    sharder.kill();

    let mut config = house.config();
    config.kafka.brokers = nowhere;
    let sharder = Sharder::start(config).await;
    sharder.until("/readyz", "kafka: no answer").await;
    sharder.kill();
    assert_eq!(house.identifies(), 0);
}
