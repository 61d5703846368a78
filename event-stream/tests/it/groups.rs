//! Several consumers share a topic, and come and go.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    sync::{Arc, OnceLock},
    time::Duration,
};

use event_stream::{Bounds, GatewayEvents, Meta};
use model::topics::GatewayEvent;

use crate::support::{Kafka, Log, Running, event, id, until, within};

const GUILDS: u64 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Handled {
    by: &'static str,
    guild: u64,
    sequence: u64,
}

async fn member(kafka: &Kafka, by: &'static str, log: &Log<Handled>, bounds: Bounds) -> Running {
    let log = log.clone();
    let handler = move |event, _| {
        let log = log.clone();
        async move {
            let (guild, sequence) = id(&event);
            for _ in 0..(guild + sequence) % 13 {
                tokio::task::yield_now().await;
            }
            log.push(Handled { by, guild, sequence });
            Ok(())
        }
    };
    kafka.consume(bounds, 16, handler).await
}

fn by(entries: &[Handled], member: &str) -> usize {
    entries.iter().filter(|handled| handled.by == member).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_share_and_a_rebalance_loses_nothing_and_doubles_only_what_was_in_flight() {
    let kafka = Kafka::with_partitions(8).await;
    let bounds = Bounds { in_flight: 64, ..Bounds::default() };
    let log = Log::new();
    let mut sequence = 0;
    let mut more = |events: u64| {
        let from = sequence;
        sequence += events;
        (from..sequence).map(|sequence| event(1 + sequence % GUILDS, sequence)).collect::<Vec<_>>()
    };

    kafka.send(more(400)).await;
    let a = member(&kafka, "a", &log, bounds.clone()).await;
    log.wait(|entries| by(entries, "a") >= 100).await;

    // The second one joins while the first one is busy, and the first one leaves while both are.
    let b = member(&kafka, "b", &log, bounds.clone()).await;
    let feeding = async {
        while by(&log.entries(), "b") < 200 {
            kafka.send(more(100)).await;
        }
    };
    within(feeding).await;
    let shared = log.entries();
    assert!(by(&shared, "a") >= 100 && by(&shared, "b") >= 200);
    kafka.send(more(400)).await;
    a.stop().await;
    kafka.send(more(200)).await;

    let sent = sequence;
    let distinct = |entries: &[Handled]| entries.iter().map(|handled| handled.sequence).collect::<HashSet<_>>().len();
    let entries = log.wait(|entries| entries.len() as u64 >= sent && distinct(entries) as u64 == sent).await;
    b.stop().await;

    let doubled = entries.len() - distinct(&entries);
    // Two rebalances took partitions away: when the second one joined and when the first one left.
    assert!(doubled <= 2 * bounds.in_flight, "{doubled} doubled of {sent}");
    // What one member handles of a guild is in order, and so are the first times over both.
    let mut newest: HashMap<u64, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for handled in entries.iter().filter(|handled| seen.insert(handled.sequence)) {
        let before = newest.insert(handled.guild, handled.sequence);
        assert!(before.is_none_or(|before| before < handled.sequence), "{handled:?} after {before:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_outlasts_the_grace_is_abandoned_and_done_by_the_new_owner() {
    let kafka = Kafka::with_partitions(2).await;
    kafka.send((1..=GUILDS).map(|guild| event(guild, guild))).await;
    let bounds = Bounds { revoke_grace: Duration::from_millis(20), ..Bounds::default() };
    let begun = Log::new();
    let dropped = Log::new();
    let a = {
        let (begun, dropped) = (begun.clone(), dropped.clone());
        let handler = move |event: GatewayEvent, _| {
            let (begun, when_dropped) = (begun.clone(), WhenDropped(dropped.clone(), event.sequence));
            async move {
                begun.push(event.sequence);
                // Held until the end, which never comes by itself.
                let _held = when_dropped;
                pending().await
            }
        };
        kafka.consume(bounds.clone(), 100, handler).await
    };
    begun.wait(|entries| entries.len() as u64 == GUILDS).await;

    let log = Log::new();
    let b = member(&kafka, "b", &log, bounds).await;
    let handled = log.wait(|entries| !entries.is_empty()).await;
    // What the second one got was dropped by the first one before it got it.
    assert!(dropped.entries().contains(&handled[0].sequence));
    a.drop_now();
    log.wait(|entries| entries.len() as u64 == GUILDS).await;
    b.stop().await;
}

/// A guild in each of two partitions, with an event each.
async fn guild_in_each(kafka: &Kafka) -> HashMap<i32, u64> {
    let mut guilds = HashMap::new();
    for guild in 1.. {
        guilds.entry(kafka.producer.send::<GatewayEvents>(&event(guild, 1)).await.unwrap().partition).or_insert(guild);
        if guilds.len() == 2 {
            break;
        }
    }
    guilds
}

#[derive(Clone, Copy, Debug)]
struct Assigned {
    by: &'static str,
    partition: i32,
    number: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_an_assignment_stays_until_another_member_had_the_partition() {
    let kafka = Kafka::with_partitions(2).await;
    let guilds = guild_in_each(&kafka).await;
    let log: Log<Assigned> = Log::new();
    let member = async |by| {
        let log = log.clone();
        let handler = move |_, meta: Meta| {
            log.push(Assigned { by, partition: meta.partition, number: meta.assignment });
            async { Ok(()) }
        };
        kafka.consume(Bounds::default(), 4, handler).await
    };
    let mut sequence = 1;
    let mut feed_until = async |reached: &dyn Fn(&[Assigned]) -> bool| {
        let feeding = async {
            while !reached(&log.entries()) {
                sequence += 1;
                kafka.send(guilds.values().map(|guild| event(*guild, sequence))).await;
            }
        };
        within(feeding).await;
        log.entries()
    };
    let of = |entries: &[Assigned], by, partition| -> Vec<u64> {
        let wanted = entries.iter().filter(|known| known.by == by && known.partition == partition);
        wanted.map(|known| known.number).collect()
    };

    let a = member("a").await;
    let first = feed_until(&|entries| (0..2).all(|partition| of(entries, "a", partition).len() > 20)).await;
    let b = member("b").await;
    let shared = feed_until(&|entries| entries.iter().filter(|known| known.by == "b").count() > 20).await;
    let moved = shared.iter().find(|known| known.by == "b").unwrap().partition;
    b.stop().await;
    let before = log.entries().len();
    let last = feed_until(&|entries| of(&entries[before..], "a", moved).len() > 20).await;
    a.stop().await;

    let numbers = |entries: &[Assigned], by, partition| of(entries, by, partition).into_iter().collect::<HashSet<_>>();
    let (old, between) = (numbers(&first, "a", moved), numbers(&last, "b", moved));
    let both = numbers(&last, "a", moved);
    let new: HashSet<_> = both.difference(&old).copied().collect();
    assert_eq!([old.len(), between.len(), new.len()], [1, 1, 1]);
    assert!(new.is_disjoint(&between) && old.is_disjoint(&between));
    // The new number begins behind what the other one did, and the old one does not come back.
    assert_eq!(numbers(&last[before..], "a", moved), new);
    assert_eq!(numbers(&last, "a", 1 - moved).len(), 1);
    assert!(numbers(&last, "a", 1 - moved).is_disjoint(&both));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_its_thread_is_waited_for_when_its_partition_comes_back() {
    let kafka = Kafka::with_partitions(2).await;
    // In each partition, because the second member may get either.
    let guilds = guild_in_each(&kafka).await;
    let (log, release) = (Log::new(), Arc::new(OnceLock::new()));
    let blocking = {
        let (log, guilds, release) = (log.clone(), guilds.clone(), Arc::clone(&release));
        move |event: GatewayEvent, _| {
            let (log, release) = (log.clone(), Arc::clone(&release));
            let (guild, sequence) = id(&event);
            let blocks = sequence == 1 && guilds.values().any(|blocked| *blocked == guild);
            async move {
                log.push((guild, sequence, "begun"));
                if blocks {
                    // No await: nothing can drop it.
                    release.wait();
                }
                log.push((guild, sequence, "done"));
                Ok(())
            }
        }
    };
    let bounds = Bounds { revoke_grace: Duration::from_millis(20), ..Bounds::default() };
    let (a, metrics) = kafka.observe(bounds.clone(), 16, blocking).await;
    let begun = |entries: &[(u64, u64, &str)]| guilds.values().all(|guild| entries.contains(&(*guild, 1, "begun")));
    log.wait(begun).await;

    // A second member takes one of the partitions, does what the first one holds still, and goes.
    let of_b = Log::new();
    let b = member(&kafka, "b", &of_b, bounds).await;
    let taken = of_b.wait(|entries| entries.iter().any(|done| guilds.values().any(|guild| *guild == done.guild))).await;
    b.stop().await;
    let moved = taken.iter().find(|done| guilds.values().any(|guild| *guild == done.guild)).unwrap().guild;
    until(|| metrics.sum("consumer_partitions") == 2.0).await;

    // The next event of that guild is here, and the first one's handler, which nobody can drop, runs still.
    let taken = || metrics.all("bot_events_total")["event_type=MESSAGE_CREATE priority=normal result=enqueued"];
    let before = taken();
    kafka.send([event(moved, 2)]).await;
    until(|| taken() > before).await;
    release.set(()).unwrap();
    let entries = log.wait(|entries| entries.contains(&(moved, 2, "done"))).await;
    a.stop().await;
    let at = |entry| entries.iter().position(|known| *known == entry).unwrap();
    assert!(at((moved, 1, "done")) < at((moved, 2, "begun")), "{entries:?}");
}

struct WhenDropped(Log<u64>, u64);

impl Drop for WhenDropped {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}
