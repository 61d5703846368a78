//! Each key in order, whatever happens.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use event_stream::{Bounds, Failure};
use model::topics::GatewayEvent;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::support::{Kafka, Log, event, id, until};

/// Sequence numbers per guild, in the order in which they are listed.
pub(crate) fn by_guild(entries: &[(u64, u64)]) -> HashMap<u64, Vec<u64>> {
    let mut guilds: HashMap<u64, Vec<u64>> = HashMap::new();
    for (guild, sequence) in entries {
        guilds.entry(*guild).or_default().push(*sequence);
    }
    guilds
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guild_stays_in_order_while_64_run_at_once() {
    const GUILDS: u64 = 100;
    const EACH: u64 = 30;
    let kafka = Kafka::new().await;
    kafka.send((0..EACH).flat_map(|sequence| (1..=GUILDS).map(move |guild| event(guild, sequence)))).await;

    let log = Log::new();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let consumer = kafka
        .consume(Bounds::default(), 64, {
            let (log, running, most) = (log.clone(), Arc::clone(&running), Arc::clone(&most));
            move |event, _| {
                let (log, running, most) = (log.clone(), Arc::clone(&running), Arc::clone(&most));
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // Between none and 60 turns of the scheduler, mixed so that neighbours differ.
                    let (guild, sequence) = id(&event);
                    for _ in 0..(guild * 31 + sequence * 17) % 61 {
                        tokio::task::yield_now().await;
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    log.push((guild, sequence));
                    Ok(())
                }
            }
        })
        .await;

    let entries = log.wait(|entries| entries.len() as u64 >= GUILDS * EACH).await;
    consumer.stop().await;
    let expected: Vec<u64> = (0..EACH).collect();
    let guilds = by_guild(&entries);
    assert_eq!(guilds.len() as u64, GUILDS);
    for (guild, sequences) in guilds {
        assert_eq!(sequences, expected, "guild {guild}");
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=64).contains(&most), "{most} at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_event_of_a_guild_waits_while_one_is_tried_again_and_other_guilds_go_on() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1), event(1, 2), event(2, 1), event(1, 3), event(2, 2)]).await;

    let log = Log::new();
    let other = watch::Sender::new(0);
    let consumer = kafka
        .consume(Bounds::default(), 8, {
            let (log, other) = (log.clone(), other.clone());
            move |event, meta| {
                let (log, other) = (log.clone(), other.clone());
                async move {
                    log.push((id(&event), meta.attempt));
                    match id(&event) {
                        (2, _) => {
                            other.send_modify(|done| *done += 1);
                            Ok(())
                        }
                        // Fails twice, the second time only when the other guild is through.
                        (1, 1) if meta.attempt < 3 => {
                            if meta.attempt == 2 {
                                other.subscribe().wait_for(|done| *done == 2).await.map_err(Failure::retry)?;
                            }
                            Err(Failure::retry(std::io::Error::other("not yet")))
                        }
                        _ => Ok(()),
                    }
                }
            }
        })
        .await;

    let entries = log.wait(|entries| entries.len() >= 7).await;
    consumer.stop().await;
    let first: Vec<_> = entries.iter().filter(|((guild, _), _)| *guild == 1).copied().collect();
    assert_eq!(first, [((1, 1), 1), ((1, 1), 2), ((1, 1), 3), ((1, 2), 1), ((1, 3), 1)]);
    let second: Vec<_> = entries.iter().filter(|((guild, _), _)| *guild == 2).copied().collect();
    assert_eq!(second, [((2, 1), 1), ((2, 2), 1)]);
    assert_eq!(kafka.dead().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_beyond_the_bound_and_all_of_it_comes_once_there_is_room() {
    const EVENTS: u64 = 400;
    let kafka = Kafka::new().await;
    kafka.send((0..EVENTS).map(|n| event(1 + n % 20, n))).await;

    let bounds = Bounds { in_flight: 40, per_partition: 15, ..Bounds::default() };
    let gate = Arc::new(Semaphore::new(0));
    let log = Log::new();
    let registry = prometheus::Registry::new();
    let consumer = kafka.consumer().await.with_bounds(bounds);
    consumer.register(&registry).unwrap();
    let stop = CancellationToken::new();
    let handler = {
        let (gate, log) = (Arc::clone(&gate), log.clone());
        move |event: GatewayEvent, _| {
            let (gate, log) = (Arc::clone(&gate), log.clone());
            async move {
                gate.acquire().await.map_err(Failure::retry)?.forget();
                log.push(id(&event));
                Ok(())
            }
        }
    };
    let task = tokio::spawn(consumer.run(stop.clone(), 1_000, handler));

    let value = |name: &str| {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        if name.ends_with("_total") { metric.get_counter().get_value() } else { metric.get_gauge().get_value() }
    };
    // Every partition, or all of them together, is full and paused.
    until(|| value("consumer_pauses_total") >= 1.0 && value("consumer_in_flight") >= 30.0).await;
    assert!(value("consumer_in_flight") <= 40.0, "{}", value("consumer_in_flight"));

    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    let entries = log.wait(|entries| entries.len() as u64 >= EVENTS).await;
    stop.cancel();
    task.await.unwrap().unwrap();
    for (guild, sequences) in by_guild(&entries) {
        let expected: Vec<u64> = (0..EVENTS).filter(|n| 1 + n % 20 == guild).collect();
        assert_eq!(sequences, expected, "guild {guild}");
    }
}
