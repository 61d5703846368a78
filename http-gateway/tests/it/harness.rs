//! A running gateway, a worker under the test's control, and the signing half of Discord.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use common::service::Service;
use ed25519_dalek::{Signer, SigningKey};
use event_stream::{KafkaConfig, LateInteractions, testing};
use http_gateway::Config;
use model::{routes, topics::LateInteraction};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const BOT: u64 = 508_391_840_525_975_553;
/// What the worker wants to see.
pub(crate) const KEY: &str = "known to both";

/// What the worker does with a click.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Answers(&'static str),
    Refuses(StatusCode),
    Hangs,
    /// Nobody listens at its address.
    Away,
}

/// A gateway that is ready, unless its Kafka is away.
pub(crate) struct Gateway {
    addr: SocketAddr,
    http: reqwest::Client,
    worker: Worker,
    kafka: KafkaConfig,
    service: Service,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Gateway {
    /// With the real Kafka.
    pub(crate) async fn start(manner: Manner) -> Self {
        let gateway = Self::start_with(manner, testing::config()).await;
        gateway.until_ready(200).await;
        gateway
    }

    pub(crate) async fn start_with(manner: Manner, kafka: KafkaConfig) -> Self {
        let worker = Worker::start(manner).await;
        let config = Config {
            server_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            bot: twilight_model::id::Id::new(BOT),
            key: hex::encode(signing_key().verifying_key()).parse().unwrap(),
            worker: format!("http://{}", worker.addr).parse().unwrap(),
            shared_key: Some(KEY.into()),
            kafka: kafka.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = Service::unattended("http-gateway").with_listener(listener);
        let running = tokio::spawn(http_gateway::run(config, service.clone()));
        let http = common::http::client("test").unwrap();
        Self { addr, http, worker, kafka, service, running }
    }

    /// Waits until `/readyz` answers with this status, and returns what it says.
    pub(crate) async fn until_ready(&self, status: u16) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(response) = self.http.get(format!("http://{}/readyz", self.addr)).send().await
                && response.status() == status
            {
                return response.text().await.unwrap();
            }
            assert!(Instant::now() < deadline, "/readyz does not answer {status}");
            tokio::task::yield_now().await;
        }
    }

    /// Sends an interaction as Discord does.
    pub(crate) async fn click(&self, interaction: &Value) -> Answer {
        self.click_with(interaction, &[]).await
    }

    /// The same with further headers.
    pub(crate) async fn click_with(&self, interaction: &Value, more: &[(&str, &str)]) -> Answer {
        let body = interaction.to_string();
        let (signature, timestamp) = sign(now(), body.as_bytes());
        let signed = [("X-Signature-Ed25519", signature.as_str()), ("X-Signature-Timestamp", timestamp.as_str())];
        self.request(&[&signed, more].concat(), body).await
    }

    /// Sends any request to `/interactions`.
    pub(crate) async fn post(&self, signature: &str, timestamp: &str, body: impl Into<Bytes>) -> Answer {
        self.request(&[("X-Signature-Ed25519", signature), ("X-Signature-Timestamp", timestamp)], body).await
    }

    pub(crate) async fn request(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let begun = Instant::now();
        let mut request = self.http.post(format!("http://{}/interactions", self.addr)).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.unwrap();
        Answer { status, headers, body, after: begun.elapsed() }
    }

    /// The status of a `GET`.
    pub(crate) async fn get(&self, path: &str) -> u16 {
        self.http.get(format!("http://{}{path}", self.addr)).send().await.unwrap().status().as_u16()
    }

    /// The worker behaves like this from now on; one that was away stays away.
    pub(crate) fn worker_now(&self, manner: Manner) {
        *self.worker.manner.lock().unwrap() = manner;
    }

    /// What the worker was sent.
    pub(crate) fn forwarded(&self) -> Vec<(HeaderMap, Bytes)> {
        self.worker.seen.lock().unwrap().clone()
    }

    /// What lies in Kafka for later.
    pub(crate) async fn kept(&self) -> Vec<LateInteraction> {
        let records = testing::read_all::<LateInteractions>(&self.kafka, &self.kafka.interactions_topic).await.unwrap();
        records.into_iter().map(|(late, _)| late).collect()
    }

    pub(crate) async fn metrics(&self) -> String {
        let response = self.http.get(format!("http://{}/metrics", self.addr)).send().await.unwrap();
        response.text().await.unwrap()
    }

    /// Stops the gateway, which must end well.
    pub(crate) async fn stop(self) {
        self.service.stop();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.running).await;
        ended.expect("the gateway stops").unwrap().unwrap_or_else(|error| {
            // It was stopped while it waited for a Kafka that never was.
            assert!(error.is::<common::service::Stopped>(), "{error:#}");
        });
    }
}

/// What the gateway answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) after: Duration,
}

impl Answer {
    /// The interaction response; fails where it is none.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An interaction of this type, with the fields that Discord always sends and more.
pub(crate) fn interaction(kind: u8) -> Value {
    json!({
        "id": "1100000000000000001",
        "application_id": BOT.to_string(),
        "type": kind,
        "token": "aW50ZXJhY3Rpb24",
        "version": 1,
        "guild_id": "1000000000000000002",
        "channel_id": "1000000000000000003",
        "member": { "user": { "id": "1000000000000000004", "username": "ann \"é\" 🎫" } },
        "data": { "custom_id": "t1:open:1", "component_type": 2 },
    })
}

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Signature and timestamp headers for a body.
pub(crate) fn sign(timestamp: i64, body: &[u8]) -> (String, String) {
    let timestamp = timestamp.to_string();
    let signature = signing_key().sign(&[timestamp.as_bytes(), body].concat());
    (hex::encode(signature.to_bytes()), timestamp)
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

struct Worker {
    addr: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Worker {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<(HeaderMap, Bytes)>>>::default();
        let away = matches!(manner, Manner::Away);
        let manner = Arc::new(Mutex::new(manner));
        if !away {
            let app =
                Router::new().route(routes::INTERACTIONS, post(worker)).with_state((manner.clone(), seen.clone()));
            tokio::spawn(async move { axum::serve(listener, app).await });
        }
        Self { addr, manner, seen }
    }
}

type Shared = (Arc<Mutex<Manner>>, Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

async fn worker(State((manner, seen)): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    seen.lock().unwrap().push((headers, body));
    let manner = *manner.lock().unwrap();
    match manner {
        Manner::Answers(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Manner::Refuses(status) => status.into_response(),
        Manner::Hangs | Manner::Away => std::future::pending().await,
    }
}
