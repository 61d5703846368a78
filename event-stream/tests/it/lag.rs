//! How far a consumer is behind can be seen, also of one that does nothing.

use std::{sync::Arc, time::Duration};

use event_stream::{Bounds, Failure};
use model::topics::GatewayEvent;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::support::{Kafka, Metrics, Running, event, until};

/// A consumer whose handlers wait for the gate, and which is full with four events of a partition.
async fn stuck(kafka: &Kafka, gate: &Arc<Semaphore>) -> (Running, Metrics) {
    let bounds = Bounds { per_partition: 4, lag_every: Duration::from_millis(50), ..Bounds::default() };
    let gate = Arc::clone(gate);
    let handler = move |_: GatewayEvent, _| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.map_err(Failure::retry)?.forget();
            Ok(())
        }
    };
    kafka.observe(bounds, 100, handler).await
}

fn messages(metrics: &Metrics) -> f64 {
    metrics.sum("consumer_lag_messages")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_stuck_and_paused_is_seen_to_fall_behind_and_to_catch_up() {
    let kafka = Kafka::with_partitions(1).await;
    let before = OffsetDateTime::now_utc();
    kafka.send((1..=10).map(|guild| event(guild, guild))).await;
    let gate = Arc::new(Semaphore::new(0));
    let (consumer, metrics) = stuck(&kafka, &gate).await;
    until(|| metrics.sum("consumer_pauses_total") >= 1.0 && messages(&metrics) == 10.0).await;
    // Nothing more is fetched, and yet it is known that there is more.
    kafka.send((11..=20).map(|guild| event(guild, guild))).await;
    until(|| messages(&metrics) == 20.0).await;
    let first = metrics.sum("consumer_lag_seconds");
    until(|| metrics.sum("consumer_lag_seconds") > first).await;
    let age = OffsetDateTime::now_utc() - before;
    let shown = metrics.sum("consumer_lag_seconds");
    assert!(shown > 0.0 && shown <= age.as_seconds_f64() + 0.01, "{shown} of {age}");

    // One is finished, which is not the first: all the others wait for the first still, or do not.
    gate.add_permits(100);
    until(|| messages(&metrics) == 0.0 && metrics.sum("consumer_lag_seconds") == 0.0).await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_without_a_record_are_not_behind_and_those_that_go_are_not_shown() {
    let kafka = Kafka::with_partitions(4).await;
    let gate = Arc::new(Semaphore::new(0));
    let (first, metrics) = stuck(&kafka, &gate).await;
    until(|| metrics.all("consumer_lag_messages").len() == 4).await;
    assert_eq!((messages(&metrics), metrics.sum("consumer_lag_seconds")), (0.0, 0.0));

    // A group that worked already begins where it stood, and is behind by what came since.
    let (second, others) = stuck(&kafka, &gate).await;
    until(|| others.all("consumer_lag_messages").len() == 2).await;
    let (mine, theirs) = (metrics.all("consumer_lag_seconds"), others.all("consumer_lag_seconds"));
    assert_eq!((mine.len(), theirs.len()), (2, 2));
    assert!(mine.keys().all(|partition| !theirs.contains_key(partition)), "{mine:?} {theirs:?}");
    first.stop().await;
    assert_eq!(metrics.all("consumer_lag_messages").len(), 0);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_comes_back_is_behind_by_what_it_has_not_finished() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send((1..=5).map(|guild| event(guild, guild))).await;
    let gate = Arc::new(Semaphore::new(100));
    let (first, metrics) = stuck(&kafka, &gate).await;
    until(|| metrics.sum("bot_events_total") == 10.0).await;
    first.stop().await;
    // Nothing to take: only what the group committed tells where it stands.
    let (second, metrics) = stuck(&kafka, &gate).await;
    until(|| !metrics.all("consumer_lag_messages").is_empty()).await;
    assert_eq!((messages(&metrics), metrics.sum("bot_events_total")), (0.0, 0.0));
    second.stop().await;
}
