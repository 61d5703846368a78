use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use common::{
    discord::{Discord, DiscordConfig, Error, ask_own_id, watch_token},
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
    at: Instant,
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
    upstream.hits.lock().unwrap().push(Hit { at: Instant::now(), method, path, headers, body });
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

#[track_caller]
fn assert_wait(error: &Error, about: Duration) {
    let wait = match error {
        Error::RateLimited { retry_after, .. } => Some(*retry_after),
        _ => None,
    };
    let near = |wait| wait <= about && wait > about - Duration::from_secs(5);
    assert!(wait.is_some_and(near), "{error:?}");
}

async fn is_asked_again_after_the_wait(kind: &str, headers: &[(&'static str, &'static str)], body: Value) {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(429, headers, body);
    post(&discord).await.unwrap();
    let hits = upstream.hits.lock().unwrap();
    assert_eq!(hits.len(), 2, "{kind}");
    let gap = hits[1].at - hits[0].at;
    assert!(gap >= SHORT, "{kind}: asked again after {gap:?}");
}

#[tokio::test]
async fn every_kind_of_429_is_asked_once_and_again_only_after_its_wait() {
    // Where the body has a fraction of a second, the header would be beyond the deadline.
    let limit = |global| json!({"message": "limited", "retry_after": 0.05, "global": global});
    let minute = ("retry-after", "60");
    let check = is_asked_again_after_the_wait;
    check("global", &[("x-ratelimit-global", "true"), minute], limit(true)).await;
    check("shared", &[("x-ratelimit-scope", "shared"), minute], limit(false)).await;
    check("route", &[("x-ratelimit-remaining", "0"), minute], limit(false)).await;
    let short = ("retry-after", "0.05");
    check("sub-limit", &[("x-ratelimit-remaining", "4"), short], json!({})).await;
    check("no header of Discord's", &[short], json!("<html>")).await;
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_told_at_once_and_remembered_for_others() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(429, &[("x-ratelimit-global", "true"), ("retry-after", "60")], json!({}));
    let minute = Duration::from_secs(60);
    assert_wait(&post(&discord).await.unwrap_err(), minute);
    assert_wait(&post(&discord.clone()).await.unwrap_err(), minute);
    assert_wait(&get(&discord).await.unwrap_err(), minute);
    assert_eq!(upstream.count(), 1);
    callback(&discord).await.unwrap();
    assert_eq!(upstream.count(), 2, "an interaction is exempt of the bot's global limit");
}

#[tokio::test]
async fn a_used_up_route_is_not_asked_again() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "60")], json!({}));
    post(&discord).await.unwrap();
    assert_wait(&post(&discord).await.unwrap_err(), Duration::from_secs(60));
    assert_eq!(upstream.count(), 1);
    get(&discord).await.unwrap();
}

#[tokio::test]
async fn a_blocked_rename_does_not_hold_up_another_change_of_the_channel() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(429, &[("x-ratelimit-remaining", "4"), ("retry-after", "500")], json!({}));
    let rename = || discord.call(discord.requests().update_channel(CHANNEL).name("closed-7"));
    assert_wait(&rename().await.unwrap_err(), Duration::from_secs(500));
    assert_wait(&rename().await.unwrap_err(), Duration::from_secs(500));
    assert_eq!(upstream.count(), 1);
    let archived = discord.call(discord.requests().update_channel(CHANNEL).nsfw(true)).await;
    assert!(matches!(archived, Err(Error::Decode { .. })), "it was sent: {archived:?}");
}

#[tokio::test]
async fn those_who_waited_do_not_run_into_the_limit_together() {
    let (upstream, discord) = Upstream::start().await;
    let used_up: &[_] = &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "0.03")];
    for _ in 0..4 {
        upstream.will(200, used_up, json!({}));
    }
    post(&discord).await.unwrap();
    let (a, b, c) = tokio::join!(post(&discord), post(&discord), post(&discord));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    let hits = upstream.hits.lock().unwrap();
    for pair in hits.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(30));
    }
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
    let service = Service::for_test("worker");
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
    let service = Service::for_test("starting");
    // A call repeats a server error three times by itself.
    for _ in 0..4 {
        upstream.will(503, &[], json!({}));
    }
    upstream.will(200, &[], json!({"id": "42"}));
    assert_eq!(ask_own_id(&service, &discord, "BOT_TOKEN").await.unwrap(), Id::new(42));
    assert_eq!(upstream.count(), 5);

    for (status, named) in [(403, "403"), (404, "DISCORD_API_URL"), (401, "BOT_TOKEN")] {
        let before = upstream.count();
        upstream.will(status, &[], json!({"message": "no", "code": 0}));
        let error = ask_own_id(&service, &discord, "BOT_TOKEN").await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(named), "{error}");
        assert_eq!(upstream.count(), before + 1, "{status}");
    }
}

#[tokio::test]
async fn invalid_requests_end_long_before_the_address_is_banned() {
    let (upstream, discord) = Upstream::start().await;
    const TRIES: usize = 2_600;
    for _ in 0..TRIES {
        upstream.will(403, &[], json!({"message": "Missing Access", "code": 50001}));
    }
    let begin = Instant::now();
    for _ in 0..TRIES / 20 {
        let refused = futures_util::future::join_all((0..20).map(|_| post(&discord))).await;
        assert!(refused.iter().all(Result::is_err));
    }
    assert_eq!(upstream.count(), 2_500);
    let error = callback(&discord).await.unwrap_err();
    // The first is forgotten ten minutes after its answer, which came since the beginning.
    let period = Duration::from_secs(600);
    let right = |wait| wait <= period && wait + begin.elapsed() >= period;
    assert!(matches!(error, Error::RateLimited { retry_after, .. } if right(retry_after)), "{error:?}");
}

#[tokio::test]
async fn a_401_to_a_token_in_the_path_does_not_kill_the_bots_token() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(401, &[], json!({"message": "Invalid Webhook Token", "code": 50027}));
    assert_eq!(callback(&discord).await.unwrap_err().code(), Some(50027));
    get(&discord).await.unwrap();
}

#[tokio::test]
async fn a_server_error_is_repeated_for_a_get_and_not_for_a_post() {
    let (upstream, discord) = Upstream::start().await;
    upstream.will(502, &[], json!("<html>"));
    get(&discord).await.unwrap();
    assert_eq!(upstream.count(), 2);

    upstream.will(502, &[], json!("<html>"));
    let error = post(&discord).await.unwrap_err();
    assert_eq!(error.status(), Some(502));
    assert!(error.is_unclear());
    assert_eq!(upstream.count(), 3);
}

#[tokio::test]
async fn a_server_error_that_stays_is_repeated_three_times() {
    let (upstream, discord) = Upstream::start().await;
    for _ in 0..4 {
        upstream.will(500, &[], json!({}));
    }
    assert_eq!(get(&discord).await.unwrap_err().status(), Some(500));
    assert_eq!(upstream.count(), 4);
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
