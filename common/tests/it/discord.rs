use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use common::{
    discord::{Discord, DiscordConfig, Error, ask_own_id, gate, watch_token},
    service::Service,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use twilight_http::request::AuditLogReason;
use twilight_model::{
    http::{
        attachment::Attachment,
        interaction::{InteractionResponse, InteractionResponseType},
    },
    id::{Id, marker::ChannelMarker},
};

const CHANNEL: Id<ChannelMarker> = Id::new(7);
const SHORT: Duration = Duration::from_millis(50);

/// A server that counts: it answers what it was told to, then `{}`.
#[derive(Clone, Default)]
struct Upstream {
    hits: Arc<Mutex<Vec<Hit>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

struct Hit {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

enum Answer {
    Now(u16, Vec<(&'static str, &'static str)>, Value),
    Never,
}

impl Upstream {
    async fn start() -> (Upstream, Discord) {
        let upstream = Upstream::default();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let config = DiscordConfig { api_url: format!("http://{addr}/some/prefix/v10/").parse().unwrap() };
        (upstream, Discord::new(&config, SecretString::from("the.bot.token")).unwrap())
    }

    fn will(&self, status: u16, headers: &[(&'static str, &'static str)], body: Value) -> &Self {
        self.answers.lock().unwrap().push_back(Answer::Now(status, headers.to_vec(), body));
        self
    }

    fn count(&self) -> usize {
        self.hits.lock().unwrap().len()
    }

    fn last<T>(&self, read: impl FnOnce(&Hit) -> T) -> T {
        read(self.hits.lock().unwrap().last().unwrap())
    }
}

async fn answer(
    State(upstream): State<Upstream>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.to_string();
    upstream.hits.lock().unwrap().push(Hit { method, path, headers, body });
    let answer = upstream.answers.lock().unwrap().pop_front();
    match answer {
        None => (StatusCode::OK, "{}").into_response(),
        Some(Answer::Never) => std::future::pending().await,
        Some(Answer::Now(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
    }
}

async fn post(discord: &Discord) -> Result<Value, Error> {
    let message = discord.requests().create_message(CHANNEL).content("hello");
    let request = twilight_http::request::TryIntoRequest::try_into_request(message).unwrap();
    Ok(serde_json::from_slice(&discord.raw(request).await?).unwrap())
}

async fn get(discord: &Discord) -> Result<Value, Error> {
    discord.get_json("users/@me").await
}

async fn callback(discord: &Discord) -> Result<(), Error> {
    let response = InteractionResponse { kind: InteractionResponseType::DeferredUpdateMessage, data: None };
    let interaction = discord.requests().interaction(Id::new(1));
    discord.send(interaction.create_response(Id::new(2), "path-token", &response)).await
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_told_and_nothing_is_sent_again() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(429, &[(gate::REFUSED.as_str(), "limit"), ("retry-after", "60")], json!({"retry_after": 59.5}));
    let error = post(&discord).await.unwrap_err();
    let told = Duration::from_millis(59_500);
    assert!(matches!(error, Error::RateLimited { retry_after, .. } if retry_after == told), "{error:?}");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn the_gate_learns_who_calls_and_how_long_it_waits() {
    let (upstream, discord) = Upstream::start().await;
    post(&discord).await.unwrap();
    upstream.last(|hit| {
        let wait: u64 = hit.headers[&gate::DEADLINE].to_str().unwrap().parse().unwrap();
        assert!((14_000..=15_000).contains(&wait), "{wait}");
        assert_eq!(hit.headers[&gate::PRIORITY], "interactive");
        assert!(!hit.headers.contains_key(&gate::GUILD));
    });
    post(&discord.in_bulk().for_guild(Id::new(77)).with_deadline(Duration::from_secs(3))).await.unwrap();
    upstream.last(|hit| {
        let wait: u64 = hit.headers[&gate::DEADLINE].to_str().unwrap().parse().unwrap();
        assert!((2_000..=3_000).contains(&wait), "{wait}");
        assert_eq!((&hit.headers[&gate::PRIORITY], &hit.headers[&gate::GUILD]), (&"bulk".parse().unwrap(), &77.into()));
    });
}

#[tokio::test]
async fn a_gate_that_comes_back_takes_what_could_not_be_sent() {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let config = DiscordConfig { api_url: format!("http://{addr}/api/v10").parse().unwrap() };
    let discord = Discord::new(&config, SecretString::from("the.bot.token")).unwrap();
    let registry = prometheus::Registry::new();
    discord.register_metrics(&registry).unwrap();
    let calling = tokio::spawn(async move { post(&discord).await });
    // It tried in vain.
    while registry.gather().is_empty() {
        tokio::task::yield_now().await;
    }
    let upstream = Upstream::default();
    let listener = TcpListener::bind(addr).await.unwrap();
    let app = Router::new().fallback(answer).with_state(upstream.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    calling.await.unwrap().unwrap();
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let (upstream, discord) = Upstream::start().await;
    upstream.answers.lock().unwrap().push_back(Answer::Never);
    let error = get(&discord.with_deadline(SHORT)).await.unwrap_err();
    assert!(matches!(error, Error::Deadline { sent: true, .. }), "{error:?}");
    assert!(error.is_unclear());
    assert!(upstream.count() <= 1);
}

#[tokio::test]
async fn a_401_kills_the_token() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(401, &[], json!({"message": "401: Unauthorized", "code": 0}));
    assert_eq!(get(&discord).await.unwrap_err().status(), Some(401));
    assert_eq!(post(&discord).await.unwrap_err().status(), Some(401));
    assert_eq!(upstream.count(), 1);
    callback(&discord).await.unwrap();
}

#[tokio::test]
async fn a_token_that_dies_is_told_to_who_waits_for_it() {
    let (upstream, discord) = Upstream::start().await;
    let service = Service::unattended("worker");
    service.spawn("token", watch_token(service.clone(), discord.clone(), "DISCORD_TOKEN"));
    get(&discord).await.unwrap();
    upstream.will(401, &[], json!({"message": "401: Unauthorized", "code": 0}));
    post(&discord).await.unwrap_err();
    let error = service.finished().await.unwrap_err().to_string();
    assert!(error.contains("DISCORD_TOKEN") && error.contains("developer portal"), "{error}");
}

#[tokio::test]
async fn what_is_asked_at_the_start_is_repeated_until_discord_answers_and_never_against_a_refusal() {
    let (upstream, discord) = Upstream::start().await;
    let service = Service::unattended("starting");
    for _ in 0..2 {
        upstream.will(503, &[], json!({}));
    }
    upstream.will(200, &[], json!({"id": "42"}));
    assert_eq!(ask_own_id(&service, &discord, "BOT_TOKEN").await.unwrap(), Id::new(42));
    assert_eq!(upstream.count(), 3);

    for (status, named) in [(403, "403"), (404, "GLOBAL_RESOLVER_URL"), (401, "BOT_TOKEN")] {
        let before = upstream.count();
        upstream.will(status, &[], json!({"message": "no", "code": 0}));
        let error = ask_own_id(&service, &discord, "BOT_TOKEN").await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(named), "{error}");
        assert_eq!(upstream.count(), before + 1, "{status}");
    }
}

#[tokio::test]
async fn a_401_to_a_token_in_the_path_does_not_kill_the_bots_token() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(401, &[], json!({"message": "Invalid Webhook Token", "code": 50027}));
    assert_eq!(callback(&discord).await.unwrap_err().code(), Some(50027));
    get(&discord).await.unwrap();
}

#[tokio::test]
async fn a_server_error_is_the_gates_to_repeat() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(502, &[], json!("<html>"));
    let error = get(&discord).await.unwrap_err();
    assert_eq!(error.status(), Some(502));
    assert!(error.is_unclear());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn the_request_carries_what_discord_wants() {
    let (upstream, discord) = Upstream::start().await;
    post(&discord.with_reason("closed: done")).await.unwrap();
    upstream.last(|hit| {
        assert_eq!((hit.method.as_str(), hit.path.as_str()), ("POST", "/some/prefix/v10/channels/7/messages"));
        assert_eq!(hit.headers["authorization"], "Bot the.bot.token");
        assert_eq!(hit.headers["content-type"], "application/json");
        assert_eq!(hit.headers["x-audit-log-reason"], "closed%3A%20done");
        assert!(hit.headers["user-agent"].to_str().unwrap().starts_with("DiscordBot (https://"));
        assert_eq!(hit.body, r#"{"content":"hello"}"#);
    });

    let delete = discord.requests().delete_channel(CHANNEL).reason("over");
    assert!(matches!(discord.call(delete).await, Err(Error::Decode { .. })));
    upstream.last(|hit| assert_eq!(hit.headers["x-audit-log-reason"], "over"));

    callback(&discord).await.unwrap();
    upstream.last(|hit| {
        assert_eq!(hit.path, "/some/prefix/v10/interactions/2/path-token/callback");
        assert!(!hit.headers.contains_key("authorization"));
    });

    let reaction = twilight_http::request::channel::reaction::RequestReactionType::Unicode { name: "a" };
    discord.send(discord.requests().create_reaction(CHANNEL, Id::new(1), &reaction)).await.unwrap();
    upstream.last(|hit| assert_eq!(hit.headers["content-length"], "0"));
}

#[tokio::test]
async fn files_are_sent_as_a_form() {
    let (upstream, discord) = Upstream::start().await;
    let files = [Attachment::from_bytes("transcript.html".to_owned(), b"<p>hi</p>".to_vec(), 1)];
    let message = discord.requests().create_message(CHANNEL).content("yours").attachments(&files);
    let answer = discord.call(message).await;
    assert!(matches!(answer, Err(Error::Decode { .. })), "{answer:?}");
    upstream.last(|hit| {
        let content_type = hit.headers["content-type"].to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let body = std::str::from_utf8(&hit.body).unwrap();
        assert!(body.starts_with(&format!("--{boundary}\r\n")), "{body}");
        assert!(body.ends_with(&format!("--{boundary}--")), "{body}");
        assert!(body.contains("filename=\"transcript.html\"") && body.contains("<p>hi</p>"), "{body}");
        assert!(body.contains("name=\"payload_json\""), "{body}");
    });
}

#[tokio::test]
async fn a_refusal_has_discords_code_and_the_wrong_fields() {
    let (upstream, discord) = Upstream::start().await;
    let errors = json!({"parent_id": {"_errors": [{"code": "CHANNEL_PARENT_MAX_CHANNELS", "message": "full"}]}});
    upstream.will(400, &[], json!({"code": 50035, "message": "Invalid Form Body", "errors": errors}));
    let error = post(&discord).await.unwrap_err();
    assert_eq!((error.code(), error.status()), (Some(50035), Some(400)));
    assert!(!error.is_unclear());
    assert!(error.to_string().contains("POST channels/{id}/messages"), "{error}");
    assert!(error.to_string().contains("CHANNEL_PARENT_MAX_CHANNELS"), "{error}");
}

#[tokio::test]
async fn a_broken_connection_shows_no_token() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let api_url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let discord = Discord::new(&DiscordConfig { api_url }, SecretString::from("the.bot.token")).unwrap();
    let error = callback(&discord).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert!(!error.is_unclear(), "nothing was sent");
    let debug = format!("{error:?}");
    let shown = format!("{debug} {:#}", anyhow::Error::from(error));
    assert!(!shown.contains("path-token"), "{shown}");
    assert!(!format!("{discord:?}").contains("bot.token"));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let (upstream, discord) = Upstream::start().await;
    let registry = prometheus::Registry::new();
    discord.register_metrics(&registry).unwrap();
    upstream.will(404, &[], json!({}));
    post(&discord).await.unwrap_err();
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains(r#"{route="POST channels/{id}/messages",status="404"} 1"#), "{text}");
}
