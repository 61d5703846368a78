//! A topic is followed outside of any group.

use std::{collections::BTreeMap, time::Duration};

use ::testing::Door;
use event_stream::{
    CacheChanges, Error, FollowBounds, Followed, Follower, FollowerMetrics, KafkaConfig, Standing, ensure_topics,
    testing::{self, Raw},
};
use model::topics::CacheChange;
use prometheus::Registry;
use tokio::sync::watch;

use crate::support::{Kafka, Metrics, until_async, within};

fn quick() -> FollowBounds {
    FollowBounds {
        look_every: Duration::from_millis(20),
        answer: Duration::from_millis(500),
        ..FollowBounds::default()
    }
}

async fn follow(config: &KafkaConfig) -> Follower<CacheChanges> {
    Follower::begin_with(config, "test", quick()).await.unwrap()
}

impl Kafka {
    /// Writes these changes of each of the guilds.
    async fn change(&self, guilds: std::ops::Range<u64>, versions: std::ops::Range<u64>) {
        let changes = versions.flat_map(|version| guilds.clone().map(move |guild| testing::change(guild, version)));
        let sent: Vec<_> = changes.map(|change| self.producer.enqueue::<CacheChanges>(&change).unwrap()).collect();
        for delivery in sent {
            delivery.await.unwrap();
        }
    }

    /// A door before the cluster, which is open, and what leads through it.
    async fn door(&self) -> (Door, KafkaConfig) {
        let door = Door::shut_before_kafka(self.config.brokers.clone()).await;
        door.open();
        let config = KafkaConfig { brokers: door.addr().to_string(), ..self.config.clone() };
        (door, config)
    }
}

#[track_caller]
fn records(followed: Followed<CacheChange>) -> Vec<CacheChange> {
    match followed {
        Followed::Records(records) => records,
        Followed::Lost(why) => panic!("{why}"),
    }
}

/// The next `count` records, of which the last ones are not applied yet.
async fn read(follower: &mut Follower<CacheChanges>, count: usize) -> Vec<CacheChange> {
    let mut read = Vec::new();
    while read.len() < count {
        read.extend(records(within(follower.next(count - read.len())).await));
    }
    read
}

/// Applies what was handed out, waits for more, of which there is none, and goes when the follower is current.
async fn catch_up(follower: &mut Follower<CacheChanges>) {
    let mut standing = follower.standing();
    tokio::select! {
        followed = follower.next(1) => panic!("{followed:?}"),
        () = stands(&mut standing, Standing::Current) => {}
    }
}

async fn stands(standing: &mut watch::Receiver<Standing>, wanted: Standing) {
    within(standing.wait_for(|standing| *standing == wanted)).await.unwrap();
}

async fn falls_behind(standing: &mut watch::Receiver<Standing>) {
    within(standing.wait_for(|standing| matches!(standing, Standing::Behind(_)))).await.unwrap();
}

async fn is_cut_off(standing: &mut watch::Receiver<Standing>) {
    within(standing.wait_for(|standing| matches!(standing, Standing::CutOff(_)))).await.unwrap();
}

/// Why the follower lost track; what it had still before is passed over.
async fn lost(follower: &mut Follower<CacheChanges>) -> String {
    loop {
        if let Followed::Lost(why) = within(follower.next(100)).await {
            return why;
        }
    }
}

fn by_guild(changes: &[CacheChange]) -> BTreeMap<u64, Vec<u64>> {
    let mut guilds: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for change in changes {
        assert_eq!(*change, testing::change(change.guild.unwrap().get(), change.version));
        guilds.entry(change.guild.unwrap().get()).or_default().push(change.version);
    }
    guilds
}

