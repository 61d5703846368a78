//! The proxy, between a client and a server that counts.

use std::{net::SocketAddr, time::Duration};

use axum::http::Method;
use common::service::Service;
use global_resolver::{Config, config::Upstream as Discord};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::upstream::{Hit, TOKEN, Upstream, header};

/// A Discord that answers what it was told to, then `{}`; and a gate before it.
struct House {
    gate: SocketAddr,
    upstream: Upstream,
    client: reqwest::Client,
}

impl House {
    async fn build() -> Self {
        let upstream = Upstream::default();
        let discord = upstream.serve(0).await;
        Self { upstream, ..Self::before(discord).await }
    }

    /// A gate before whatever answers there.
    async fn before(discord: SocketAddr) -> Self {
        let service = Service::unattended("global-resolver");
        let listener = service.listener(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let gate = listener.local_addr().unwrap();
        let upstream_url = format!("http://{discord}/api/v10").parse().unwrap();
        let config = Config { server_addr: gate, upstream: Discord::at(upstream_url), fleet: None };
        tokio::spawn(global_resolver::run(config, service.with_listener(listener)));
        Self { gate, upstream: Upstream::default(), client: common::http::client("test").unwrap() }
    }

    fn will(&self, status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Vec<u8>>) {
        self.upstream.will(status, headers, body);
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.gate)).header("authorization", TOKEN)
    }

    async fn send(&self, method: Method, path: &str) -> reqwest::Response {
        self.request(method, path).send().await.unwrap()
    }

    fn hits(&self) -> Vec<Hit> {
        self.upstream.hits()
    }

    /// A page of the gate's own.
    async fn page(&self, path: &str) -> String {
        let page = self.client.get(format!("http://{}{path}", self.gate)).send().await.unwrap();
        page.text().await.unwrap()
    }
}

