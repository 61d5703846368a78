//! Without Kafka: the gateway says so, and still answers everybody.

use std::time::Duration;

use event_stream::{KafkaConfig, embedded::Broker};
use tokio::net::TcpListener;

use crate::harness::{Gateway, Manner, interaction};

/// An address at which nobody listens.
async fn nowhere() -> KafkaConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    KafkaConfig::at(listener.local_addr().unwrap().to_string())
}

#[tokio::test]
async fn before_kafka_is_reached_it_answers_and_is_not_ready() {
    let gateway = Gateway::start_with(Manner::Answers(r#"{"type":6}"#), nowhere().await).await;
    let reason = gateway.until_ready(503).await;
    assert!(reason.contains("kafka"), "{reason}");
    assert_eq!(gateway.click(&interaction(1)).await.json()["type"], 1);
    assert_eq!(gateway.click(&interaction(3)).await.json()["type"], 6);
    gateway.stop().await;
}

#[tokio::test]
async fn without_worker_and_kafka_the_person_is_told_to_try_again() {
    let gateway = Gateway::start_with(Manner::Away, nowhere().await).await;
    let answer = gateway.click(&interaction(3)).await.json();
    assert_eq!((&answer["type"], &answer["data"]["flags"]), (&4.into(), &64.into()));
    assert!(answer["data"]["content"].as_str().unwrap().contains("try again"));
    gateway.stop().await;
}

#[tokio::test]
async fn when_kafka_goes_away_the_person_is_told_so_in_time() {
    // librdkafka's own broker, because this one has to die.
    let broker = Broker::start().unwrap();
    let gateway = Gateway::start_with(Manner::Hangs, broker.config()).await;
    gateway.until_ready(200).await;
    drop(broker);
    let answer = gateway.click(&interaction(3)).await;
    assert_eq!(answer.json()["type"], 4);
    // Kafka's client alone would try for 10 s after the worker's two; the gateway gives up at 2.8 s, and a busy machine has the rest.
    assert!(answer.after < Duration::from_secs(8), "{:?}", answer.after);
    let reason = gateway.until_ready(503).await;
    assert!(reason.contains("kafka"), "{reason}");
    gateway.stop().await;
}

#[test]
fn a_bad_configuration_exits_with_64_and_names_everything() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_http-gateway"))
        .env_clear()
        .env("PUBLIC_PUBLIC_KEY", "0".repeat(64))
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["PUBLIC_BOT_ID", "PUBLIC_PUBLIC_KEY", "weak", "WORKER_SVC_URI", "KAFKA_BROKERS"] {
        assert!(text.contains(name), "{text}");
    }
}
