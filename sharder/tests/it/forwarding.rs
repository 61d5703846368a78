//! What Discord dispatches is in Kafka.

use std::collections::BTreeMap;

use crate::harness::House;

#[tokio::test]
async fn every_dispatch_reaches_kafka_byte_for_byte_and_in_order() {
    let house = House::build().await;
    let sharder = house.start().await;
    house.chat(300);
    let events = house.all_in_kafka().await;

    let dispatched = house.dispatched();
    assert_eq!(events.len(), dispatched.len(), "nothing comes twice without need");
    let mut last = BTreeMap::new();
    for event in &events {
        assert_eq!(event.payload, dispatched[&(event.session.clone(), event.sequence)]);
        assert_eq!((event.bot, event.shard), (house.bot, 0));
        let before = last.insert(event.guild, event.sequence).unwrap_or(0);
        assert!(before < event.sequence, "{before} before {} of one guild", event.sequence);
    }
    let guild_of = |kind: &str| events.iter().find(|event| event.kind == kind).unwrap().guild;
    assert_eq!(guild_of("READY"), None);
    assert_eq!(guild_of("GUILD_CREATE"), Some(house.seed.guild));
    assert_eq!(guild_of("MESSAGE_CREATE"), Some(house.seed.guild));

    let metrics = sharder.until("/metrics", "gateway_events_total").await;
    assert!(metrics.contains(r#"gateway_events_total{type="MESSAGE_CREATE",service="sharder"} 300"#), "{metrics}");
    assert!(metrics.contains(r#"gateway_shards{state="connected",service="sharder"} 1"#), "{metrics}");
    house.position_is_last().await;
    assert_eq!(sharder.metric("gateway_seq_unacked").await, 0);
    assert_eq!(sharder.metric("gateway_sequence_gaps_total").await, 0);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn an_unset_bot_id_is_asked_from_discord() {
    let house = House::build().await;
    let sharder = crate::harness::Sharder::start(sharder::Config { bot: None, ..house.config() }).await;
    sharder.until("/readyz", "ready").await;
    let events = house.all_in_kafka().await;
    assert_eq!(events[0].bot, house.seed.application);
    sharder.stop().await.unwrap();
}
