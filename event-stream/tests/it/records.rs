//! What is written is what is read.

use std::time::Duration;

use event_stream::{
    Error, GatewayEvents, KafkaConfig, LateInteractions, Producer, Profile, Topic, embedded, ensure_topics, testing,
};
use model::{
    TraceParent,
    topics::{GatewayEvent, LateInteraction},
};
use time::macros::datetime;
use twilight_model::id::Id;

use crate::support::{Kafka, event};

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_comes_back_byte_for_byte_with_its_headers() {
    let kafka = Kafka::new().await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let sent = GatewayEvent {
        bot: Id::new(99),
        shard: 3,
        session: "0123abc".to_owned(),
        sequence: 4_711,
        kind: "GUILD_CREATE".to_owned(),
        guild: Some(Id::new(41_771_983_423_143_937)),
        received_at: datetime!(2026-11-21 07:08:09.123456789 UTC),
        trace: Some(TraceParent::derived("0123abc", 4_711)),
        // Larger than what Kafka takes by default.
        payload: every_byte.repeat(8 * 1024).into(),
    };
    kafka.producer.send::<GatewayEvents>(&sent).await.unwrap();

    let read = testing::read_all::<GatewayEvents>(&kafka.config, &kafka.config.events_topic).await.unwrap();
    let [(payload, headers)] = &read[..] else { panic!("{} records", read.len()) };
    assert!(*payload == sent);
    let shown: Vec<_> =
        headers.iter().map(|(name, value)| (name, std::str::from_utf8(value.unwrap()).unwrap())).collect();
    assert_eq!(
        shown,
        [
            ("schema", "1"),
            ("bot", "99"),
            ("shard", "3"),
            ("session", "0123abc"),
            ("sequence", "4711"),
            ("type", "GUILD_CREATE"),
            ("guild", "41771983423143937"),
            ("received-at-ns", "1795244889123456789"),
            ("traceparent", sent.trace.unwrap().to_string().as_str()),
        ]
    );
    let raw = testing::read_raw(&kafka.config, &kafka.config.events_topic).await.unwrap();
    assert_eq!(raw[0].key.as_deref(), Some(&b"41771983423143937"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_guild_are_keyed_by_the_bot() {
    let kafka = Kafka::new().await;
    let late = LateInteraction {
        bot: Id::new(99),
        interaction: Id::new(7),
        guild: None,
        received_at: datetime!(2026-11-21 07:08:09 UTC),
        trace: Some(TraceParent::derived("interaction", 7)),
        payload: "{}".into(),
    };
    let acked = kafka.producer.send::<LateInteractions>(&late).await.unwrap();
    let raw = testing::read_raw(&kafka.config, &kafka.config.interactions_topic).await.unwrap();
    assert_eq!(raw[0].key.as_deref(), Some(&b"99"[..]));
    assert_eq!((raw[0].partition, raw[0].offset), (acked.partition, acked.offset));
    let read = testing::read_all::<LateInteractions>(&kafka.config, &kafka.config.interactions_topic).await.unwrap();
    assert_eq!(read[0].0, late);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_producer_keeps_the_order_of_a_guild() {
    let kafka = Kafka::new().await;
    let bulk = Producer::connect(&kafka.config, "test", Profile::Bulk).await.unwrap();
    let deliveries: Vec<_> = (0..2_000).map(|n| bulk.enqueue::<GatewayEvents>(&event(1 + n % 7, n)).unwrap()).collect();
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    assert_eq!(bulk.flush(Duration::from_secs(1)).await, 0);
    let read = testing::read_all::<GatewayEvents>(&kafka.config, &kafka.config.events_topic).await.unwrap();
    assert_eq!(read.len(), 2_000);
    let ids: Vec<_> = read.iter().map(|(event, _)| crate::support::id(event)).collect();
    for (guild, sequences) in crate::order::by_guild(&ids) {
        assert!(sequences.is_sorted(), "guild {guild}: {sequences:?}");
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_at_once() {
    let kafka = Kafka::new().await;
    let large = GatewayEvent { payload: vec![b' '; 16 * 1024 * 1024 + 1].into(), ..event(1, 1) };
    let refused = kafka.producer.enqueue::<GatewayEvents>(&large);
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
}

#[tokio::test]
async fn making_the_topics_again_changes_nothing() {
    let kafka = Kafka::new().await;
    kafka.send([event(1, 1)]).await;
    let more = KafkaConfig { partitions: 9, ..kafka.config.clone() };
    let (one, two) = tokio::join!(ensure_topics(&more), ensure_topics(&kafka.config));
    one.unwrap();
    two.unwrap();
    let read = testing::read_all::<GatewayEvents>(&kafka.config, GatewayEvents::name(&kafka.config)).await.unwrap();
    assert_eq!(read.len(), 1);
}

#[tokio::test]
async fn brokers_that_are_away_are_an_error_that_names_them() {
    // Nobody listens on the port of a socket that was closed.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = KafkaConfig::at(free.to_string());
    let error = ensure_topics(&config).await.unwrap_err();
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_carries_an_event_from_producer_to_consumer() {
    let broker = tokio::task::spawn_blocking(embedded::Broker::start).await.unwrap().unwrap();
    let config = broker.config();
    assert_eq!(config.brokers, broker.bootstrap());
    ensure_topics(&config).await.unwrap();
    let producer = Producer::connect(&config, "test", Profile::Interactive).await.unwrap();
    let kafka = Kafka { config, producer };
    kafka.send([event(5, 1), event(5, 2)]).await;

    let log = crate::support::Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(event_stream::Bounds::default(), 4, move |event, _| {
            seen.push(crate::support::id(&event));
            std::future::ready(Ok(()))
        })
        .await;
    assert_eq!(log.wait(|entries| entries.len() == 2).await, [(5, 1), (5, 2)]);
    consumer.stop().await;
}
