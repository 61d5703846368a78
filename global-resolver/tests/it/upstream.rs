//! A Discord that answers what it was told to, and remembers what came.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::net::TcpListener;

pub(crate) const TOKEN: &str = "Bot MTIz.abc.a-token";

/// It gives its answers in turn, then `{}`.
#[derive(Clone, Default)]
pub(crate) struct Upstream(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    hits: Vec<Hit>,
    answers: VecDeque<(u16, Headers, Vec<u8>)>,
}

pub(crate) type Headers = Vec<(&'static str, &'static str)>;

#[derive(Clone)]
pub(crate) struct Hit {
    pub(crate) at: Instant,
    /// Which of its addresses it came to.
    pub(crate) door: usize,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Upstream {
    /// Listens on another address.
    pub(crate) async fn serve(&self, door: usize) -> SocketAddr {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state((self.clone(), door));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        addr
    }

    /// The next answer.
    pub(crate) fn will(&self, status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().answers.push_back((status, headers.to_vec(), body.into()));
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.0.lock().unwrap().hits.clone()
    }
}

async fn answer(State((upstream, door)): State<(Upstream, usize)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let at = Instant::now();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut seen = upstream.0.lock().unwrap();
    seen.hits.push(Hit { at, door, method: parts.method, uri: parts.uri, headers: parts.headers, body });
    match seen.answers.pop_front() {
        Some((status, headers, body)) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            response
        }
        None => axum::Json(json!({})).into_response(),
    }
}

pub(crate) fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}
