//! What no retry can cure ends the sharder, with the cause and the remedy.

use std::time::Duration;

use secrecy::SecretString;
use sharder::{Config, identify::Settings};

use crate::harness::{House, Sharder};

#[track_caller]
fn says(error: &anyhow::Error, words: &[&str]) {
    let text = format!("{error:#}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_named() {
    let house = House::build().await;
    let mut sharder = Sharder::start(Config { token: SecretString::from("wrong"), ..house.config() }).await;
    says(&sharder.ended().await.unwrap_err(), &["SHARDER_TOKEN", "401"]);
}

#[tokio::test]
async fn a_token_that_is_reset_later_is_named() {
    let house = House::build().await;
    let mut sharder = house.start().await;
    house.sim.write(|state| {
        let bot = state.users.get_mut(&house.seed.application.cast()).unwrap();
        bot.token = "another".to_owned();
        state.sessions.disconnect_bots(None);
    });
    says(&sharder.ended().await.unwrap_err(), &["4004", "SHARDER_TOKEN", "developer portal"]);
}

#[tokio::test]
async fn a_token_that_is_reset_while_a_shard_waits_to_identify_is_named() {
    let house = House::build().await;
    let identify = Settings { fresh: Duration::ZERO, ..house.config().identify };
    let mut sharder = Sharder::start(Config { identify, ..house.config() }).await;
    sharder.until("/readyz", "ready").await;
    house.sim.write(|state| {
        state.sessions.invalidate_bots(false);
        let bot = state.users.get_mut(&house.seed.application.cast()).unwrap();
        bot.token = "another".to_owned();
    });
    says(&sharder.ended().await.unwrap_err(), &["4004", "401", "SHARDER_TOKEN", "developer portal"]);
    assert_eq!(house.identifies(), 1);
}

#[tokio::test]
async fn an_intent_that_is_not_enabled_is_named_and_can_be_left_out() {
    let house = House::build().await;
    house.sim.write(|state| state.applications.get_mut(&house.seed.application).unwrap().privileged_intents = 0);
    let mut sharder = Sharder::start(house.config()).await;
    says(
        &sharder.ended().await.unwrap_err(),
        &["4014", "MESSAGE_CONTENT", "developer portal", "GATEWAY_MESSAGE_CONTENT=false"],
    );
    let mut sharder = Sharder::start(Config { message_content: false, members: true, ..house.config() }).await;
    says(&sharder.ended().await.unwrap_err(), &["4014", "GUILD_MEMBERS", "developer portal", "GATEWAY_MEMBERS=false"]);

    let sharder = Sharder::start(Config { message_content: false, ..house.config() }).await;
    sharder.until("/readyz", "ready").await;
    house.all_in_kafka().await;
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn an_end_for_good_still_hands_to_kafka_what_was_received() {
    let house = House::build().await;
    let (mut sharder, door) = house.start_behind_a_door().await;
    house.position_is_last().await;
    door.shut();
    house.chat(20);
    sharder.until("/metrics", r#"type="MESSAGE_CREATE",service="sharder"} 20"#).await;
    house.sim.write(|state| {
        let bot = state.users.get_mut(&house.seed.application.cast()).unwrap();
        bot.token = "another".to_owned();
        state.sessions.disconnect_bots(None);
    });
    sharder.until("/metrics", r#"gateway_disconnects_total{code="4004""#).await;
    door.open();
    says(&sharder.ended().await.unwrap_err(), &["4004", "SHARDER_TOKEN"]);
    house.all_in_kafka().await;
    house.position_is_last().await;
}