fn all_of(guilds: std::ops::Range<u64>, versions: std::ops::Range<u64>) -> BTreeMap<u64, Vec<u64>> {
    guilds.map(|guild| (guild, versions.clone().collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_follower_gets_all_that_is_written_from_its_beginning_on_each_guild_in_order() {
    let kafka = Kafka::new().await;
    kafka.change(1..9, 1..4).await;
    let mut early = follow(&kafka.config).await;
    kafka.change(1..9, 4..7).await;
    let mut late = follow(&kafka.config).await;
    kafka.change(1..9, 7..10).await;
    assert_eq!(by_guild(&read(&mut early, 48).await), all_of(1..9, 4..10));
    assert_eq!(by_guild(&read(&mut late, 24).await), all_of(1..9, 7..10));
    catch_up(&mut early).await;
    catch_up(&mut late).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_loses_nothing() {
    let kafka = Kafka::new().await;
    let mut follower = follow(&kafka.config).await;
    let mut read = Vec::new();
    let writing = kafka.change(1..9, 1..30);
    tokio::pin!(writing);
    let mut written = false;
    while read.len() < 8 * 29 {
        tokio::select! {
            () = &mut writing, if !written => written = true,
            followed = follower.next(3) => read.extend(records(followed)),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(by_guild(&read), all_of(1..9, 1..30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_current_once_what_it_was_handed_is_applied() {
    let kafka = Kafka::new().await;
    let mut follower = follow(&kafka.config).await;
    let mut standing = follower.standing();
    stands(&mut standing, Standing::Current).await;
    kafka.change(1..11, 1..2).await;
    read(&mut follower, 10).await;
    falls_behind(&mut standing).await;
    catch_up(&mut follower).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_cut_off_is_current_only_when_it_has_what_was_written_meanwhile() {
    let kafka = Kafka::new().await;
    let (door, config) = kafka.door().await;
    let mut follower = follow(&config).await;
    let mut standing = follower.standing();
    for (round, cut) in [Door::shut, Door::silence].into_iter().enumerate() {
        let version = round as u64 * 2;
        kafka.change(1..4, version..version + 1).await;
        read(&mut follower, 3).await;
        catch_up(&mut follower).await;
        cut(&door);
        is_cut_off(&mut standing).await;
        kafka.change(1..6, version + 1..version + 2).await;
        door.open();
        // Not from cut off to current, though nothing is in hand.
        let next = within(standing.wait_for(|standing| !matches!(standing, Standing::CutOff(_)))).await;
        assert!(matches!(*next.unwrap(), Standing::Behind(_)));
        assert_eq!(by_guild(&read(&mut follower, 5).await), all_of(1..6, version + 1..version + 2));
        assert_ne!(*standing.borrow(), Standing::Current);
        catch_up(&mut follower).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_follower_loses_what_is_deleted_before_it_is_read() {
    let kafka = Kafka::with_partitions(1).await;
    let bounds = FollowBounds { records: 1, ..quick() };
    let mut follower: Follower<CacheChanges> = Follower::begin_with(&kafka.config, "test", bounds).await.unwrap();
    kafka.change(1..2, 1..11).await;
    testing::delete_records(&kafka.config, &kafka.config.cache_topic, 0, 8).await.unwrap();
    let why = lost(&mut follower).await;
    assert_eq!(*follower.standing().borrow(), Standing::Behind(why));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_during_a_cut_off_is_lost_and_another_follower_goes_on() {
    let kafka = Kafka::with_partitions(1).await;
    let (door, config) = kafka.door().await;
    let mut follower = follow(&config).await;
    door.shut();
    is_cut_off(&mut follower.standing()).await;
    kafka.change(1..2, 1..11).await;
    testing::delete_records(&kafka.config, &kafka.config.cache_topic, 0, 8).await.unwrap();
    door.open();
    let why = lost(&mut follower).await;
    assert_eq!(lost(&mut follower).await, why);
    assert_eq!(*follower.standing().borrow(), Standing::Behind(why));

    let mut follower = follow(&config).await;
    kafka.change(1..2, 11..13).await;
    assert_eq!(by_guild(&read(&mut follower, 2).await), all_of(1..2, 11..13));
    catch_up(&mut follower).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_is_lost() {
    let kafka = Kafka::new().await;
    let mut follower = follow(&kafka.config).await;
    testing::delete_topic(&kafka.config, &kafka.config.cache_topic).await.unwrap();
    lost(&mut follower).await;
    let again = Follower::<CacheChanges>::begin(&kafka.config, "test").await;
    assert!(matches!(again, Err(Error::NoTopic { .. })), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_anew_during_a_cut_off_is_lost() {
    let kafka = Kafka::with_partitions(1).await;
    let (door, config) = kafka.door().await;
    let mut follower = follow(&config).await;
    kafka.change(1..2, 1..6).await;
    read(&mut follower, 5).await;
    catch_up(&mut follower).await;
    door.shut();
    is_cut_off(&mut follower.standing()).await;
    let topic = &kafka.config.cache_topic;
    testing::delete_topic(&kafka.config, topic).await.unwrap();
    until_async(async || {
        ensure_topics(&kafka.config).await.unwrap();
        testing::try_read_raw(&kafka.config, topic).await.is_ok_and(|records| records.is_empty())
    })
    .await;
    kafka.change(1..2, 6..8).await;
    door.open();
    lost(&mut follower).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_decode_is_a_loss_and_counted_once() {
    let kafka = Kafka::new().await;
    let registry = Registry::new();
    let metrics = FollowerMetrics::register(&registry).unwrap();
    let mut follower = follow(&kafka.config).await.with_metrics(metrics.clone());
    kafka.change(1..2, 1..3).await;
    read(&mut follower, 2).await;
    testing::send_raw(&kafka.config, &kafka.config.cache_topic, &[Raw::new(b"1", b"?")]).await.unwrap();
    let why = lost(&mut follower).await;
    assert!(why.contains("header schema is missing"), "{why}");
    lost(&mut follower).await;
    let metrics = Metrics(registry);
    assert_eq!(metrics.sum("follower_records_total"), 2.0);
    assert_eq!(metrics.all("follower_losses_total"), BTreeMap::from([("cause=undecodable".to_owned(), 1.0)]));

    let mut follower = follow(&kafka.config).await;
    kafka.change(1..2, 3..4).await;
    assert_eq!(by_guild(&read(&mut follower, 1).await), all_of(1..2, 3..4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_does_not_begin_without_brokers_or_its_topic() {
    let none = Follower::<CacheChanges>::begin(&testing::config(), "test").await;
    assert!(matches!(none, Err(Error::NoTopic { .. })), "{none:?}");
    // Nobody listens there.
    let none = Follower::<CacheChanges>::begin(&KafkaConfig::at("127.0.0.1:1"), "test").await;
    assert!(matches!(none, Err(Error::Unreachable { .. })), "{none:?}");
}
