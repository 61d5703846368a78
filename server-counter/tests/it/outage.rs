//! Without the cache: what is known is told on, and what is not known is not made up.

use axum::http::{StatusCode, header};

use crate::house::{House, Manner};

#[tokio::test]
async fn before_the_first_count_there_is_none() {
    let house = House::start(Manner::Refuses(StatusCode::SERVICE_UNAVAILABLE)).await;
    let reason = house.until("/readyz", |answer| answer.body.contains("not ready")).await;
    assert_eq!(reason.status, 503);
    assert!(reason.body.contains("server-counter: cache: it answers 503"), "{reason:?}");

    let answer = house.get("/total").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*", "a page must be able to read the reason");
    let body = answer.json();
    assert!(body["error"].is_string() && body.get("count").is_none(), "{body}");

    let page = house.get("/total/prometheus").await;
    let samples: Vec<_> = page.body.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!((page.status, samples), (200, vec!["tickets_guilds_up 0"]));

    // A cache that was told of no guild does not know that there is none.
    house.cache.now(Manner::Refuses(StatusCode::NOT_FOUND));
    house.until("/readyz", |answer| answer.body.contains("it knows of no guild of the bot yet")).await;
    assert_eq!(house.get("/total").await.status, 503);

    house.cache.now(Manner::Tells(5));
    house.until_told(5).await;
    house.until("/readyz", |answer| answer.status == 200).await;
    house.stop().await;
}

#[tokio::test]
async fn the_last_good_count_is_told_through_an_outage_until_the_next() {
    let house = House::start(Manner::Tells(1234)).await;
    house.until_told(1234).await;
    for failure in [
        Manner::Refuses(StatusCode::SERVICE_UNAVAILABLE),
        Manner::Refuses(StatusCode::BAD_GATEWAY),
        Manner::Refuses(StatusCode::NOT_FOUND),
        Manner::Says("<html>"),
        Manner::Says(r#"{"count":-1}"#),
        Manner::Says(r#"{"guilds":3}"#),
    ] {
        house.cache.now(failure);
        let told = house.until("/total", |answer| answer.json()["stale"] == true).await;
        assert_eq!((told.status, &told.json()["count"]), (200, &1234.into()));
        let page = house.until("/total/prometheus", |answer| answer.body.contains("tickets_guilds_up 0")).await.body;
        assert!(page.contains("\ntickets_guilds 1234\n"), "{page}");
        assert_eq!(house.get("/readyz").await.status, 503);
        house.cache.now(Manner::Tells(1234));
        house.until("/total", |answer| answer.json()["stale"] == false).await;
    }
    house.cache.now(Manner::Tells(1300));
    house.until_told(1300).await;
    house.until("/readyz", |answer| answer.status == 200).await;
    house.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_named_and_not_shown() {
    let house = House::start_with(Manner::Refuses(StatusCode::UNAUTHORIZED), |config| {
        config.shared_key = Some("hunter2".into());
        config.cache.set_username("somebody").unwrap();
        config.cache.set_password(Some("hunter3")).unwrap();
    })
    .await;
    let reason = house.until("/readyz", |answer| answer.body.contains("CACHE_SHARED_KEY")).await;
    assert!(!reason.body.contains("hunter"), "{reason:?}");
    house.stop().await;
}

#[tokio::test]
async fn a_cache_that_is_not_there_is_no_reason_to_show_its_address() {
    let house = House::start_with(Manner::Tells(1), |config| {
        // Port 9 is "discard", and nobody listens.
        config.cache = "http://somebody:hunter2@127.0.0.1:9".parse().unwrap();
    })
    .await;
    let reason = house.until("/readyz", |answer| answer.body.contains("no answer")).await;
    assert!(!reason.body.contains("hunter2") && !reason.body.contains("http://"), "{reason:?}");
    assert_eq!(house.get("/total").await.status, 503);
    house.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_cache_that_hangs() {
    let house = House::start(Manner::Tells(9)).await;
    house.until_told(9).await;
    house.cache.now(Manner::Hangs);
    let asked = house.cache.asked().len();
    house.until("/total", |_| house.cache.asked().len() > asked).await;
    assert_eq!(house.get("/total").await.json()["count"], 9);
    house.stop().await;
}
