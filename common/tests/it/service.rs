use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use common::service::{Service, Stopped, TaskFailed};
use prometheus::IntCounter;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

/// Far above what anything here takes; a test that reaches it has failed.
const DEADLINE: Duration = Duration::from_secs(10);

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn answer(addr: SocketAddr, path: &str) -> (u16, String) {
    let client = common::http::client("test").unwrap();
    let response = client.get(format!("http://{addr}{path}")).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn finished(service: &Service) -> anyhow::Result<()> {
    timeout(DEADLINE, service.finished()).await.expect("the service finishes")
}

#[tokio::test]
async fn health_is_answered_before_the_routes_are_there() {
    let service = Service::unattended("early");
    let http = service.http(any_port()).await.unwrap();
    let addr = http.local_addr();
    assert_eq!(answer(addr, "/healthz").await.0, 200);
    assert_eq!(answer(addr, "/readyz").await.0, 503);
    assert_eq!(answer(addr, "/metrics").await.0, 200);
    assert_eq!(answer(addr, "/hello").await, (503, "starting\n".to_owned()));

    http.serve(Router::new().route("/hello", get(async || "hello")));
    assert_eq!(answer(addr, "/readyz").await.0, 200);
    assert_eq!(answer(addr, "/hello").await, (200, "hello".to_owned()));
    assert_eq!(answer(addr, "/nothing").await.0, 404);
}

#[tokio::test]
async fn readiness_follows_the_dependencies() {
    let service = Service::unattended("needy");
    let addr = service.serve_ops(Some(any_port())).await.unwrap().unwrap();
    let database = service.dependency("database");
    assert_eq!(answer(addr, "/readyz").await.0, 503);

    database.up();
    assert_eq!(answer(addr, "/readyz").await, (200, "ready\n".to_owned()));

    service.dependency("database").down("connection refused");
    let (status, reasons) = answer(addr, "/readyz").await;
    assert_eq!((status, reasons.as_str()), (503, "needy: database: connection refused\n"));
    assert_eq!(answer(addr, "/healthz").await.0, 200);
    let (status, health) = answer(addr, "/health").await;
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["status"]), (503, &"waiting".into()));
    let entry = serde_json::json!({"name": "database", "up": false, "reason": "connection refused"});
    assert!(health["dependencies"].as_array().unwrap().contains(&entry), "{health}");
}

#[tokio::test]
async fn a_prepared_listener_is_used_instead_of_the_address() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = Service::unattended("prepared").with_listener(listener);
    let http = service.http(SocketAddr::from(([192, 0, 2, 1], 1))).await.unwrap();
    assert_eq!(http.local_addr(), addr);
}

