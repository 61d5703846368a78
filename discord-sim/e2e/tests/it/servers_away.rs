use std::net::SocketAddr;

use e2e::{Interactions, World, wait::until};

/// Postgres, Redis and Kafka are away when the services start, and come one after the other; later each goes away again for a while.
#[tokio::test(flavor = "multi_thread")]
async fn services_wait_for_their_servers_and_recover() {
    let (world, [postgres, redis, kafka], ops) = World::start_behind_doors().await;
    // Each waits for what it needs first and says so; nothing exits.
    wait(ops, 503, &["postgres", "kafka"]).await;
    postgres.open();
    wait(ops, 503, &["kafka"]).await;
    kafka.open();
    wait(ops, 503, &["redis"]).await;
    redis.open();
    wait(ops, 200, &["ready"]).await;

    world.ready(Interactions::ByHttp).await;
    let panel = world.set_up().await;
    world.open(world.seed.member, &panel).await;

    // They go away at work, and come back.
    kafka.shut();
    wait(ops, 503, &["worker: kafka", "http-gateway: kafka"]).await;
    kafka.open();
    wait(ops, 200, &["ready"]).await;
    postgres.shut();
    wait(ops, 503, &["worker: postgres"]).await;
    postgres.open();
    wait(ops, 200, &["ready"]).await;
    redis.shut();
    // The sharder notices when it has a position to store.
    world.sim.write(|state| state.say(world.seed.general, world.seed.member, "is anybody there?"));
    wait(ops, 503, &["sharder: redis"]).await;
    redis.open();
    wait(ops, 200, &["ready"]).await;
    world.open(world.seed.other_member, &panel).await;
    world.finish().await;
}

/// Waits until `/readyz` answers `status` with every one of `words`.
async fn wait(ops: SocketAddr, status: u16, words: &[&str]) {
    let client = reqwest::Client::new();
    let mut last = String::new();
    let waited = until("it", discord_sim::sim::PATIENCE * 2, async || {
        let answer = client.get(format!("http://{ops}/readyz")).send().await.expect("an answer");
        let answered = answer.status().as_u16();
        last = answer.text().await.expect("a text");
        (answered == status && words.iter().all(|word| last.contains(word))).then_some(())
    })
    .await;
    assert!(waited.is_ok(), "waited in vain for {status} with {words:?}; the last answer was {last}");
}
