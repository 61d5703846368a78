use std::collections::BTreeMap;

use discord_sim::Sim;
use event_stream::{GatewayEvents, KafkaConfig, testing};

/// What invariant V1 forbids: dispatches that Kafka does not hold byte for byte. Empty when nothing was lost.
pub async fn missing_events(sim: &Sim, kafka: &KafkaConfig) -> Vec<String> {
    let held: BTreeMap<(String, u64), Vec<u8>> = testing::read_all::<GatewayEvents>(kafka, &kafka.events_topic)
        .await
        .expect("the events' topic can be read")
        .into_iter()
        .map(|(event, _)| ((event.session, event.sequence), event.payload.to_vec()))
        .collect();
    sim.read(|state| {
        let lost = state.ledger.dispatches.iter().filter(|dispatch| {
            held.get(&(dispatch.session_id.clone(), dispatch.sequence)).map(Vec::as_slice)
                != Some(dispatch.frame.as_bytes())
        });
        lost.map(|dispatch| format!("{} of {}: {}", dispatch.sequence, dispatch.session_id, dispatch.kind)).collect()
    })
}

/// The dead letters of both topics, described.
pub async fn dead_letters(kafka: &KafkaConfig) -> Vec<String> {
    let mut found = Vec::new();
    for topic in [&kafka.events_topic, &kafka.interactions_topic] {
        let dead = testing::dead_letters_of(topic);
        let messages = testing::read_raw(kafka, &dead).await.expect("the dead letters can be read");
        found.extend(messages.iter().map(|message| format!("{dead}: {message:?}")));
    }
    found
}
