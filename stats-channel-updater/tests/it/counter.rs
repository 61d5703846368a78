//! What stands in for server-counter.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use url::Url;

/// How long a test waits for the counter to be read.
const PATIENCE: Duration = Duration::from_secs(20);

/// A counter that answers as it is told, and counts.
#[derive(Clone)]
pub(crate) struct Counter {
    answer: Arc<Mutex<(StatusCode, Value)>>,
    reads: watch::Sender<usize>,
    pub(crate) url: Url,
}

impl Counter {
    /// One that tells this count.
    pub(crate) async fn start(count: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/total", listener.local_addr().unwrap()).parse().unwrap();
        let answer = Arc::new(Mutex::new((StatusCode::OK, json!({}))));
        let counter = Self { answer, reads: watch::Sender::new(0), url };
        counter.tells(count);
        let app = Router::new().route("/total", get(total)).with_state(counter.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        counter
    }

    pub(crate) fn tells(&self, count: u64) {
        self.answers(StatusCode::OK, json!({ "count": count, "age_seconds": 3, "stale": false }));
    }

    pub(crate) fn tells_stale(&self, count: u64, age_seconds: u64) {
        self.answers(StatusCode::OK, json!({ "count": count, "age_seconds": age_seconds, "stale": true }));
    }

    pub(crate) fn answers(&self, status: StatusCode, body: Value) {
        *self.answer.lock().unwrap() = (status, body);
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> usize {
        *self.reads.borrow()
    }

    /// Waits until it was read so often again, and the last but one of these turns is over.
    pub(crate) async fn read_again(&self, times: usize) {
        let mut reads = self.reads.subscribe();
        let enough = *reads.borrow() + times;
        let waiting = reads.wait_for(|reads| *reads >= enough);
        tokio::time::timeout(PATIENCE, waiting).await.expect("the counter is read").unwrap();
    }
}

async fn total(State(counter): State<Counter>) -> Response {
    counter.reads.send_modify(|reads| *reads += 1);
    let (status, body) = counter.answer.lock().unwrap().clone();
    (status, Json(body)).into_response()
}
