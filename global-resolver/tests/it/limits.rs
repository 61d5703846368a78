//! What one limit does to its calls.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use common::discord::{Priority, gate::Refused};
use futures_util::future::join_all;
use global_resolver::limiter::{BotKey, Call, Fields, Lesson, Limit, Limiter, No, Settings, Window};
use tokio::{
    sync::mpsc,
    time::{Instant, advance, sleep},
};

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
async fn after_a_global_refusal_or_a_ban_one_goes_first_and_not_all_who_waited() {
    for limit in [Limit::Global, Limit::Banned] {
        let limiter = limiter();
        let refused = StatusCode::TOO_MANY_REQUESTS;
        let refusal = lesson(Some((limit, SECOND)), refused);
        let passes = (0..30).map(|channel| limiter.enter(call(Method::POST, &format!("channels/{channel}/messages"))));
        let mut passes = join_all(passes).await.into_iter().map(Result::unwrap);
        passes.next().unwrap().answered(refused, &refusal, &Bytes::new());
        drop(passes);
        let (sent, mut waiting) = mpsc::unbounded_channel();
        for channel in 100..130 {
            let (limiter, sent) = (limiter.clone(), sent.clone());
            tokio::spawn(async move {
                let entered = limiter.enter(call(Method::POST, &format!("channels/{channel}/messages"))).await;
                sent.send(entered.unwrap()).unwrap();
            });
        }
        let began = Instant::now();
        let mut now = async |least: usize| {
            let mut passes = vec![waiting.recv().await.unwrap()];
            // All who may go in this moment go in it.
            sleep(Duration::from_millis(1)).await;
            passes.extend(std::iter::from_fn(|| waiting.try_recv().ok()));
            assert_eq!(passes.len(), least, "{limit:?}");
            passes
        };
        let first = now(1).await;
        assert!(began.elapsed() >= SECOND, "{:?}", began.elapsed());
        // It is still closed: that cost one request.
        for pass in first {
            pass.answered(refused, &refusal, &Bytes::new());
        }
        let again = Instant::now();
        let mut gone = now(1).await;
        assert!(again.elapsed() >= SECOND, "{:?}", again.elapsed());
        for expected in [2, 3, 4] {
            for pass in gone {
                pass.answered(StatusCode::OK, &lesson(None, StatusCode::OK), &Bytes::new());
            }
            gone = now(expected).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_one_that_is_not_answered_holds_up_nobody_for_long() {
    for limit in [Limit::Global, Limit::Banned] {
        let limiter = limiter();
        let refused = StatusCode::TOO_MANY_REQUESTS;
        let pass = limiter.enter(call(Method::POST, "channels/1/messages")).await.unwrap();
        pass.answered(refused, &lesson(Some((limit, SECOND)), refused), &Bytes::new());
        let _stalled = limiter.enter(call(Method::POST, "channels/2/messages")).await.unwrap();
        let asked = Instant::now();
        limiter.enter(call(Method::POST, "channels/3/messages")).await.unwrap();
        assert_eq!(asked.elapsed().as_secs(), 1, "{limit:?}");
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
    // A few places of the bot's second, and the way there and back.
    assert!(begin.elapsed() < Duration::from_millis(150), "{:?}", begin.elapsed());
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
async fn a_call_that_a_starved_machine_wakes_late_takes_another_place() {
    let limiter = limiter();
    let passes = (0..50).map(|channel| limiter.enter(call(Method::POST, &format!("channels/{channel}/messages"))));
    let _passes = join_all(passes).await;
    let mut late = Box::pin(limiter.enter(call(Method::POST, "channels/99/messages")));
    assert!(futures_util::poll!(&mut late).is_pending());
    // Its turn comes, and it is not run.
    advance(SECOND).await;
    tokio::task::yield_now().await;
    assert_eq!(limiter.bots()[0].waiting, 0);
    advance(3 * SECOND).await;
    let free = limiter.bots()[0].free;
    let _pass = late.await.unwrap();
    assert_eq!(limiter.bots()[0].free, free - 1);
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

#[tokio::test(start_paused = true)]
async fn who_takes_over_a_bot_keeps_the_waits_of_the_one_before() {
    let (before, after) = (limiter(), limiter());
    let bot = BotKey::of(b"Bot token");
    let rename = || Call { fields: Fields { name: true, topic: false }, ..call(Method::PATCH, "channels/1") };
    for _ in 0..2 {
        before.enter(rename()).await.unwrap().answered(StatusCode::OK, &lesson(None, StatusCode::OK), &Bytes::new());
    }
    let window = Window { limit: 5, remaining: 0, reset_after: 90 * SECOND, reset: None };
    let full = Lesson { hash: Some("abcd".to_owned()), window: Some(window), ..lesson(None, StatusCode::OK) };
    let pins = || call(Method::GET, "channels/1/pins");
    let learnt = before.enter(pins()).await.unwrap().answered(StatusCode::OK, &full, &Bytes::new());
    assert_eq!(learnt.facts.len(), 1);
    let limited = StatusCode::TOO_MANY_REQUESTS;
    let send = || call(Method::POST, "channels/1/messages");
    let refused = lesson(Some((Limit::User, 80 * SECOND)), limited);
    before.enter(send()).await.unwrap().answered(limited, &refused, &Bytes::new());
    let short = lesson(Some((Limit::User, SECOND / 2)), limited);
    before.enter(call(Method::GET, "users/@me")).await.unwrap().answered(limited, &short, &Bytes::new());

    let facts = before.facts(bot);
    assert_eq!(facts.len(), 4, "two changes and two buckets; what is short is over by then: {facts:#?}");
    // What it knew of the bot before is not the latest.
    after.enter(pins()).await.unwrap().answered(StatusCode::OK, &lesson(None, StatusCode::OK), &Bytes::new());
    after.take_over(bot, facts);
    for (call, wait, why) in
        [(rename(), 601, Refused::Inner), (pins(), 90, Refused::Limit), (send(), 80, Refused::Limit)]
    {
        assert_eq!(after.enter(call).await.unwrap_err(), No::Wait { wait: wait * SECOND, why });
    }
    after.enter(call(Method::GET, "channels/2/pins")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_a_bot_finds_out_how_much_of_each_bucket_is_left() {
    let limiter = limiter();
    let bot = BotKey::of(b"Bot token");
    let window = Window { limit: 5, remaining: 4, reset_after: SECOND, reset: None };
    let told = Lesson { hash: Some("abcd".to_owned()), window: Some(window), ..lesson(None, StatusCode::OK) };
    let send = |channel: u32| call(Method::POST, &format!("channels/{channel}/messages"));
    limiter.take_over(bot, Vec::new());
    limiter.enter(send(1)).await.unwrap().answered(StatusCode::OK, &told, &Bytes::new());
    let first = limiter.enter(send(2)).await.unwrap();
    let impatient = Call { deadline: Instant::now() + SECOND, ..send(2) };
    assert!(limiter.enter(impatient).await.is_err(), "the other's limit says nothing about how this one was used");
    first.answered(StatusCode::OK, &told, &Bytes::new());
    limiter.enter(send(2)).await.unwrap();

    advance(60 * SECOND).await;
    let _both = (limiter.enter(send(3)).await.unwrap(), limiter.enter(send(3)).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_a_bot_does_not_use_a_token_that_was_refused() {
    let (before, after) = (limiter(), limiter());
    let body = Bytes::from_static(br#"{"message":"401: Unauthorized","code":0}"#);
    let refused = lesson(None, StatusCode::UNAUTHORIZED);
    let pass = before.enter(call(Method::GET, "users/@me")).await.unwrap();
    let facts = pass.answered(StatusCode::UNAUTHORIZED, &refused, &body).facts;
    assert_eq!(facts, before.facts(BotKey::of(b"Bot token")));
    after.take_over(BotKey::of(b"Bot token"), facts);
    let no = after.enter(call(Method::GET, "guilds/1")).await.unwrap_err();
    assert!(matches!(no, No::Remembered(refusal) if refusal.status == 401 && refusal.body == body));
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_nobody_uses_can_be_forgotten() {
    let limiter = limiter();
    let bot = BotKey::of(b"Bot token");
    let pass = limiter.enter(call(Method::GET, "users/@me")).await.unwrap();
    limiter.forget(bot);
    assert_eq!(limiter.bots().len(), 1, "one is on its way");
    drop(pass);
    limiter.forget(bot);
    assert_eq!(limiter.bots().len(), 0);
}
