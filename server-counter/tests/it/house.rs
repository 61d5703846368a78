//! A running counter, and a server in place of the cache that counts the questions.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use common::service::Service;
use serde_json::{Value, json};
use server_counter::Config;
use tokio::{net::TcpListener, task::JoinHandle};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the cache answers.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Tells(u64),
    Refuses(StatusCode),
    Says(&'static str),
    /// It takes the question and never answers.
    Hangs,
}

/// What stands in for the cache.
#[derive(Clone)]
pub(crate) struct Cache {
    manner: Arc<Mutex<Manner>>,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

/// A counter with its cache.
pub(crate) struct House {
    pub(crate) cache: Cache,
    addr: SocketAddr,
    http: reqwest::Client,
    service: Service,
    running: JoinHandle<anyhow::Result<()>>,
}

/// What the counter answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Cache {
    /// It behaves so from now on.
    pub(crate) fn now(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The headers of every question.
    pub(crate) fn asked(&self) -> Vec<HeaderMap> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let app = Router::new().route("/guilds/count", get(count)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        addr
    }
}

async fn count(State(cache): State<Cache>, headers: HeaderMap) -> Response {
    cache.asked.lock().unwrap().push(headers);
    let manner = *cache.manner.lock().unwrap();
    match manner {
        Manner::Tells(count) => axum::Json(json!({ "count": count })).into_response(),
        Manner::Refuses(status) => status.into_response(),
        Manner::Says(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Manner::Hangs => std::future::pending().await,
    }
}

impl House {
    /// A counter that asks its cache all the time.
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::start_with(manner, |_| {}).await
    }

    /// The same, configured otherwise.
    pub(crate) async fn start_with(manner: Manner, change: impl FnOnce(&mut Config)) -> Self {
        let cache = Cache { manner: Arc::new(Mutex::new(manner)), asked: Arc::default() };
        let mut config = Config {
            server_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            cache: format!("http://{}", cache.serve().await).parse().unwrap(),
            shared_key: None,
            bot: None,
            interval: Duration::from_millis(5),
        };
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = Service::unattended("server-counter").with_listener(listener);
        let running = tokio::spawn(server_counter::run(config, service.clone()));
        Self { cache, addr, http: common::http::client("test").unwrap(), service, running }
    }

    pub(crate) async fn request(&self, method: Method, path: &str) -> Answer {
        let request = self.http.request(method, format!("http://{}{path}", self.addr));
        let response = request.header(header::ORIGIN, "https://page.test").send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).await
    }

    /// Waits until the answer at `path` is as wanted, and returns it.
    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if is_so(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "in vain; {path} answers {answer:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until `/total` tells this count.
    pub(crate) async fn until_told(&self, count: u64) -> Answer {
        self.until("/total", |answer| answer.status == 200 && answer.json()["count"] == count).await
    }

    /// Stops the counter, which must end well.
    pub(crate) async fn stop(self) {
        self.service.stop();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.running).await;
        ended.expect("the counter stops").unwrap().unwrap();
    }
}

impl Answer {
    /// The body.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}