#[tokio::test]
async fn health_shows_what_the_service_tells_of_itself() {
    let service = Service::unattended("teller");
    let count = Arc::new(AtomicU64::new(1));
    let asked = count.clone();
    service.detail("count", move || asked.load(Ordering::Relaxed).into());
    let http = service.http(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let addr = http.local_addr();
    http.serve(Router::new());
    for expected in [1, 2] {
        count.store(expected, Ordering::Relaxed);
        let (_, health) = answer(addr, "/health").await;
        let health: serde_json::Value = serde_json::from_str(&health).unwrap();
        assert_eq!(health["details"]["count"], expected);
    }
}

#[tokio::test]
async fn a_child_counts_for_the_health_and_the_metrics_of_its_parent() {
    let parent = Service::unattended("standalone");
    let addr = parent.serve_ops(Some(any_port())).await.unwrap().unwrap();
    for name in ["worker", "sharder"] {
        let child = parent.child(name);
        let clicks = IntCounter::new("clicks_total", "clicks").unwrap();
        child.metrics().register(Box::new(clicks.clone())).unwrap();
        clicks.inc();
        child.dependency("kafka").down("away");
    }
    let (status, reasons) = answer(addr, "/readyz").await;
    assert_eq!((status, reasons.as_str()), (503, "worker: kafka: away\nsharder: kafka: away\n"));
    let (_, metrics) = answer(addr, "/metrics").await;
    assert_eq!(metrics.matches("# TYPE clicks_total counter").count(), 1, "{metrics}");
    assert!(metrics.contains("clicks_total{service=\"worker\"} 1"), "{metrics}");
    assert!(metrics.contains("clicks_total{service=\"sharder\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_task_that_panics_stops_the_service_and_is_named() {
    let service = Service::unattended("fragile");
    service.spawn("consume", async { panic!("out of order") });
    let error = finished(&service).await.unwrap_err();
    assert!(error.is::<TaskFailed>());
    assert_eq!(error.to_string(), "task consume of fragile panicked: out of order");
}

#[tokio::test]
async fn a_task_that_ends_early_stops_the_service() {
    let service = Service::unattended("fragile");
    service.spawn("consume", async { Ok(()) });
    let error = finished(&service).await.unwrap_err();
    assert_eq!(error.to_string(), "task consume of fragile ended before the process was told to stop");
}

#[tokio::test]
async fn a_task_that_fails_in_a_child_stops_its_parent() {
    let parent = Service::unattended("standalone");
    let child = parent.child("worker");
    parent.spawn("worker", {
        let child = child.clone();
        async move { child.finished().await }
    });
    child.spawn("relay", async { Err(anyhow::anyhow!("disk full").context("write the outbox")) });
    let error = finished(&parent).await.unwrap_err();
    assert_eq!(error.to_string(), "task relay of worker failed: write the outbox: disk full");
}

#[tokio::test]
async fn a_stop_waits_for_the_request_in_flight() {
    let service = Service::unattended("graceful");
    let http = service.http(any_port()).await.unwrap();
    let addr = http.local_addr();
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, release) = (begun.clone(), release.clone());
        async move || {
            begun.notify_one();
            release.notified().await;
            "done"
        }
    };
    http.serve(Router::new().route("/slow", get(slow)));
    let request = tokio::spawn(async move { answer(addr, "/slow").await });
    begun.notified().await;

    service.stop();
    let mut stop = std::pin::pin!(finished(&service));
    assert!(futures_util::poll!(stop.as_mut()).is_pending());
    release.notify_one();
    assert_eq!(request.await.unwrap(), (200, "done".to_owned()));
    stop.await.unwrap();
    assert!(TcpListener::bind(addr).await.is_ok(), "the socket is closed");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_request_that_never_comes_in_whole() {
    let service = Service::unattended("patient");
    let http = service.http(any_port()).await.unwrap();
    let addr = http.local_addr();
    http.serve(Router::new().route("/hello", get(async || "hello")));
    let mut half = TcpStream::connect(addr).await.unwrap();
    half.write_all(b"POST /hello HTTP/1.1\r\nHost: te").await.unwrap();
    // By the time another connection has its answer, the half request was read.
    assert_eq!(answer(addr, "/hello").await, (200, "hello".to_owned()));

    service.stop();
    finished(&service).await.unwrap();
}

#[tokio::test]
async fn a_handler_that_panics_answers_500() {
    let service = Service::unattended("fragile");
    let http = service.http(any_port()).await.unwrap();
    let addr = http.local_addr();
    let broken = async || -> &'static str { panic!("no such thing") };
    http.serve(Router::new().route("/broken", get(broken)));
    assert_eq!(answer(addr, "/broken").await.0, 500);
    assert_eq!(answer(addr, "/healthz").await.0, 200);
}

#[tokio::test]
async fn connecting_is_repeated_until_it_succeeds() {
    let service = Service::unattended("patient");
    let mut attempts = 0;
    let connected = service
        .connect("kafka", || {
            attempts += 1;
            std::future::ready(if attempts < 3 { Err("connection refused") } else { Ok(attempts) })
        })
        .await
        .unwrap();
    assert_eq!(connected, 3);
    assert_eq!(service.dependency("kafka").reason(), None);
}

#[tokio::test]
async fn connecting_ends_when_the_service_stops() {
    let service = Service::unattended("patient");
    let connecting = service.connect("kafka", || {
        service.stop();
        std::future::ready(Err::<(), _>("connection refused"))
    });
    let error = timeout(DEADLINE, connecting).await.unwrap().unwrap_err();
    assert!(error.is::<Stopped>());
}
