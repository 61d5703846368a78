//! Every true interaction is answered within Discord's three seconds.

use std::time::Duration;

use axum::http::{StatusCode, header::AUTHORIZATION};
use model::{TraceParent, routes, trace};
use serde_json::json;
use time::OffsetDateTime;
use twilight_model::id::Id;

use crate::harness::{BOT, Gateway, KEY, Manner, interaction};

const MESSAGE: &str = r#"{ "type":4, "data":{"content":"hé 🎫"} }"#;
const COMMAND: u8 = 2;
const COMPONENT: u8 = 3;
const AUTOCOMPLETE: u8 = 4;
const MODAL: u8 = 5;

#[tokio::test]
async fn a_ping_is_answered_by_the_gateway_itself() {
    let gateway = Gateway::start(Manner::Hangs).await;
    let answer = gateway.click(&interaction(1)).await;
    assert_eq!(answer.json(), json!({ "type": 1 }));
    assert!(gateway.forwarded().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn the_worker_gets_the_body_unchanged_and_its_answer_passes_through() {
    let gateway = Gateway::start(Manner::Answers(MESSAGE)).await;
    let click = interaction(COMPONENT);
    let before = OffsetDateTime::now_utc();
    let answer = gateway.click(&click).await;
    answer.json();
    assert_eq!(answer.body, MESSAGE);

    let forwarded = gateway.forwarded();
    let [(headers, body)] = forwarded.as_slice() else { panic!("{forwarded:?}") };
    assert_eq!(body, click.to_string().as_bytes());
    assert_eq!(headers[routes::BOT_ID], BOT.to_string());
    assert_eq!(headers[AUTHORIZATION], format!("Bearer {KEY}"));
    assert!(TraceParent::parse(headers[trace::HEADER].to_str().unwrap()).is_some());
    let received: i64 = headers[routes::RECEIVED_AT_MS].to_str().unwrap().parse().unwrap();
    assert!((0..5_000).contains(&(received - before.unix_timestamp() * 1_000)), "{received}");
    assert!(gateway.kept().await.is_empty());

    let metrics = gateway.metrics().await;
    assert!(
        metrics.contains(r#"interactions_total{kind="component",result="answered",service="http-gateway"} 1"#),
        "{metrics}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_click_is_kept_and_deferred_when_the_worker_is_late() {
    let gateway = Gateway::start(Manner::Hangs).await;
    let click = interaction(COMMAND);
    let answer = gateway.click(&click).await;
    assert_eq!(answer.json(), json!({ "type": 5, "data": { "flags": 64 } }));
    assert!(answer.after >= Duration::from_secs(2), "the worker has its two seconds: {:?}", answer.after);
    // That Kafka had it in time is what the type says: else it would be "try again".
    assert!(gateway.metrics().await.contains(r#"worker_silences_total{reason="late",service="http-gateway"} 1"#));

    let kept = gateway.kept().await;
    let [late] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(late.payload, click.to_string());
    assert_eq!((late.bot, late.interaction), (Id::new(BOT), Id::new(1_100_000_000_000_000_001)));
    assert_eq!(late.guild, Some(Id::new(1_000_000_000_000_000_002)));
    gateway.stop().await;
}

#[tokio::test]
async fn a_click_keeps_the_trace_that_it_came_with_or_begins_one() {
    let gateway = Gateway::start(Manner::Away).await;
    let sent = TraceParent::derived("a proxy", 1);
    let click = interaction(COMMAND);
    gateway.click_with(&click, &[(trace::HEADER, &sent.to_string())]).await;
    gateway.click_with(&click, &[(trace::HEADER, "00-0-0-0")]).await;
    gateway.click(&click).await;
    let traces: Vec<_> = gateway.kept().await.into_iter().map(|late| late.trace.unwrap()).collect();
    assert_eq!(traces[0].trace_id(), sent.trace_id());
    assert_ne!(traces[0], sent, "it is a step of its own");
    // The click's own, the same however often it comes.
    assert_ne!(traces[1].trace_id(), sent.trace_id());
    assert_eq!(traces[1], traces[2]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_click_is_deferred_at_once_when_the_worker_is_away() {
    let gateway = Gateway::start(Manner::Away).await;
    for kind in [COMMAND, COMPONENT, MODAL] {
        let answer = gateway.click(&interaction(kind)).await;
        assert_eq!(answer.json()["type"], 5);
    }
    // Not one waited for the two seconds to end: that is counted as "late".
    let metrics = gateway.metrics().await;
    assert!(metrics.contains(r#"worker_silences_total{reason="away",service="http-gateway"} 3"#), "{metrics}");
    assert!(!metrics.contains(r#"worker_silences_total{reason="late""#), "{metrics}");
    assert_eq!(gateway.kept().await.len(), 3);
    gateway.stop().await;
}

#[tokio::test]
async fn a_click_that_the_worker_puts_off_is_kept_and_deferred_and_the_worker_is_not_called_silent() {
    let gateway = Gateway::start(Manner::Refuses(StatusCode::ACCEPTED)).await;
    let answer = gateway.click(&interaction(COMMAND)).await;
    assert_eq!(answer.json(), json!({ "type": 5, "data": { "flags": 64 } }));
    assert_eq!(gateway.kept().await.len(), 1);
    assert!(!gateway.metrics().await.contains("worker_silences_total{"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_not_ready_or_talks_nonsense_counts_as_away() {
    let nonsense = [
        Manner::Refuses(StatusCode::SERVICE_UNAVAILABLE),
        Manner::Refuses(StatusCode::INTERNAL_SERVER_ERROR),
        Manner::Refuses(StatusCode::NO_CONTENT),
        Manner::Answers("<html>proxy</html>"),
        Manner::Answers(""),
    ];
    let gateway = Gateway::start(Manner::Hangs).await;
    for (before, manner) in nonsense.into_iter().enumerate() {
        gateway.worker_now(manner);
        assert_eq!(gateway.click(&interaction(COMPONENT)).await.json()["type"], 5);
        assert_eq!(gateway.kept().await.len(), before + 1);
    }
    gateway.worker_now(Manner::Answers(MESSAGE));
    assert_eq!(gateway.click(&interaction(COMPONENT)).await.body, MESSAGE);
    gateway.stop().await;
}

#[tokio::test]
async fn autocomplete_gets_no_choices_and_is_not_kept() {
    let gateway = Gateway::start(Manner::Away).await;
    let answer = gateway.click(&interaction(AUTOCOMPLETE)).await;
    assert_eq!(answer.json(), json!({ "type": 8, "data": { "choices": [] } }));
    assert!(gateway.kept().await.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn an_interaction_of_another_application_is_refused() {
    let gateway = Gateway::start(Manner::Answers(MESSAGE)).await;
    let mut click = interaction(COMMAND);
    click["application_id"] = json!("1");
    assert_eq!(gateway.click(&click).await.status, 403);
    assert!(gateway.forwarded().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn a_signed_body_that_is_no_interaction_is_refused() {
    let gateway = Gateway::start(Manner::Answers(MESSAGE)).await;
    assert_eq!(gateway.click(&json!({ "type": 3 })).await.status, 400);
    assert_eq!(gateway.click(&json!([])).await.status, 400);
    gateway.stop().await;
}

#[tokio::test]
async fn a_large_body_is_verified_and_a_huge_one_refused() {
    let gateway = Gateway::start(Manner::Answers(MESSAGE)).await;
    let mut click = interaction(MODAL);
    click["data"] = json!("x".repeat(300 * 1024));
    assert_eq!(gateway.click(&click).await.json()["type"], 4);
    click["data"] = json!("x".repeat(600 * 1024));
    assert_eq!(gateway.click(&click).await.status, 413);
    assert_eq!(gateway.forwarded().len(), 1);
    gateway.stop().await;
}
