//! A person who waits comes before a flood, and the flood still comes.

use std::{collections::BTreeMap, future::pending, sync::Arc, time::Duration};

use event_stream::{Bounds, Failure, GatewayEvents};
use model::topics::GatewayEvent;
use tokio::sync::Semaphore;

use crate::support::{Kafka, Log, event, id, until};

const FLOOD: &str = "GUILD_CREATE";
const CLICK: &str = "INTERACTION_CREATE";

fn of(kind: &str, guild: u64, sequence: u64) -> GatewayEvent {
    GatewayEvent { kind: kind.to_owned(), ..event(guild, sequence) }
}

/// Logs what it handles; what comes in a flood waits for a permit of the gate first.
fn handler(
    log: &Log<(u64, u64)>,
    gate: &Arc<Semaphore>,
) -> impl Fn(GatewayEvent, event_stream::Meta) -> futures_util::future::BoxFuture<'static, Result<(), Failure>>
+ Send
+ Sync
+ 'static {
    let (log, gate) = (log.clone(), Arc::clone(gate));
    move |event, _| {
        let (log, gate) = (log.clone(), Arc::clone(&gate));
        Box::pin(async move {
            if event.kind == FLOOD {
                gate.acquire().await.map_err(Failure::retry)?.forget();
            }
            log.push(id(&event));
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_does_not_wait_for_a_flood_that_got_stuck() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send((1..=50).map(|guild| of(FLOOD, guild, guild))).await;
    kafka.send([of(CLICK, 60, 60)]).await;
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    let consumer = kafka.consume(Bounds::default(), 4, handler(&log, &gate)).await;
    log.wait(|entries| entries == [(60, 60)]).await;
    gate.add_permits(50);
    log.wait(|entries| entries.len() == 51).await;
    consumer.stop().await;
}

// On one thread, so that it is known when each lane has asked for its turn.
#[tokio::test]
async fn a_click_takes_what_its_own_guild_has_before_it_along() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send((1..=20).map(|guild| of(FLOOD, guild, guild))).await;
    kafka.send([of(FLOOD, 60, 60), of(FLOOD, 60, 61), of(CLICK, 60, 62), of(FLOOD, 60, 63)]).await;
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    let (consumer, metrics) = kafka.observe(Bounds::default(), 1, handler(&log, &gate)).await;
    // One of the flood has the only turn; everything else waits for the next one.
    until(|| metrics.sum("bot_events_total") == 24.0).await;
    // Each lane is polled, and asks.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(23);
    let entries = log.wait(|entries| entries.len() == 24).await;
    consumer.stop().await;
    let first = entries.iter().position(|entry| *entry == (60, 60)).unwrap();
    assert!(first <= 1, "{entries:?}");
    assert_eq!(entries[first..first + 3], [(60, 60), (60, 61), (60, 62)]);
    // What is behind the click is no more urgent than the rest of the flood.
    assert_eq!(entries.last(), Some(&(60, 63)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_in_one_partition_leaves_room_for_what_is_more_urgent_in_the_others() {
    let kafka = Kafka::with_partitions(2).await;
    let mut partitions = BTreeMap::new();
    for guild in 1.. {
        let acked = kafka.producer.send::<GatewayEvents>(&of(FLOOD, guild, 0)).await.unwrap();
        partitions.entry(acked.partition).or_insert(guild);
        if partitions.len() == 2 {
            break;
        }
    }
    let (flooded, quiet) = (partitions[&0], partitions[&1]);
    kafka.send((1..=100).map(|n| of(FLOOD, flooded, n))).await;
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    // Bulk may have 30 of them, 15 of each partition.
    let bounds = Bounds { in_flight: 40, ..Bounds::default() };
    let (consumer, metrics) = kafka.observe(bounds, 1_000, handler(&log, &gate)).await;
    until(|| metrics.sum("consumer_pauses_total") >= 1.0).await;
    assert!(metrics.sum("consumer_in_flight") < 40.0);

    // Another guild of the quiet partition, whose first event is not stuck.
    let mut other = quiet + 1_000;
    loop {
        let acked = kafka.producer.send::<GatewayEvents>(&of(CLICK, other, 1)).await.unwrap();
        if acked.partition == 1 {
            break;
        }
        other += 1;
    }
    kafka.send((2..=200).map(|n| of("MESSAGE_CREATE", other, n))).await;
    let mine = |entries: &[(u64, u64)]| entries.iter().filter(|(guild, _)| *guild == other).count();
    log.wait(|entries| mine(entries) == 200).await;

    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    log.wait(|entries| entries.iter().filter(|(guild, n)| *guild == flooded && *n > 0).count() == 100).await;
    consumer.stop().await;
    // The flood was held back, and it is told for how long.
    assert!(metrics.all("bot_queue_enqueue_block_ms")["priority=bulk"] >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_counted_by_priority_and_type_and_by_how_it_ended() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([of("MESSAGE_CREATE", 1, 1), of("MESSAGE_CREATE", 1, 2), of(CLICK, 2, 3), of("NEW_EVENT", 3, 4)]).await;
    kafka.send([of("CHANNEL_DELETE", 4, 5), of("CHANNEL_CREATE", 5, 6), of("MESSAGE_UPDATE", 6, 7)]).await;
    let log = Log::new();
    let seen = log.clone();
    let (consumer, metrics) = kafka
        .observe(Bounds::default(), 8, move |event, meta| {
            let seen = seen.clone();
            async move {
                seen.push(event.sequence);
                let failed = || std::io::Error::other("no");
                match (event.kind.as_str(), meta.attempt) {
                    ("CHANNEL_DELETE", _) => Err(Failure::discard(failed())),
                    ("CHANNEL_CREATE", 1) => Err(Failure::wait(failed())),
                    ("CHANNEL_CREATE", 2) => Err(Failure::retry(failed())),
                    ("MESSAGE_UPDATE", 1) => panic!("no"),
                    _ => Ok(()),
                }
            }
        })
        .await;
    log.wait(|entries| entries.len() == 10).await;
    consumer.stop().await;

    let count = |pairs: &[(&str, f64)]| pairs.iter().map(|(labels, n)| ((*labels).to_owned(), *n)).collect();
    let events: BTreeMap<_, _> = count(&[
        ("event_type=CHANNEL_CREATE priority=normal result=enqueued", 1.0),
        ("event_type=CHANNEL_CREATE priority=normal result=handled", 1.0),
        ("event_type=CHANNEL_DELETE priority=normal result=dead", 1.0),
        ("event_type=CHANNEL_DELETE priority=normal result=enqueued", 1.0),
        ("event_type=INTERACTION_CREATE priority=interactive result=enqueued", 1.0),
        ("event_type=INTERACTION_CREATE priority=interactive result=handled", 1.0),
        ("event_type=MESSAGE_CREATE priority=normal result=enqueued", 2.0),
        ("event_type=MESSAGE_CREATE priority=normal result=handled", 2.0),
        ("event_type=MESSAGE_UPDATE priority=normal result=enqueued", 1.0),
        ("event_type=MESSAGE_UPDATE priority=normal result=handled", 1.0),
        ("event_type=other priority=bulk result=enqueued", 1.0),
        ("event_type=other priority=bulk result=handled", 1.0),
    ]);
    assert_eq!(metrics.all("bot_events_total"), events);
    let errors: BTreeMap<_, _> = count(&[
        ("event_type=CHANNEL_CREATE priority=normal result=retry", 1.0),
        ("event_type=CHANNEL_CREATE priority=normal result=wait", 1.0),
        ("event_type=CHANNEL_DELETE priority=normal result=discard", 1.0),
        ("event_type=MESSAGE_UPDATE priority=normal result=panic", 1.0),
    ]);
    assert_eq!(metrics.all("bot_handler_errors_total"), errors);
    let waits: BTreeMap<_, _> =
        count(&[("priority=bulk", 1.0), ("priority=interactive", 1.0), ("priority=normal", 5.0)]);
    assert_eq!(metrics.all("bot_queue_wait_ms"), waits);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_and_is_left_to_the_next_owner_is_counted_too() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send((1..=5).map(|n| event(1, n))).await;
    let bounds = Bounds { stop_grace: Duration::ZERO, ..Bounds::default() };
    let (consumer, metrics) = kafka.observe(bounds, 1, |_, _| pending()).await;
    until(|| metrics.sum("bot_queue_wait_ms") == 1.0 && metrics.sum("bot_events_total") == 5.0).await;
    consumer.stop().await;
    let labels = |result| format!("event_type=MESSAGE_CREATE priority=normal result={result}");
    let expected = BTreeMap::from([(labels("abandoned"), 5.0), (labels("enqueued"), 5.0)]);
    assert_eq!(metrics.all("bot_events_total"), expected);
}
