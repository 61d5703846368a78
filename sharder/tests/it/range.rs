//! Which shards a process holds.

use sharder::{
    Config,
    config::{ShardRange, Shards},
};

use crate::harness::{House, Sharder};

fn recommend(house: &House, shards: u32) {
    house.sim.write(|state| {
        let application = state.applications.get_mut(&house.seed.application).unwrap();
        application.shards = shards;
        application.max_concurrency = 16;
    });
}

/// The shards that have a session, and of how many.
fn connected(house: &House) -> Vec<[u32; 2]> {
    let mut shards: Vec<_> =
        house.sim.read(|state| state.ledger.identifies.iter().map(|identify| identify.shard).collect());
    shards.sort_unstable();
    shards
}

async fn start(house: &House, shards: Shards) -> Sharder {
    let sharder = Sharder::start(Config { shards, ..house.config() }).await;
    sharder.until("/readyz", "ready").await;
    sharder
}

#[tokio::test]
async fn shards_without_guilds_are_ready_at_ready() {
    let house = House::build().await;
    recommend(&house, 4);
    let sharder = start(&house, ShardRange::new(0, 1, 4).unwrap().into()).await;
    assert_eq!(connected(&house), [[0, 4], [1, 4], [2, 4], [3, 4]]);
    let events = house.all_in_kafka().await;
    let of = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((of("READY"), of("GUILD_CREATE")), (4, 1));
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn auto_takes_what_discord_recommends_and_a_restart_does_not_reshard() {
    let house = House::build().await;
    recommend(&house, 3);
    let all = Shards::Auto { process: 0, size: None };
    let sharder = start(&house, all).await;
    assert_eq!(connected(&house), [[0, 3], [1, 3], [2, 3]]);
    assert_eq!(sharder.metric("gateway_shards_recommended").await, 3);
    sharder.stop().await.unwrap();

    recommend(&house, 5);
    let sharder = start(&house, all).await;
    assert_eq!(sharder.metric("gateway_shards_recommended").await, 5);
    assert_eq!(sharder.metric("gateway_resumes_total").await, 3);
    assert_eq!(house.identifies(), 3);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn processes_of_auto_share_the_shards_and_the_last_one_stands_by() {
    let house = House::build().await;
    recommend(&house, 3);
    let first = start(&house, Shards::Auto { process: 0, size: Some(2) }).await;
    assert_eq!(connected(&house), [[0, 3], [1, 3]]);
    // What Discord recommends in the meantime is of no interest.
    recommend(&house, 9);
    let second = start(&house, Shards::Auto { process: 1, size: Some(2) }).await;
    assert_eq!(connected(&house), [[0, 3], [1, 3], [2, 3]]);
    let third = start(&house, Shards::Auto { process: 2, size: Some(2) }).await;
    assert_eq!(connected(&house).len(), 3);
    for sharder in [first, second, third] {
        sharder.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_process_can_hold_any_part_of_the_shards() {
    let house = House::build().await;
    recommend(&house, 5);
    let sharder = start(&house, ShardRange::between(2, 3, 5).unwrap().into()).await;
    assert_eq!(connected(&house), [[2, 5], [3, 5]]);
    sharder.stop().await.unwrap();
}
