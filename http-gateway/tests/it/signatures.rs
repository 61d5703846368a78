//! What is not Discord's is refused with 401, and nothing behind the gateway hears of it.

use ed25519_dalek::{Signer, SigningKey};

use crate::harness::{Answer, Gateway, Manner, interaction, now, sign};

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!answer.body.contains("type"), "{answer:?}");
}

async fn heard_of_nothing(gateway: Gateway) {
    assert!(gateway.forwarded().is_empty());
    assert!(gateway.kept().await.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn forged_and_tampered_requests_are_refused() {
    let gateway = Gateway::start(Manner::Answers("{}")).await;
    let body = interaction(3).to_string();
    let (signature, timestamp) = sign(now(), body.as_bytes());

    let stranger = SigningKey::from_bytes(&[8; 32]).sign(&[timestamp.as_bytes(), body.as_bytes()].concat());
    refused(&gateway.post(&hex::encode(stranger.to_bytes()), &timestamp, body.clone()).await);

    refused(&gateway.post(&signature, &timestamp, body.replace("t1:open:1", "t1:open:2")).await);
    refused(&gateway.post(&signature, &timestamp, format!("{body} ")).await);
    refused(&gateway.post(&signature, &timestamp, "").await);
    refused(&gateway.post(&signature, &(now() + 1).to_string(), body.clone()).await);

    // A ping is no exception: Discord tests an endpoint with forged ones.
    let ping = interaction(1).to_string();
    refused(&gateway.post(&signature, &timestamp, ping).await);

    assert!(
        gateway
            .metrics()
            .await
            .contains(r#"interaction_signature_failures_total{reason="forged",service="http-gateway"} 6"#)
    );
    heard_of_nothing(gateway).await;
}

#[tokio::test]
async fn malformed_headers_are_refused() {
    let gateway = Gateway::start(Manner::Answers("{}")).await;
    let body = interaction(3).to_string();
    let (signature, timestamp) = sign(now(), body.as_bytes());

    for malformed in
        ["", "00", &signature[2..], &format!("{signature}00"), &"zz".repeat(64), &signature.replace('a', "é")]
    {
        refused(&gateway.post(malformed, &timestamp, body.clone()).await);
    }
    for malformed in ["", "soon", "-1", &format!("+{timestamp}"), &format!("{timestamp}.0"), "18446744073709551616"] {
        refused(&gateway.post(&signature, malformed, body.clone()).await);
    }
    refused(&gateway.request(&[], body.clone()).await);
    refused(&gateway.request(&[("X-Signature-Ed25519", &signature)], body.clone()).await);
    refused(&gateway.request(&[("X-Signature-Timestamp", &timestamp)], body.clone()).await);
    heard_of_nothing(gateway).await;
}

#[tokio::test]
async fn recorded_requests_are_refused_after_five_minutes() {
    let gateway = Gateway::start(Manner::Answers("{}")).await;
    let body = interaction(3).to_string();
    for offset in [-3_600, -310, 310, 3_600] {
        let (signature, timestamp) = sign(now() + offset, body.as_bytes());
        refused(&gateway.post(&signature, &timestamp, body.clone()).await);
    }
    assert!(
        gateway
            .metrics()
            .await
            .contains(r#"interaction_signature_failures_total{reason="stale",service="http-gateway"} 4"#)
    );
    heard_of_nothing(gateway).await;
}

#[tokio::test]
async fn signatures_with_points_of_small_order_are_refused() {
    let gateway = Gateway::start(Manner::Answers("{}")).await;
    let body = interaction(3).to_string();
    for point in ["00".repeat(32), format!("01{}", "00".repeat(31)), format!("ec{}7f", "ff".repeat(30))] {
        refused(&gateway.post(&format!("{point}{}", "00".repeat(32)), &now().to_string(), body.clone()).await);
    }
    heard_of_nothing(gateway).await;
}

#[tokio::test]
async fn only_post_is_allowed_and_only_on_the_route() {
    let gateway = Gateway::start(Manner::Answers("{}")).await;
    assert_eq!(gateway.get("/interactions").await, 405);
    assert_eq!(gateway.get("/").await, 404);
    heard_of_nothing(gateway).await;
}
