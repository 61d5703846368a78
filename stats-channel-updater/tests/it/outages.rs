//! Neither the counter's nor Discord's absence ends it, or makes it do anything twice.

use std::time::Duration;

use axum::http::StatusCode;
use common::discord::Discord;
use discord_sim::RestFault;
use serde_json::{Value, json};
use stats_channel_updater::config::Pace;

use crate::house::House;

#[tokio::test]
async fn a_counter_that_does_not_know_leaves_the_name_alone() {
    let house = House::new("Servers: 7", 0).await;
    house.counter.answers(StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "not known yet" }));
    let updater = house.start();
    let reason = updater.until_missing("503").await;
    assert!(reason.contains("counter"), "{reason}");
    for (status, body) in [
        (StatusCode::OK, json!({ "error": "a page" })),
        (StatusCode::OK, json!({ "count": "8" })),
        (StatusCode::BAD_GATEWAY, json!({ "count": 8 })),
    ] {
        house.counter.answers(status, body);
        house.counter.read_again(3).await;
    }
    assert_eq!((house.asked("PATCH"), house.asked("GET")), (vec![], vec![200]));
    house.counter.tells(8);
    house.until_shown("Servers: 8").await;
    updater.until_missing("").await;
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_counter_that_is_not_there_is_waited_for() {
    let mut house = House::new("soon", 8).await;
    // Port 9 is "discard", and nobody listens.
    house.config.counter = "http://somebody:hunter2@127.0.0.1:9/total".parse().unwrap();
    let updater = house.start();
    let reason = updater.until_missing("no answer").await;
    assert!(!reason.contains("hunter2") && !reason.contains("http://"), "{reason}");
    updater.stop().await;
    assert_eq!(house.asked("PATCH"), Vec::<u16>::new());
    house.finish();
}

#[tokio::test]
async fn a_rename_that_waits_does_not_hurry_a_counter_that_is_away() {
    let mut house = House::new("soon", 1).await;
    let hour = Duration::from_secs(3600);
    house.config.pace = Pace { interval: hour, first_retry: hour, longest_retry: hour, ..house.config.pace };
    house.fault("PATCH", 1, RestFault::InnerLimited { retry_after: Duration::from_secs(2) });
    let updater = house.start();
    house.until_asked("PATCH", 1).await;
    house.counter.answers(StatusCode::SERVICE_UNAVAILABLE, json!({}));
    updater.until_missing("503").await;
    let discord = Discord::new(&house.config.discord, house.config.token.clone()).unwrap();
    for _ in 0..50 {
        discord.get_json::<Value>("users/@me").await.unwrap();
    }
    assert_eq!((house.counter.reads(), house.asked("PATCH")), (2, vec![429]));
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_stale_count_is_shown_for_an_hour() {
    let house = House::new("soon", 0).await;
    house.counter.tells_stale(8, 3_599);
    let updater = house.start();
    house.until_shown("Servers: 8").await;
    house.counter.tells_stale(9, 3_600);
    let reason = updater.until_missing("60 minutes old").await;
    assert!(reason.contains("counter"), "{reason}");
    house.counter.read_again(3).await;
    assert_eq!(house.asked("PATCH"), [200]);
    house.counter.answers(StatusCode::OK, json!({ "count": 10, "age_seconds": 7_200, "stale": false }));
    house.until_shown("Servers: 10").await;
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_discord_that_fails_is_asked_again_until_it_answers() {
    let house = House::new("soon", 5).await;
    // More than a GET is repeated for one call.
    house.fault("GET", 8, RestFault::ServerError(503));
    house.fault("PATCH", 1, RestFault::ServerError(500));
    let updater = house.start();
    let reason = updater.until_missing("discord answered 503").await;
    assert!(reason.contains("stats-channel-updater: discord"), "{reason}");
    house.until_shown("Servers: 5").await;
    updater.until_missing("").await;
    assert_eq!(house.asked("PATCH"), [500, 200]);
    assert_eq!((updater.renames("failed"), updater.renames("renamed")), (1.0, 1.0));
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_rename_that_was_done_without_an_answer_is_not_done_again() {
    for fault in [RestFault::FailAfterEffect, RestFault::BreakAfterEffect] {
        let house = House::new("soon", 5).await;
        house.fault("PATCH", 1, fault);
        let updater = house.start();
        house.until_asked("GET", 2).await;
        house.counter.read_again(5).await;
        assert_eq!((house.asked("PATCH").len(), house.name().as_str()), (1, "Servers: 5"));
        updater.until_missing("").await;
        updater.stop().await;
        house.finish();
    }
}

#[tokio::test]
async fn failing_renames_are_no_more_than_the_limit_allows() {
    let mut house = House::new("soon", 5).await;
    house.config.pace.window = Duration::from_secs(600);
    house.fault("PATCH", 100, RestFault::ServerError(500));
    let updater = house.start();
    house.until_asked("PATCH", 2).await;
    house.counter.read_again(20).await;
    assert_eq!(house.asked("PATCH"), [500, 500]);
    updater.stop().await;
    house.finish();
}
