//! What is told, to whom, and what it costs.

use std::time::{Duration, Instant};

use axum::http::{Method, header};
use model::routes;
use serde_json::Value;
use twilight_model::id::Id;

use crate::house::{House, Manner};

/// So long that the cache is asked once.
const NEVER_AGAIN: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_count_is_the_caches_and_follows_it() {
    let house = House::start(Manner::Tells(1234)).await;
    let is_new = |told: &Value| told["count"] == 1234 && told["age_seconds"] == 0;
    let told = house.until("/total", |answer| is_new(&answer.json())).await.json();
    assert_eq!(told["stale"], false);
    let as_of = told["as_of"].as_str().unwrap();
    assert!(as_of.ends_with('Z') && as_of.as_bytes()[10] == b'T', "{as_of}");
    house.cache.now(Manner::Tells(1235));
    house.until_told(1235).await;
    house.stop().await;
}

#[tokio::test]
async fn a_count_of_0_that_the_cache_told_is_told() {
    let house = House::start(Manner::Tells(0)).await;
    house.until_told(0).await;
    let page = house.get("/total/prometheus").await.body;
    assert!(page.contains("\ntickets_guilds 0\n"), "{page}");
    house.stop().await;
}

#[tokio::test]
async fn a_hundred_requests_cost_the_cache_none() {
    let house = House::start_with(Manner::Tells(7), |config| config.interval = NEVER_AGAIN).await;
    house.until_told(7).await;
    for _ in 0..50 {
        assert_eq!(house.get("/total").await.status, 200);
        assert_eq!(house.get("/total/prometheus").await.status, 200);
    }
    assert_eq!(house.cache.asked().len(), 1);
    house.stop().await;
}

#[tokio::test]
async fn the_cache_learns_who_asks_about_whom() {
    let house = House::start_with(Manner::Tells(1), |config| {
        config.shared_key = Some("known to both".into());
        config.bot = Some(Id::new(42));
    })
    .await;
    house.until_told(1).await;
    let asked = &house.cache.asked()[0];
    assert_eq!(asked[header::AUTHORIZATION], "Bearer known to both");
    assert_eq!(asked[routes::BOT_ID], "42");

    let stranger = House::start(Manner::Tells(1)).await;
    stranger.until_told(1).await;
    let asked = &stranger.cache.asked()[0];
    assert!(!asked.contains_key(header::AUTHORIZATION) && !asked.contains_key(routes::BOT_ID), "{asked:?}");
    house.stop().await;
    stranger.stop().await;
}

#[tokio::test]
async fn prometheus_reads_samples_with_help_and_type() {
    let begun = Instant::now();
    let house = House::start_with(Manner::Tells(1234), |config| config.interval = NEVER_AGAIN).await;
    house.until_told(1234).await;
    let answer = house.get("/total/prometheus").await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4");
    for line in ["# TYPE tickets_guilds gauge", "tickets_guilds 1234", "tickets_guilds_up 1"] {
        assert!(answer.body.lines().any(|found| found == line), "{line}: {}", answer.body);
    }
    let age = answer.body.lines().find_map(|line| line.strip_prefix("tickets_guilds_age_seconds "));
    let age = age.and_then(|age| age.parse::<u64>().ok());
    assert!(age.is_some_and(|age| age <= begun.elapsed().as_secs()), "{}", answer.body);
    assert!(answer.body.contains("# HELP tickets_guilds "), "{}", answer.body);
    let metrics = house.get("/metrics").await.body;
    assert!(metrics.contains(r#"tickets_guilds{service="server-counter"} 1234"#), "{metrics}");
    house.stop().await;
}

#[tokio::test]
async fn pages_of_any_origin_may_read_it() {
    let house = House::start(Manner::Tells(7)).await;
    house.until_told(7).await;
    for path in ["/total", "/total/prometheus"] {
        let got = house.get(path).await;
        assert_eq!(got.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let head = house.request(Method::HEAD, path).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(head.headers[header::CONTENT_TYPE], got.headers[header::CONTENT_TYPE]);
        let preflight = house.request(Method::OPTIONS, path).await;
        assert_eq!((preflight.status, preflight.body.as_str()), (204, ""));
        assert_eq!(preflight.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(preflight.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, HEAD");
        assert_eq!(preflight.headers[header::ACCESS_CONTROL_ALLOW_HEADERS], "*");
        assert_eq!(house.request(Method::POST, path).await.status, 405);
    }
    house.stop().await;
}

#[tokio::test]
async fn a_proxy_may_keep_a_count_for_one_interval() {
    let house = House::start_with(Manner::Tells(7), |config| config.interval = Duration::from_secs(30)).await;
    let told = house.until_told(7).await;
    assert_eq!(told.headers[header::CACHE_CONTROL], "public, max-age=30");
    assert_eq!(house.get("/total/prometheus").await.headers[header::CACHE_CONTROL], "no-store");
    house.stop().await;
}
