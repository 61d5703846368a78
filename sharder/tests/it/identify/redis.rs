//! Redis loses everything, goes away, or comes back with an older memory: slower, never faster.

use std::time::{Duration, Instant};

use discord_sim::state::State;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use testing::Redis;
use tokio::time::timeout;

use super::fleet::{Fleet, INTERVAL, SETTINGS, timed};
use crate::harness::PATIENCE;

#[tokio::test]
async fn a_redis_that_forgets_everything_again_and_again_makes_nobody_faster() {
    for seed in 0..2 {
        let mut fleet = Fleet::with_buckets(2).await;
        // Who waits asks often, and would find a bucket that nobody seems to have used.
        fleet.settings.patience = Duration::from_millis(150);
        let shards = 8;
        let connecting = async {
            let processes = (0..3).map(|number| {
                let process = fleet.process();
                async move { process.connect((0..shards).filter(|shard| shard % 3 == number), shards).await }
            });
            futures_util::future::join_all(processes).await
        };
        let mut random = StdRng::seed_from_u64(seed);
        let flushes = async {
            for identifies in 1..6 {
                let identified = |state: &State| (state.ledger.identifies.len() >= identifies).then_some(());
                fleet.sim.wait_for("an IDENTIFY", identified).await;
                // Before, or after, the process has told of it.
                tokio::time::sleep(INTERVAL.mul_f64(random.random_range(0.0..0.4))).await;
                fleet.forget().await;
            }
        };
        let (refused, ()) = timeout(PATIENCE, async { tokio::join!(connecting, flushes) }).await.unwrap();
        assert_eq!(refused, [0, 0, 0], "seed {seed}");
        fleet.finish(shards);
    }
}

#[tokio::test]
async fn without_redis_nobody_identifies_and_with_it_they_go_on() {
    let mut redis = Redis::start().await;
    let fleet = Fleet::on_redis(1, redis.addr()).await;
    let process = fleet.process();
    assert_eq!(process.connect([0], 4).await, 0);
    redis.kill().await;
    let other = fleet.process();
    let connecting = tokio::spawn(async move { tokio::join!(process.connect([1, 2], 4), other.connect([3], 4)) });
    let (_, away) = timed(tokio::time::sleep(SETTINGS.lease * 3)).await;
    assert_eq!(fleet.identifies().len(), 1, "{away:?} without Redis");

    let back = Instant::now();
    redis.restart().await;
    timeout(
        PATIENCE,
        fleet.sim.wait_for("a second IDENTIFY", |state| (state.ledger.identifies.len() == 2).then_some(())),
    )
    .await
    .unwrap();
    // It came back empty: somebody might have identified just before, or hold a slot.
    let waited = back.elapsed();
    assert!(waited >= SETTINGS.lease + SETTINGS.interval, "{waited:?}");
    assert_eq!(timeout(PATIENCE, connecting).await.unwrap().unwrap(), (0, 0));
    fleet.finish(4);
}

#[tokio::test]
async fn a_redis_that_comes_back_with_an_older_memory_is_not_believed() {
    let mut redis = Redis::start().await;
    let fleet = Fleet::on_redis(1, redis.addr()).await;
    assert_eq!(fleet.process().connect([0], 3).await, 0);
    let long_ago = SETTINGS.lease + SETTINGS.interval + SETTINGS.margin;
    tokio::time::sleep(long_ago).await;
    redis.save().await;
    // What comes now is not on its disk, and the processes that remember it are gone.
    assert_eq!(fleet.process().connect([1], 3).await, 0);
    redis.kill().await;
    redis.restart().await;
    let (refused, waited) = timed(fleet.process().connect([2], 3)).await;
    assert_eq!(refused, 0);
    assert!(waited >= SETTINGS.lease + SETTINGS.interval, "{waited:?}");
    fleet.finish(3);
}

#[tokio::test]
async fn the_first_identify_of_a_day_waits_only_where_others_could_identify_too() {
    let mut fleet = Fleet::with_buckets(1).await;
    fleet.settings.lease = PATIENCE * 2;
    timeout(PATIENCE, fleet.process_that_is(true).connect([0], 1)).await.expect("nobody is waited for");
    fleet.finish(1);

    let unknown = SETTINGS.lease + SETTINGS.interval + SETTINGS.margin;
    let fleet = Fleet::with_buckets(1).await;
    fleet.process_that_is(true).connect([0], 2).await;
    let mut held = fleet.holder(0);
    while held() {
        tokio::task::yield_now().await;
    }
    // Somebody has identified today, and Redis does not know when.
    fleet.forget().await;
    let (_, waited) = timed(fleet.process_that_is(true).connect([1], 2)).await;
    assert!(waited >= unknown, "{waited:?}");
    fleet.finish(2);

    let fleet = Fleet::with_buckets(1).await;
    let (_, waited) = timed(fleet.process().connect([0], 1)).await;
    assert!(waited >= unknown, "{waited:?}");
    fleet.finish(1);
}

#[tokio::test]
async fn a_process_remembers_by_itself_when_it_identified() {
    let fleet = Fleet::with_buckets(1).await;
    // Whatever Discord and Redis say, there is no reason to wait for others.
    let process = fleet.process_that_is(true);
    let permit = process.line.permit(0).await.unwrap();
    process.line.note(&permit);
    fleet.forget().await;
    let (_, waited) = timed(process.line.permit(1)).await;
    assert!(waited >= SETTINGS.interval, "{waited:?}");
}
