//! Kafka goes away: reading stops at the limit, nothing is passed over.

use event_stream::{embedded::Broker, testing};

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
    house.chat(30_000);
    let reason = sharder.until("/readyz", "kafka").await;
    assert!(reason.contains("no acknowledgement"), "{reason}");
    sharder.until("/metrics", r#"gateway_stalls_total{service="sharder"} 1"#).await;
    let unacked = sharder.metric("gateway_seq_unacked").await;
    assert!((20_000..20_010).contains(&unacked), "{unacked}");
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
