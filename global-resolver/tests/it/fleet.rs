//! Several gates before one Discord: together they keep what one would, whatever is lost.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use common::{
    discord::{Priority, gate::Refused},
    service::Service,
};
use global_resolver::{
    fleet::{Fleet, Settings},
    limiter::{self, Breaker, Call, Lesson, Limiter, No},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use testing::Redis;

use crate::{
    judge::call,
    town::{Answer, Gate, Town, answer, until},
};

const MS: Duration = Duration::from_millis(1);

fn status(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.refused.as_str())
}

/// Both gates, of which the first owns the bot.
async fn two(town: &mut Town) -> (Gate, Gate) {
    let (first, second) = (town.gate().await, town.gate().await);
    assert_eq!(status(&first.get("users/@me", 5_000).await), (200, ""));
    (first, second)
}

#[tokio::test]
async fn one_sends_for_a_bot_and_both_together_keep_its_limit() {
    let mut town = Town::new();
    town.global = 30;
    let (first, second) = two(&mut town).await;
    let gates = [&first, &second];
    let begun = Instant::now();
    let calls = (0..45).map(|number| {
        let path = format!("channels/{number}");
        async move { gates[number % 2].get(&path, 5_000).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(status(&answer), (200, ""));
    }
    assert_eq!(town.senders(), [0]);
    assert!(begun.elapsed() >= 1_000 * MS, "30 in a second, not 30 of each: {:?}", begun.elapsed());
    let hits = town.hits();
    assert_eq!(hits.len(), 46);
    assert!(hits.iter().all(|hit| !hit.headers.keys().any(|name| name.as_str().starts_with("x-resolver"))));
    assert_eq!((first.owned().await, second.owned().await), (1, 0));
    assert_eq!((first.metric("resolver_owned_bots").await, second.metric("resolver_owned_bots").await), (1.0, 0.0));
    assert_eq!(second.metric("resolver_forwarded_total").await, 22.0);
    assert_eq!(first.metric("resolver_lease_lost_total").await, 0.0);
    assert_eq!(second.page("/readyz").await, "ready\n");

    let other = answer(second.plain(Method::GET, "users/@me", 5_000).header("authorization", "Bot other")).await;
    assert_eq!(status(&other), (200, ""));
    assert_eq!(town.senders(), [0, 1], "another bot has another owner");
}

#[tokio::test]
async fn a_forwarded_call_is_untouched_and_is_not_forwarded_again() {
    let mut town = Town::new();
    let (first, second) = two(&mut town).await;
    let body = vec![7_u8; 3 << 20];
    town.upstream.will(201, &[("x-ratelimit-bucket", "b"), ("set-cookie", "a=1"), ("set-cookie", "b=2")], "{}");
    let request = second.request(Method::POST, "channels/1/messages?a=b%20c", 5_000);
    let request = request
        .header("content-type", "multipart/form-data; boundary=x")
        .header("x-audit-log-reason", "w%C3%A4hlt")
        .header("x-priority", "bulk")
        .header("x-guild-id", "77")
        .header("accept-encoding", "gzip");
    let response = request.body(body.clone()).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-ratelimit-bucket"], "b");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);

    let hit = town.hits().pop().unwrap();
    assert_eq!((hit.door, hit.method), (first.number, Method::POST));
    assert_eq!(hit.uri.to_string(), "/api/v10/channels/1/messages?a=b%20c");
    assert!(hit.body == body, "the body is another");
    assert_eq!(hit.headers["content-length"], (3 << 20).to_string());
    assert_eq!(hit.headers["content-type"], "multipart/form-data; boundary=x");
    assert_eq!(hit.headers["x-audit-log-reason"], "w%C3%A4hlt");
    for own in ["x-deadline-ms", "x-priority", "x-guild-id", "accept-encoding", "x-resolver-forwarded"] {
        assert_eq!(hit.headers.get(own), None, "{own}");
    }

    let again = second.request(Method::GET, "users/@me", 5_000).header("x-resolver-forwarded", "1");
    assert_eq!(status(&answer(again).await), (503, "owner"));
}

#[tokio::test]
async fn what_the_owner_answers_is_what_the_caller_gets() {
    let mut town = Town::new();
    let (_first, second) = two(&mut town).await;
    town.upstream.will(
        429,
        &[("x-ratelimit-scope", "user")],
        r#"{"message":"wait","retry_after":60.5,"global":false}"#,
    );
    let begun = Instant::now();
    for _ in 0..2 {
        let answer = second.post("channels/1/messages", 5_000).await;
        assert_eq!(status(&answer), (429, "limit"));
        assert!(answer.body["retry_after"].as_f64().unwrap() > 55.0);
    }
    assert!(begun.elapsed() < 4_000 * MS, "at once");
    assert_eq!(town.hits().len(), 2);
}

#[tokio::test]
async fn follow_ups_have_an_owner_too_and_redis_holds_no_token() {
    let mut town = Town::new();
    let (first, second) = (town.gate().await, town.gate().await);
    let path = "webhooks/77/aW50ZXJhY3Rpb24";
    let window = [
        ("x-ratelimit-bucket", "b"),
        ("x-ratelimit-limit", "5"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset-after", "60"),
    ];
    town.upstream.will(200, &window, "{}");
    // With or without a bot's token it is the same webhook.
    assert_eq!(status(&answer(first.plain(Method::POST, path, 5_000)).await), (200, ""));
    assert_eq!(status(&second.post(path, 5_000).await), (429, "limit"));
    assert_eq!(status(&second.post("webhooks/77/another", 5_000).await), (200, ""));
    assert_eq!(town.senders(), [0]);
    assert_eq!(town.hits().len(), 2);
    until("the wait is remembered", async || town.memory().await.len() == 1).await;
    let kept = [town.keys().await, town.memory().await].concat();
    assert!(kept.iter().all(|text| !text.contains("aW50ZXJhY3Rpb24") && !text.contains("a-token")), "{kept:?}");
    assert!(first.page("/health").await.contains("webhook:77"));
}

#[tokio::test]
async fn a_killed_owner_is_followed_after_its_lease_and_its_waits_are_kept() {
    let mut town = Town::in_a_hurry();
    let (first, second) = two(&mut town).await;
    for _ in 0..2 {
        assert_eq!(status(&first.rename("channels/5", 5_000).await), (200, ""));
    }
    town.upstream.will(429, &[("x-ratelimit-scope", "user")], r#"{"message":"wait","retry_after":60,"global":false}"#);
    assert_eq!(status(&first.post("channels/6/messages", 5_000).await), (429, "limit"));
    let window = [
        ("x-ratelimit-bucket", "pins"),
        ("x-ratelimit-limit", "5"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset-after", "60"),
    ];
    town.upstream.will(200, &window, "{}");
    assert_eq!(status(&first.get("channels/7/pins", 5_000).await), (200, ""));
    let inner = [("x-ratelimit-remaining", "4"), ("x-ratelimit-limit", "5"), ("x-ratelimit-reset-after", "1")];
    town.upstream.will(429, &inner, r#"{"message":"wait","retry_after":60,"global":false}"#);
    assert_eq!(status(&first.rename("channels/8", 5_000).await), (429, "inner"));
    until("all is remembered", async || {
        let memory = town.memory().await;
        memory.len() == 5 && memory.iter().any(|fact| fact.starts_with(r#"{"field""#))
    })
    .await;
    let before = town.hits().len();

    first.kill();
    let killed = Instant::now();
    assert_eq!(status(&second.get("users/@me", 15_000).await), (200, ""));
    let waited = killed.elapsed();
    assert!(waited <= town.settings.lease + 3_000 * MS, "{waited:?}");

    let rename = second.rename("channels/5", 5_000).await;
    assert_eq!(status(&rename), (429, "inner"));
    let wait = rename.body["retry_after"].as_f64().unwrap();
    assert!((590.0..=602.0).contains(&wait), "{wait}");
    for (answer, why) in [
        (second.post("channels/6/messages", 5_000).await, "limit"),
        (second.get("channels/7/pins", 5_000).await, "limit"),
        (second.rename("channels/8", 5_000).await, "inner"),
    ] {
        assert_eq!(status(&answer), (429, why));
        let wait = answer.body["retry_after"].as_f64().unwrap();
        assert!((50.0..=60.1).contains(&wait), "{wait}");
    }
    assert_eq!(status(&second.rename("channels/9", 5_000).await), (200, ""));
    assert_eq!(town.hits().len(), before + 2);
}

#[tokio::test]
async fn a_global_429_outlives_its_owner() {
    let mut town = Town::in_a_hurry();
    let (first, second) = two(&mut town).await;
    town.upstream.will(429, &[("x-ratelimit-global", "true")], r#"{"message":"wait","retry_after":60,"global":true}"#);
    assert_eq!(status(&first.get("channels/1", 5_000).await), (429, "limit"));
    until("it is remembered", async || town.memory().await.len() == 1).await;
    first.kill();
    let answer = second.get("channels/2", 15_000).await;
    assert_eq!(status(&answer), (429, "limit"));
    assert!(answer.body["retry_after"].as_f64().unwrap() > 50.0);
    assert_eq!(town.hits().len(), 2);
}

#[tokio::test]
async fn a_change_that_discord_refused_does_not_count_for_the_next_owner() {
    let mut town = Town::in_a_hurry();
    let (first, second) = two(&mut town).await;
    for _ in 0..4 {
        town.upstream.will(400, &[], r#"{"message":"Invalid Form Body","code":50035}"#);
        assert_eq!(first.rename("channels/5", 5_000).await.status, 400);
    }
    until("nothing is left of it", async || town.memory().await.is_empty()).await;
    first.kill();
    for expected in [(200, ""), (200, ""), (429, "inner")] {
        assert_eq!(status(&second.rename("channels/5", 15_000).await), expected);
    }
}

#[tokio::test]
async fn who_has_the_address_of_another_says_so() {
    let mut town = Town::in_a_hurry();
    let first = town.gate().await;
    assert_eq!(status(&first.get("users/@me", 5_000).await), (200, ""));
    let second = town.impostor(&first).await;
    let says = |page: String| page.contains(r#""url_of_another_too":true"#);
    assert!(!says(second.page("/health").await));
    until("it is known", async || {
        // The other's lease is renewed while the bot is used.
        assert_eq!(status(&first.get("users/@me", 5_000).await), (200, ""));
        assert_eq!(status(&second.get("users/@me", 100).await), (503, "owner"));
        says(second.page("/health").await)
    })
    .await;
    assert!(!says(first.page("/health").await));
}

#[tokio::test]
async fn a_stopped_owner_hands_over() {
    let mut town = Town::new();
    town.settings.handover = 200 * MS;
    let (first, second) = two(&mut town).await;
    for _ in 0..2 {
        assert_eq!(status(&first.rename("channels/5", 5_000).await), (200, ""));
    }
    // One that waits there comes back.
    town.upstream.will(429, &[("x-ratelimit-scope", "user")], r#"{"message":"wait","retry_after":0.4,"global":false}"#);
    let waiting = tokio::spawn(answer(second.request(Method::POST, "channels/1/messages", 5_000)));
    until("it waits", async || town.hits().len() == 4).await;
    first.stop();
    let stopped = Instant::now();
    assert_eq!(status(&waiting.await.unwrap()), (200, ""));
    assert_eq!(status(&second.get("users/@me", 15_000).await), (200, ""));
    let waited = stopped.elapsed();
    assert!(waited < 3_000 * MS, "{waited:?}");
    assert_eq!(town.senders(), [0, 1]);
    assert_eq!(status(&second.rename("channels/5", 5_000).await), (429, "inner"));
}

#[tokio::test]
async fn a_call_that_waits_moves_to_another_gate_when_its_own_stops() {
    let mut town = Town::new();
    town.settings.handover = 200 * MS;
    let (first, second) = two(&mut town).await;
    town.upstream.will(429, &[("x-ratelimit-scope", "user")], r#"{"message":"wait","retry_after":1.5,"global":false}"#);
    let waiting = tokio::spawn(answer(first.request(Method::POST, "channels/1/messages", 20_000)));
    until("it waits", async || town.memory().await.len() == 1).await;
    let told = town.hits().last().unwrap().at;
    first.stop();
    assert_eq!(status(&second.get("users/@me", 15_000).await), (200, ""));
    assert_eq!(status(&waiting.await.unwrap()), (200, ""));
    assert_eq!(town.senders(), [0, 1]);
    let sent = town.hits().last().unwrap().at;
    assert!(sent - told >= 1_500 * MS, "{:?}", sent - told);
}

#[tokio::test]
async fn the_last_gate_to_stop_finishes_what_it_can() {
    let mut town = Town::new();
    town.settings.handover = 100 * MS;
    let gate = town.gate().await;
    town.upstream.will(429, &[("x-ratelimit-scope", "user")], r#"{"message":"wait","retry_after":0.6,"global":false}"#);
    let waiting = tokio::spawn(answer(gate.request(Method::POST, "channels/1/messages", 20_000)));
    until("it waits", async || town.hits().len() == 1).await;
    gate.stop();
    assert_eq!(status(&waiting.await.unwrap()), (200, ""));
}

#[tokio::test]
async fn a_bot_that_nobody_uses_is_let_go() {
    let mut town = Town::new();
    (town.settings.idle, town.settings.renewal) = (200 * MS, 50 * MS);
    let (first, second) = two(&mut town).await;
    until("it is let go", async || !town.keys().await.iter().any(|key| key.contains(":owner:"))).await;
    assert_eq!(first.owned().await, 0);
    assert_eq!(status(&second.get("users/@me", 15_000).await), (200, ""));
    assert_eq!(status(&first.get("users/@me", 5_000).await), (200, ""));
    assert_eq!(town.senders(), [0, 1]);
    assert_eq!(first.metric("resolver_lease_lost_total").await, 0.0);
}

/// Calls to both until the second has sent, and nothing of the first comes after.
async fn both_call_until_the_second_sends(town: &Town, first: &Gate, second: &Gate) {
    let second_sends = async || town.hits().iter().any(|hit| hit.door == second.number);
    let cut = Instant::now();
    while !second_sends().await {
        assert!(cut.elapsed() < crate::town::PATIENCE);
        let both = [first, second].map(|gate| gate.get("users/@me", 60));
        futures_util::future::join_all(both).await;
    }
    for _ in 0..20 {
        first.get("users/@me", 30).await;
    }
    assert_eq!(town.senders(), [first.number, second.number]);
    let hits = town.hits();
    let of = |gate: &Gate| hits.iter().filter(|hit| hit.door == gate.number).map(|hit| hit.at).collect::<Vec<_>>();
    let pause = of(second)[0] - *of(first).last().unwrap();
    assert!(pause >= town.settings.margin / 3, "{pause:?}");
}

#[tokio::test]
async fn an_owner_that_is_cut_off_from_redis_alone_ends_before_another_begins() {
    for silently in [false, true] {
        let mut town = Town::in_a_hurry();
        let (first, second) = two(&mut town).await;
        if silently {
            first.redis.silence();
        } else {
            first.redis.shut();
        }
        both_call_until_the_second_sends(&town, &first, &second).await;
        assert!(first.metric("resolver_lease_lost_total").await >= 1.0);

        first.redis.open();
        until("the first knows the owner", async || first.get("users/@me", 100).await.status == 200).await;
        assert_eq!(town.senders(), [0, 1], "it forwards");
    }
}

#[tokio::test]
async fn without_redis_clicks_are_answered_and_the_rest_goes_on_by_itself_later() {
    let mut town = Town::in_a_hurry();
    let (first, second) = two(&mut town).await;
    let shut = Instant::now();
    for gate in [&first, &second] {
        gate.redis.shut();
    }
    let mut refused = None;
    until("the lease ends", async || {
        let answer = first.get("users/@me", 50).await;
        if answer.status == 503 {
            refused = Some(answer);
        }
        refused.is_some()
    })
    .await;
    let refused = refused.unwrap();
    assert_eq!(status(&refused), (503, "owner"));
    assert_eq!(refused.body["retry_after"], 1.0);
    let last = town.hits().last().unwrap().at - shut;
    assert!(last <= town.settings.lease, "{last:?}");
    for gate in [&first, &second] {
        until("it is not ready", async || gate.page("/readyz").await.contains("redis")).await;
        assert_eq!(status(&gate.get("users/@me", 50).await), (503, "owner"));
        assert_eq!(status(&gate.rename("channels/5", 50).await), (503, "owner"));
        assert_eq!(status(&gate.click(gate.number).await), (200, ""));
        let nobodys = answer(gate.plain(Method::GET, "gateway", 1_000)).await;
        assert_eq!(status(&nobodys), (200, ""), "a call without any token");
    }
    let bots = town.hits().into_iter().filter(|hit| hit.headers.contains_key("authorization"));
    assert!(bots.clone().all(|hit| hit.at - shut <= last));

    let waiting = [&first, &second].map(|gate| gate.get("users/@me", 15_000));
    let opening = async {
        tokio::join!(first.redis.knocked(), second.redis.knocked());
        first.redis.open();
        second.redis.open();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), opening);
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    for gate in [&first, &second] {
        until("it is ready", async || gate.page("/readyz").await == "ready\n").await;
    }
}

#[tokio::test]
async fn a_rename_is_not_sent_before_it_is_remembered() {
    let mut town = Town::new();
    let (first, _second) = two(&mut town).await;
    first.redis.shut();
    assert_eq!(status(&first.get("channels/5", 5_000).await), (200, ""), "the lease holds");
    let before = town.hits().len();
    assert_eq!(status(&first.rename("channels/5", 300).await), (503, "owner"));
    assert_eq!(town.hits().len(), before);
    let renaming = tokio::spawn(answer(first.request(Method::PATCH, "channels/5", 5_000).body(r#"{"name":"closed"}"#)));
    first.redis.open();
    assert_eq!(status(&renaming.await.unwrap()), (200, ""));
    assert_eq!(town.memory().await.len(), 1);
}

#[tokio::test]
async fn a_redis_that_was_flushed_makes_nobody_faster() {
    let mut town = Town::in_a_hurry();
    let (first, second) = two(&mut town).await;
    town.forget().await;
    for _ in 0..3 {
        let begun = Instant::now();
        // Whoever gets the bot now.
        until("somebody sends", async || {
            let both = [&first, &second].map(|gate| gate.get("users/@me", 60));
            let sent = futures_util::future::join_all(both).await.iter().any(|answer| answer.status == 200);
            sent && begun.elapsed() > town.settings.renewal * 3
        })
        .await;
        town.forget().await;
    }
    let hits = town.hits();
    for (early, late) in hits.iter().zip(&hits[1..]).filter(|(early, late)| early.door != late.door) {
        assert!(late.at - early.at >= town.settings.margin / 3, "{:?}", late.at - early.at);
    }
}

#[tokio::test]
async fn a_ban_that_one_sees_stops_the_other() {
    let mut town = Town::in_a_hurry();
    let (first, second) = (town.gate().await, town.gate().await);
    town.upstream.will(429, &[("retry-after", "3600")], "<html>error code: 1015</html>");
    assert_eq!(status(&first.click(1).await), (503, "address"));
    until("the other knows", async || second.page("/health").await.contains(r#""banned_for":35"#)).await;
    assert_eq!(status(&second.click(2).await), (503, "address"));
    assert_eq!(status(&second.get("users/@me", 15_000).await), (503, "address"));
    assert_eq!(town.hits().len(), 1);
    // One that comes later knows it before its first call.
    let third = town.gate().await;
    assert_eq!(status(&third.get("users/@me", 5_000).await), (503, "address"));
}

#[tokio::test]
async fn invalid_requests_of_all_open_the_breaker_of_each() {
    let town = Town::in_a_hurry();
    let join = |url| {
        let (limiter, service) = (Limiter::new(limiter::Settings::default()), Service::unattended("global-resolver"));
        (Fleet::join(town.config(url, town.redis()), &limiter, &service).unwrap(), limiter, service)
    };
    let gates = [join("http://first"), join("http://second")];
    let lesson = Lesson::read(StatusCode::FORBIDDEN, &HeaderMap::new(), b"");
    for (_, limiter, _) in &gates {
        for number in 0..2_600 {
            let click = call(Method::POST, &format!("interactions/{number}/token/callback"));
            limiter.enter(click).await.unwrap().answered(StatusCode::FORBIDDEN, &lesson, &Bytes::new());
        }
    }
    for (_, limiter, _) in &gates {
        until("the sum is known", async || limiter.invalid() == 5_200).await;
        assert_eq!(limiter.breaker(), Breaker::Bulk);
        let bulk = Call { priority: Priority::Bulk, ..call(Method::GET, "users/@me") };
        assert!(matches!(limiter.enter(bulk).await, Err(No::Wait { why: Refused::Address, .. })));
        limiter.enter(call(Method::GET, "users/@me")).await.unwrap();
    }
}

#[tokio::test]
async fn a_redis_that_comes_back_with_nothing_learns_all_that_matters_again() {
    let mut redis = Redis::start().await;
    let mut town = Town::on_redis(redis.addr());
    town.settings = Settings { lease: 2_500 * MS, margin: 500 * MS, ..town.hurry() };
    let (first, second) = two(&mut town).await;
    for _ in 0..2 {
        assert_eq!(status(&first.rename("channels/5", 5_000).await), (200, ""));
    }
    // Nothing was saved.
    redis.kill().await;
    redis.restart().await;
    until("it knows the changes", async || town.memory().await.len() == 2).await;
    assert_eq!(status(&second.get("users/@me", 15_000).await), (200, ""));
    assert_eq!(town.senders(), [0], "the owner stayed");
    assert_eq!(first.metric("resolver_lease_lost_total").await, 0.0);

    first.kill();
    // Repeated where the connection to the other breaks in that moment.
    assert_eq!(status(&second.get("users/@me", 10_000).await), (200, ""));
    assert_eq!(status(&second.rename("channels/5", 5_000).await), (429, "inner"));
    assert_eq!(town.senders(), [0, 1]);
}

#[tokio::test]
async fn whatever_is_lost_no_two_send_for_a_bot_at_once() {
    let mut town = Town::new();
    // Owners change often.
    town.settings = Settings { lease: 800 * MS, margin: 300 * MS, ..town.hurry() };
    let mut gates = vec![town.gate().await, town.gate().await, town.gate().await];
    let mut random = StdRng::seed_from_u64(7);
    let begun = Instant::now();
    while begun.elapsed() < 3_000 * MS {
        match random.random_range(0..8) {
            0 => {
                gates.remove(random.random_range(0..3)).kill();
                gates.push(town.gate().await);
            }
            1 => gates[random.random_range(0..3)].redis.shut(),
            2 => gates[random.random_range(0..3)].redis.silence(),
            _ => gates[random.random_range(0..3)].redis.open(),
        }
        let until = Instant::now() + random.random_range(50..250) * MS;
        while Instant::now() < until {
            let calls = gates.iter().flat_map(|gate| {
                let bots = ["Bot 1", "Bot 2"].into_iter();
                bots.map(|bot| answer(gate.plain(Method::GET, "users/@me", 40).header("authorization", bot)))
            });
            futures_util::future::join_all(calls).await;
        }
    }
    for bot in ["Bot 1", "Bot 2"] {
        let hits: Vec<_> = town.hits().into_iter().filter(|hit| hit.headers["authorization"] == bot).collect();
        let turns = hits.iter().zip(&hits[1..]).filter(|(early, late)| early.door != late.door);
        let pauses: Vec<_> = turns.map(|(early, late)| late.at - early.at).collect();
        assert!(hits.len() > 20, "{}", hits.len());
        assert!(pauses.iter().all(|pause| *pause >= town.settings.margin / 3), "{pauses:?}");
    }
}
