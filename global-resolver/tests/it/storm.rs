//! Half an hour of calls against a Discord that refuses a third of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::{Method, StatusCode};
use common::discord::Priority;
use global_resolver::limiter::{BotKey, Limiter, Settings};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::judge::{Judge, Rule, SECOND, call};

/// The judge takes up to 25 ms each way.
const ANSWERED: Duration = Duration::from_millis(50);

/// How long the gate stays the same, and how long there is none then.
type Changes = Option<(Duration, Duration)>;

async fn storm(minutes: u32, seed: u64, scoped: bool, refuses: f64, changes: Changes) -> (Vec<String>, usize, usize) {
    let mut judge = Judge::new(seed);
    (judge.scoped, judge.refuses) = (scoped, refuses);
    judge.rules = HashMap::from([
        ("GET channels/{id}", Rule { limit: 50, period: SECOND }),
        ("PATCH channels/{id}", Rule { limit: 10, period: 15 * SECOND }),
        ("POST guilds/{id}/channels", Rule { limit: 3, period: 10 * SECOND }),
    ]);
    let (judge, limiter) = (Arc::new(judge), Limiter::new(Settings::default()));
    let (owner, gate) = watch::channel(Some(limiter));
    if let Some((stays, pause)) = changes {
        tokio::spawn(change(owner, stays, pause));
    }
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
            let (gate, judge) = (gate.clone(), judge.clone());
            calls.push(tokio::spawn(async move { judge.call_by(gate, call).await }));
        }
        sleep(Duration::from_millis(rng.random_range(1..700))).await;
    }
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), StatusCode::OK);
    }
    judge.verdict()
}

/// Now the one gate has the bots, now the other: each begins with what it finds of the one before.
async fn change(owner: watch::Sender<Option<Limiter>>, stays: Duration, pause: Duration) {
    let gates = [Limiter::new(Settings::default()), Limiter::new(Settings::default())];
    let mut turn = 0;
    owner.send_replace(Some(gates[turn].clone()));
    loop {
        sleep(stays).await;
        owner.send_replace(None);
        // Its last requests are answered.
        sleep(ANSWERED).await;
        let (before, after) = (&gates[turn], &gates[1 - turn]);
        let facts = [0, 1].map(|bot| BotKey::of(&[bot])).map(|bot| (bot, before.facts(bot)));
        sleep(pause).await;
        for (bot, facts) in facts {
            after.take_over(bot, facts);
        }
        owner.send_replace(Some(after.clone()));
        turn = 1 - turn;
    }
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_of_random_refusals_has_no_early_retry() {
    let (violations, requests, refusals) = storm(30, 1, false, 0.3, None).await;
    assert!(refusals * 5 > requests, "{refusals} of {requests}");
    assert_eq!(violations.len(), 0, "{violations:#?}");
}

#[tokio::test(start_paused = true)]
async fn with_nobody_else_at_the_limits_hardly_anything_is_refused() {
    for scoped in [false, true] {
        let (violations, requests, refusals) = storm(5, 2, scoped, 0.0, None).await;
        assert_eq!(violations.len(), 0, "{violations:#?}");
        assert!(refusals * 1_000 < requests, "{refusals} of {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn gates_that_take_turns_are_no_earlier_than_one() {
    // After a polite stop, and after a lease.
    for pause in [Duration::from_millis(1_100), 10 * SECOND] {
        let (violations, requests, refusals) = storm(8, 3, false, 0.3, Some((20 * SECOND, pause))).await;
        assert!(refusals * 5 > requests, "{refusals} of {requests}");
        assert_eq!(violations.len(), 0, "{violations:#?}");
        let (violations, requests, refusals) = storm(3, 4, true, 0.0, Some((7 * SECOND, pause))).await;
        assert_eq!(violations.len(), 0, "{violations:#?}");
        assert!(refusals * 1_000 < requests, "{refusals} of {requests}");
    }
}
