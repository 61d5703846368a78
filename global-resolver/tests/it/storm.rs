//! Half an hour of calls against a Discord that refuses a third of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::{Method, StatusCode};
use common::discord::Priority;
use global_resolver::limiter::{BotKey, Limiter, Settings};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::judge::{Judge, Rule, SECOND, call};

async fn storm(minutes: u32, seed: u64, scoped: bool, refuses: f64) -> (Vec<String>, usize, usize) {
    let mut judge = Judge::new(seed);
    (judge.scoped, judge.refuses) = (scoped, refuses);
    judge.rules = HashMap::from([
        ("GET channels/{id}", Rule { limit: 50, period: SECOND }),
        ("PATCH channels/{id}", Rule { limit: 10, period: 15 * SECOND }),
        ("POST guilds/{id}/channels", Rule { limit: 3, period: 10 * SECOND }),
    ]);
    let (judge, limiter) = (Arc::new(judge), Limiter::new(Settings::default()));
    let mut rng = StdRng::seed_from_u64(seed);
    let mut calls = Vec::new();
    let end = Instant::now() + minutes * 60 * SECOND;
    while Instant::now() < end {
        for _ in 0..rng.random_range(1..7) {
            let id = rng.random_range(1..30);
            let (method, path) = match rng.random_range(0..6) {
                0 => (Method::GET, format!("channels/{id}")),
                1 => (Method::PATCH, format!("channels/{id}")),
                2 => (Method::POST, format!("guilds/{id}/channels")),
                3 => (Method::POST, format!("interactions/{id}/token{}/callback", rng.random::<u32>())),
                _ => (Method::POST, format!("channels/{id}/messages")),
            };
            let mut call = call(method, &path);
            call.bot = BotKey::of(&[rng.random_range(0..2)]);
            call.priority = if rng.random() { Priority::Interactive } else { Priority::Bulk };
            call.deadline = Instant::now() + 600 * SECOND;
            let (limiter, judge) = (limiter.clone(), judge.clone());
            calls.push(tokio::spawn(async move { judge.call(&limiter, call).await }));
        }
        sleep(Duration::from_millis(rng.random_range(1..700))).await;
    }
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), StatusCode::OK);
    }
    judge.verdict()
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_of_random_refusals_has_no_early_retry() {
    let (violations, requests, refusals) = storm(30, 1, false, 0.3).await;
    assert!(refusals * 5 > requests, "{refusals} of {requests}");
    assert_eq!(violations.len(), 0, "{violations:#?}");
}

#[tokio::test(start_paused = true)]
async fn with_nobody_else_at_the_limits_hardly_anything_is_refused() {
    for scoped in [false, true] {
        let (violations, requests, refusals) = storm(5, 2, scoped, 0.0).await;
        assert_eq!(violations.len(), 0, "{violations:#?}");
        assert!(refusals * 1_000 < requests, "{refusals} of {requests}");
    }
}
