//! What one limit does to its calls.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use common::discord::{Priority, gate::Refused};
use global_resolver::limiter::{BotKey, Call, Fields, Lesson, Limit, Limiter, No, Settings, Window};
use tokio::time::{Instant, advance, sleep};

use crate::judge::{Judge, SECOND, call};

fn limiter() -> Limiter {
    Limiter::new(Settings::default())
}

fn lesson(refusal: Option<(Limit, Duration)>, status: StatusCode) -> Lesson {
    let invalid = matches!(status.as_u16(), 401 | 403 | 429);
    Lesson { hash: None, window: None, refusal, invalid }
}

#[tokio::test(start_paused = true)]
async fn a_429_of_each_kind_costs_one_request_and_the_next_goes_right_after_its_time() {
    for (limit, path, by_other) in [
        (Limit::User, "channels/1/messages", false),
        (Limit::Shared, "channels/1/messages", false),
        (Limit::Inner, "channels/1/messages", false),
        (Limit::Global, "channels/1/messages", true),
        (Limit::Banned, "channels/1/messages", true),
    ] {
        let limiter = limiter();
        let wait = Duration::from_millis(2_340);
        let pass = limiter.enter(call(Method::POST, path)).await.unwrap();
        pass.answered(
            StatusCode::TOO_MANY_REQUESTS,
            &lesson(Some((limit, wait)), StatusCode::TOO_MANY_REQUESTS),
            &Bytes::new(),
        );
        let told = Instant::now();
        let other = limiter.enter(call(Method::POST, "channels/2/messages"));
        let same = limiter.enter(call(Method::POST, path));
        let (other, same) = tokio::join!(async { other.await.map(|_pass| told.elapsed()).unwrap() }, async {
            same.await.map(|_pass| told.elapsed()).unwrap()
        },);
        assert!(same >= wait && same < wait + Duration::from_millis(250), "{limit:?}: {same:?}");
        assert_eq!(other >= wait, by_other, "{limit:?}: another channel after {other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_so_long_learns_it_at_once() {
    let limiter = limiter();
    let pass = limiter.enter(call(Method::POST, "channels/1/messages")).await.unwrap();
    let refusal = Some((Limit::User, 100 * SECOND));
    pass.answered(StatusCode::TOO_MANY_REQUESTS, &lesson(refusal, StatusCode::TOO_MANY_REQUESTS), &Bytes::new());
    sleep(10 * SECOND).await;
    let asked = Instant::now();
    let no = limiter.enter(call(Method::POST, "channels/1/messages")).await.unwrap_err();
    assert_eq!(no, No::Wait { wait: 90 * SECOND, why: Refused::Limit });
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_third_rename_learns_at_once_how_long_it_is_and_the_channel_can_still_be_locked() {
    let limiter = limiter();
    let mut rename = call(Method::PATCH, "channels/1");
    rename.fields = Fields { name: true, topic: false };
    for _ in 0..2 {
        let pass = limiter.enter(rename.clone()).await.unwrap();
        pass.answered(StatusCode::OK, &lesson(None, StatusCode::OK), &Bytes::new());
    }
    let no = limiter.enter(rename.clone()).await.unwrap_err();
    assert_eq!(no, No::Wait { wait: 600 * SECOND, why: Refused::Inner });
    limiter.enter(call(Method::PATCH, "channels/1")).await.unwrap();
    rename.deadline = Instant::now() + 601 * SECOND;
    let asked = Instant::now();
    limiter.enter(rename).await.unwrap();
    assert_eq!(asked.elapsed().as_secs(), 600);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_not_used_again_and_path_tokens_still_are() {
    let limiter = limiter();
    let pass = limiter.enter(call(Method::GET, "users/@me")).await.unwrap();
    let body = Bytes::from_static(br#"{"message":"401: Unauthorized","code":0}"#);
    pass.answered(StatusCode::UNAUTHORIZED, &lesson(None, StatusCode::UNAUTHORIZED), &body);
    let no = limiter.enter(call(Method::GET, "guilds/1")).await.unwrap_err();
    assert!(matches!(no, No::Remembered(refusal) if refusal.status == 401 && refusal.body == body));
    limiter.enter(call(Method::POST, "interactions/1/tok/callback")).await.unwrap();
    assert!(limiter.bots().iter().any(|bot| bot.refused));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_token_that_is_refused_says_nothing_about_others() {
    let limiter = limiter();
    let without = || Call { bot: BotKey::default(), ..call(Method::GET, "users/@me") };
    let pass = limiter.enter(without()).await.unwrap();
    pass.answered(StatusCode::UNAUTHORIZED, &lesson(None, StatusCode::UNAUTHORIZED), &Bytes::new());
    limiter.enter(without()).await.unwrap();
    assert!(!limiter.bots()[0].refused);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_learns_its_hash_stays_closed() {
    let limiter = limiter();
    let path = "channels/1/messages";
    let window = Window { limit: 5, remaining: 4, reset_after: SECOND, reset: None };
    let told = Lesson { window: Some(window), ..lesson(None, StatusCode::OK) };
    limiter.enter(call(Method::POST, path)).await.unwrap().answered(StatusCode::OK, &told, &Bytes::new());
    let (first, second) =
        tokio::join!(limiter.enter(call(Method::POST, path)), limiter.enter(call(Method::POST, path)));
    let limited = StatusCode::TOO_MANY_REQUESTS;
    let wait = 5 * SECOND;
    first.unwrap().answered(limited, &lesson(Some((Limit::User, wait)), limited), &Bytes::new());
    let named = Lesson { hash: Some("abcd".to_owned()), ..told };
    second.unwrap().answered(StatusCode::OK, &named, &Bytes::new());
    let asked = Instant::now();
    limiter.enter(call(Method::POST, path)).await.unwrap();
    assert_eq!(asked.elapsed(), wait);
}

#[tokio::test(start_paused = true)]
async fn one_guilds_thousands_do_not_hold_up_another_guild() {
    let (limiter, judge) = (limiter(), std::sync::Arc::new(Judge::new(1)));
    for number in 0..2_000_u64 {
        let mut call = call(Method::POST, &format!("channels/{}/messages", 1_000 + number));
        (call.flow, call.priority) = (7, Priority::Bulk);
        call.deadline = Instant::now() + 3_600 * SECOND;
        let (limiter, judge) = (limiter.clone(), judge.clone());
        tokio::spawn(async move { judge.call(&limiter, call).await.unwrap() });
    }
    sleep(3 * SECOND).await;
    let begin = Instant::now();
    let mut other = call(Method::POST, "channels/5/messages");
    other.priority = Priority::Bulk;
    judge.call(&limiter, other).await.unwrap();
    assert!(begin.elapsed() < SECOND + Duration::from_millis(100), "{:?}", begin.elapsed());
    assert!(limiter.bots()[0].waiting > 1_500, "the others still wait");
}

#[tokio::test(start_paused = true)]
async fn the_global_limit_is_used_and_never_exceeded() {
    let (limiter, judge) = (limiter(), std::sync::Arc::new(Judge::new(2)));
    let begin = Instant::now();
    let calls: Vec<_> = (0..3_000_u64)
        .map(|number| {
            let mut call = call(Method::POST, &format!("channels/{number}/messages"));
            call.deadline = begin + 3_600 * SECOND;
            let (limiter, judge) = (limiter.clone(), judge.clone());
            tokio::spawn(async move { judge.call(&limiter, call).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let (violations, requests, _) = judge.verdict();
    assert_eq!(violations, Vec::<String>::new());
    assert_eq!(requests, 3_000);
    let rate = 3_000.0 / begin.elapsed().as_secs_f64();
    assert!((47.5..=50.9).contains(&rate), "{rate} in a second");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_leaves_its_place_to_the_next() {
    let limiter = limiter();
    let first = limiter.enter(call(Method::POST, "channels/1/messages")).await.unwrap();
    // One finds out, so the others wait.
    let mut impatient = call(Method::POST, "channels/1/messages");
    impatient.deadline = Instant::now() + SECOND;
    let no = limiter.enter(impatient).await.unwrap_err();
    assert!(matches!(no, No::Wait { why: Refused::Turn, .. }), "{no:?}");
    let dropped = limiter.clone();
    let dropped = tokio::spawn(async move { dropped.enter(call(Method::POST, "channels/1/messages")).await });
    advance(SECOND).await;
    dropped.abort();
    let patient = limiter.enter(call(Method::POST, "channels/1/messages"));
    drop(first);
    patient.await.unwrap();
    assert_eq!(limiter.bots()[0].waiting, 0);
}
