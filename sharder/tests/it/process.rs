//! The real process.

use std::process::Stdio;

use discord_sim::state::State;
use tokio::process::{Child, Command};

use crate::harness::House;

fn process(house: &House) -> Child {
    Command::new(env!("CARGO_BIN_EXE_public"))
        .env("SHARDER_TOKEN", house.seed.token(&house.sim))
        .env("BOT_ID", house.bot.to_string())
        .env("GLOBAL_RESOLVER_URL", house.sim.api_url())
        .env("KAFKA_BROKERS", &house.kafka.brokers)
        .env("KAFKA_TOPIC", &house.kafka.events_topic)
        .env("KAFKA_INTERACTIONS_TOPIC", &house.kafka.interactions_topic)
        .env("KAFKA_CACHE_TOPIC", &house.kafka.cache_topic)
        .env("KAFKA_PARTITIONS", house.kafka.partitions.to_string())
        .env("METRICS_ADDR", "127.0.0.1:0")
        .env("RUST_LOG", "error")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Waits until this many processes have had a session; the simulator may think that the last one still has it.
async fn connected(house: &House, times: usize) {
    let sessions =
        |state: &State| (state.sessions.identifies.len() + state.sessions.resumes as usize == times).then_some(());
    house.sim.wait_for("a session", sessions).await;
}

#[tokio::test]
async fn kill_dash_nine_loses_no_event() {
    let house = House::build().await;
    for number in 1..=4 {
        let mut sharder = process(&house);
        connected(&house, number).await;
        let before = house.position().await;
        house.chat(2_000);
        house.until_position_moves(before).await;
        // SIGKILL, while events are on their way.
        sharder.kill().await.unwrap();
        house.chat(50);
    }
    let mut sharder = process(&house);
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.kill().await.unwrap();
}

#[tokio::test]
async fn a_bad_configuration_exits_with_64_and_names_everything() {
    let output = Command::new(env!("CARGO_BIN_EXE_public"))
        .env_clear()
        .env("SHARDER_ID", "7")
        .current_dir(std::env::temp_dir())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["SHARDER_TOKEN", "SHARDER_ID", "KAFKA_BROKERS"] {
        assert!(text.contains(name), "{text}");
    }
}