#[tokio::test]
async fn a_call_and_its_answer_pass_as_they_are() {
    let house = House::build().await;
    house.will(
        201,
        &[
            ("content-type", "application/json"),
            ("x-ratelimit-bucket", "b"),
            ("proxy-authenticate", "Basic"),
            ("keep-alive", "timeout=5"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ],
        r#"{"id":"1"}"#,
    );
    let form = "--x\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a\"\r\n\r\n\0\u{1}\r\n--x--\r\n";
    let response = house
        .request(Method::POST, "/api/v9/channels/1/messages?a=b%20c")
        .header("content-type", "multipart/form-data; boundary=x")
        .header("x-audit-log-reason", "w%C3%A4hlt")
        .header("x-deadline-ms", "5000")
        .header("x-priority", "bulk")
        .header("x-guild-id", "77")
        .header("connection", "keep-alive")
        .header("accept-encoding", "gzip")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(header(&response, "x-ratelimit-bucket"), "b");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    for of_the_hop in ["proxy-authenticate", "keep-alive"] {
        assert_eq!(header(&response, of_the_hop), "");
    }
    assert_eq!(response.text().await.unwrap(), r#"{"id":"1"}"#);

    let hit = house.hits().pop().unwrap();
    assert_eq!((hit.method, hit.uri.to_string()), (Method::POST, "/api/v9/channels/1/messages?a=b%20c".to_owned()));
    assert_eq!(hit.body, form);
    let text = |name: &str| hit.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(text("content-type"), Some("multipart/form-data; boundary=x"));
    assert_eq!(text("x-audit-log-reason"), Some("w%C3%A4hlt"));
    assert_eq!(text("authorization"), Some(TOKEN));
    assert_eq!(text("user-agent"), Some(format!("{} test", common::http::USER_AGENT).as_str()));
    for own in ["x-deadline-ms", "x-priority", "x-guild-id", "accept-encoding"] {
        assert_eq!(text(own), None);
    }
    assert!(house.page("/metrics").await.contains(
        r#"resolver_requests_total{route="POST channels/{id}/messages",status="201",service="global-resolver"} 1"#
    ));
}

#[tokio::test]
async fn a_redirect_is_the_callers() {
    let mut house = House::build().await;
    house.client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    house.will(302, &[("location", "/api/v10/elsewhere")], "");
    let response = house.send(Method::GET, "/api/v10/oauth2/authorize").await;
    assert_eq!((response.status().as_u16(), header(&response, "location").as_str()), (302, "/api/v10/elsewhere"));
    assert_eq!(house.hits().len(), 1);
}

#[tokio::test]
async fn discord_reads_a_user_agent_that_it_accepts() {
    let house = House::build().await;
    let ours = common::http::USER_AGENT;
    for (theirs, read) in [("DiscordBot (https://a.example, 1) b", None), ("curl/8.5.0", Some(ours)), ("", Some(ours))]
    {
        house.request(Method::GET, "/api/v10/users/@me").header("user-agent", theirs).send().await.unwrap();
        assert_eq!(house.hits().pop().unwrap().headers["user-agent"], read.unwrap_or(theirs));
    }
}

#[tokio::test]
async fn a_429_is_obeyed_and_the_caller_does_not_see_it() {
    for headers in [
        vec![("x-ratelimit-global", "true")],
        vec![("x-ratelimit-scope", "shared")],
        vec![("x-ratelimit-remaining", "4"), ("x-ratelimit-limit", "5"), ("x-ratelimit-reset-after", "1")],
    ] {
        let house = House::build().await;
        house.will(429, &headers, r#"{"message":"wait","retry_after":0.4,"global":false}"#);
        let response = house.send(Method::POST, "/api/v10/channels/1/messages").await;
        assert_eq!(response.status(), 200);
        let hits = house.hits();
        assert_eq!(hits.len(), 2, "one request for the 429");
        let wait = hits[1].at - hits[0].at;
        assert!(wait >= Duration::from_millis(400), "{wait:?}");
    }
}

#[tokio::test]
async fn who_cannot_wait_gets_the_true_wait_at_once() {
    let house = House::build().await;
    house.will(429, &[("x-ratelimit-scope", "user")], r#"{"message":"wait","retry_after":60.5,"global":false}"#);
    for _ in 0..2 {
        let request = house.request(Method::POST, "/api/v10/channels/1/messages").header("x-deadline-ms", "2000");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(header(&response, "x-resolver-refused"), "limit");
        assert!(["60", "61"].contains(&header(&response, "retry-after").as_str()));
        let body: Value = response.json().await.unwrap();
        let wait = body["retry_after"].as_f64().unwrap();
        assert!((55.0..=60.5).contains(&wait), "{wait}");
    }
    assert_eq!(house.hits().len(), 1);
    assert!(
        house.page("/metrics").await.contains(r#"resolver_limited_total{scope="user",service="global-resolver"} 1"#)
    );
    assert!(
        house.page("/metrics").await.contains(r#"resolver_refused_total{why="limit",service="global-resolver"} 2"#)
    );
}

#[tokio::test]
async fn a_server_error_is_repeated_only_where_that_does_no_harm() {
    let house = House::build().await;
    house.will(502, &[], "<html>");
    assert_eq!(house.send(Method::GET, "/api/v10/channels/1").await.status(), 200);
    assert_eq!(house.hits().len(), 2);
    for _ in 0..4 {
        house.will(500, &[], "<html>");
    }
    assert_eq!(house.send(Method::DELETE, "/api/v10/channels/1").await.status(), 500);
    assert_eq!(house.hits().len(), 6, "three times again");
    house.will(502, &[], "<html>");
    let response = house.send(Method::POST, "/api/v10/channels/1/messages").await;
    assert_eq!(response.status(), 502);
    assert_eq!(response.text().await.unwrap(), "<html>", "Discord's own answer");
    assert_eq!(house.hits().len(), 7);
}

#[tokio::test]
async fn what_discord_was_not_given_is_told_as_unsent() {
    let taken = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let nobody = taken.local_addr().unwrap();
    drop(taken);
    let house = House::before(nobody).await;
    let request = house.request(Method::POST, "/api/v10/channels/1/messages").header("x-deadline-ms", "300");
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "x-resolver-refused").as_str()), (502, "unsent"));
    let sent =
        r#"resolver_requests_total{route="POST channels/{id}/messages",status="none",service="global-resolver"}"#;
    let metrics = house.page("/metrics").await;
    let times: u32 = metrics.lines().find_map(|line| line.strip_prefix(sent)?.trim().parse().ok()).unwrap();
    assert!(times > 1, "it was tried again, for nothing was sent");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_told_at_the_deadline() {
    let silent = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let house = House::before(silent.local_addr().unwrap()).await;
    let request = house.request(Method::POST, "/api/v10/channels/1/messages").header("x-deadline-ms", "100");
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "x-resolver-refused").as_str()), (504, "unanswered"));
}

#[tokio::test]
async fn a_large_body_streams_and_its_429_is_the_callers() {
    let house = House::build().await;
    let body = vec![7_u8; 3 << 20];
    let request = house.request(Method::POST, "/api/v10/channels/1/messages").body(body.clone());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let hit = house.hits().pop().unwrap();
    assert_eq!(hit.body, body);
    assert_eq!(hit.headers["content-length"], (3 << 20).to_string());

    house.will(429, &[("x-ratelimit-scope", "user")], r#"{"message":"wait","retry_after":0.3,"global":false}"#);
    let request = house.request(Method::POST, "/api/v10/channels/1/messages").body(body);
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (429, "1".to_owned()));
    assert_eq!(house.hits().len(), 2);
}

#[tokio::test]
async fn a_ban_page_stops_everything_and_health_tells() {
    let house = House::build().await;
    house.will(429, &[("retry-after", "3600")], "<html>error code: 1015</html>");
    for path in ["/api/v10/users/@me", "/api/v10/channels/2"] {
        let response = house.send(Method::GET, path).await;
        assert_eq!(response.status(), 503);
        assert_eq!(header(&response, "x-resolver-refused"), "address");
    }
    assert_eq!(house.hits().len(), 1);
    let health = house.page("/health").await;
    assert!(health.contains(r#""banned_for":35"#) && health.contains(r#""token_accepted":true"#), "{health}");
    assert!(!health.contains("a-token") && !house.page("/metrics").await.contains("a-token"));
}

#[tokio::test]
async fn a_refused_token_and_a_channel_that_is_gone_are_answered_without_discord() {
    let house = House::build().await;
    let gone = r#"{"message":"Unknown Channel","code":10003}"#;
    for _ in 0..2 {
        house.will(404, &[], gone);
    }
    for _ in 0..5 {
        let response = house.send(Method::POST, "/api/v10/channels/1/messages").await;
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (404, gone));
    }
    assert_eq!(house.hits().len(), 2);
    house.will(401, &[], r#"{"message":"401: Unauthorized","code":0}"#);
    for _ in 0..3 {
        assert_eq!(house.send(Method::GET, "/api/v10/users/@me").await.status(), 401);
    }
    assert_eq!(house.hits().len(), 3);
    let other =
        house.client.get(format!("http://{}/api/v10/users/@me", house.gate)).header("authorization", "Bot other");
    assert_eq!(other.send().await.unwrap().status(), 200, "another bot's token is another matter");
}

#[tokio::test]
async fn a_header_of_ours_that_cannot_be_read_is_a_clear_error() {
    let house = House::build().await;
    for (name, value) in [("x-deadline-ms", "soon"), ("x-priority", "urgent")] {
        let response = house.request(Method::GET, "/api/v10/users/@me").header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert!(response.text().await.unwrap().to_lowercase().contains(name));
    }
    assert_eq!(house.hits().len(), 0);
}
