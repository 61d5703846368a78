//! The proxy: takes a call as Discord would, sends it when the limiter lets it, and gives Discord's answer back.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use common::{
    backoff,
    discord::{
        Priority, Route,
        gate::{DEADLINE, GUILD, PRIORITY, REFUSED, Refused},
    },
    http,
};
use futures_util::TryStreamExt;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::{
    limiter::{BotKey, Breaker, Call, Fields, Lesson, Limiter, No, Pass, Refusal},
    metrics::Metrics,
};

/// What the caller's deadline is where it says nothing.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(15);
/// The longest deadline that is obeyed.
const LONGEST_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Bodies up to this size are held, so that the request can be sent again. Larger ones stream, and are sent once.
const HELD: usize = 256 * 1024;
/// How much of a refusal is read, which is held to be learnt from.
const REFUSAL: usize = 256 * 1024;
/// So often a request without lasting effect is sent again after a server error or a broken connection.
const MOST_RETRIES: usize = 3;

/// What ends at each hop (RFC 9110, 7.6.1), and what is for us: we read refusals, so nobody may have them packed.
const OWN: [&str; 13] = [
    "accept-encoding",
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    DEADLINE,
    PRIORITY,
];

/// The gate: the limiter with the way out.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    /// Scheme, host and port of Discord.
    origin: String,
    limiter: Limiter,
    metrics: Metrics,
}

impl Gate {
    /// A gate to the Discord at that address.
    ///
    /// # Errors
    ///
    /// When the system's certificate authorities cannot be loaded.
    pub fn new(upstream: &Url, limiter: Limiter, metrics: Metrics) -> Result<Self, reqwest::Error> {
        let origin = upstream.origin().ascii_serialization();
        Ok(Self(Arc::new(Inner { http: http::transparent()?, origin, limiter, metrics })))
    }
}

/// Every route is Discord's.
pub fn router(gate: Gate) -> Router {
    Router::new().fallback(pass_on).with_state(gate)
}

async fn pass_on(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    gate.exchange(parts, body).await.unwrap_or_else(Fault::into_response)
}

impl Gate {
    async fn exchange(&self, parts: Parts, body: Body) -> Result<Response, Fault> {
        let Inner { limiter, metrics, .. } = &*self.0;
        let (call, mut request) = Outgoing::new(&self.0.origin, parts, body).await?;
        let mut retries = backoff::exponential(Duration::from_millis(100), Duration::from_secs(2)).take(MOST_RETRIES);
        loop {
            let asked = Instant::now();
            let pass = limiter.enter(call.clone()).await.inspect_err(|no| metrics.refused(no))?;
            metrics.waited(asked.elapsed());
            match self.attempt(&call, &mut request, pass).await? {
                Attempt::Done(response) => return Ok(response),
                Attempt::Limited(wait) if !request.is_held() => {
                    return Err(No::Wait { wait, why: Refused::Limit }.into());
                }
                // The limiter knows how long, and whether that is too long.
                Attempt::Limited(_) => {}
                Attempt::Failed(answer) if !request.may_be_repeated() => return Ok(answer),
                Attempt::Unsent(answer) if !request.is_held() => return Ok(answer),
                Attempt::Failed(answer) | Attempt::Unsent(answer) => match retries.next() {
                    Some(pause) if Instant::now() + pause < call.deadline => sleep(pause).await,
                    _ => return Ok(answer),
                },
            }
        }
    }

    /// Sends the request once.
    async fn attempt(&self, call: &Call, request: &mut Outgoing, pass: Pass) -> Result<Attempt, Fault> {
        let Inner { http, metrics, .. } = &*self.0;
        let label = &call.route.label;
        let sent = match timeout_at(call.deadline, http.execute(request.next()?)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                metrics.sent(label, "none");
                let why = if error.is_connect() { Refused::Unsent } else { Refused::Unanswered };
                tracing::debug!(route = label, "no answer from Discord to {label}: {}", error.without_url());
                let fault = Fault::Failed(StatusCode::BAD_GATEWAY, why, "no answer from Discord");
                return Ok(match why {
                    Refused::Unsent => Attempt::Unsent(fault.into_response()),
                    _ => Attempt::Failed(fault.into_response()),
                });
            }
            Err(_) => {
                metrics.sent(label, "none");
                let message = "no answer from Discord within the deadline";
                return Err(Fault::Failed(StatusCode::GATEWAY_TIMEOUT, Refused::Unanswered, message));
            }
        };
        let (status, mut headers) = (sent.status(), sent.headers().clone());
        metrics.sent(label, status.as_str());
        if !status.is_client_error() {
            let lesson = Lesson::read(status, &headers, b"");
            self.learn(call, pass, status, &lesson, &Bytes::new());
            let body = Body::from_stream(sent.bytes_stream());
            let response = answer(status, &headers, body);
            return Ok(if status.is_server_error() { Attempt::Failed(response) } else { Attempt::Done(response) });
        }
        let body = match timeout_at(call.deadline, held(sent)).await {
            Ok(Ok(body)) => body,
            // What the headers say is known.
            _ => Bytes::new(),
        };
        let lesson = Lesson::read(status, &headers, &body);
        self.learn(call, pass, status, &lesson, &body);
        Ok(match lesson.refusal {
            Some((limit, wait)) => {
                metrics.limited(limit);
                tracing::debug!(route = label, ?limit, "Discord limits {label} for {} ms", wait.as_millis());
                Attempt::Limited(wait)
            }
            None => {
                // The body may have been cut.
                headers.remove(header::CONTENT_LENGTH);
                Attempt::Done(answer(status, &headers, Body::from(body)))
            }
        })
    }

    fn learn(&self, call: &Call, pass: Pass, status: StatusCode, lesson: &Lesson, body: &Bytes) {
        let label = &call.route.label;
        let breaker = pass.answered(status, lesson, body);
        if status == StatusCode::UNAUTHORIZED && call.uses_a_token() {
            tracing::error!(bot = %call.bot, "Discord does not accept a bot's token: nothing more is sent with it");
        }
        match breaker {
            Some(Breaker::Warning) => {
                tracing::warn!("Discord refused 2,000 requests within 10 minutes; the last was {label}");
            }
            Some(Breaker::Bulk) => tracing::error!(
                "Discord refused 5,000 requests within 10 minutes, of which 10,000 get the address banned: what nobody \
                 waits for is not sent until they are fewer; the last was {label}"
            ),
            Some(Breaker::All) => tracing::error!(
                "Discord refused 8,000 requests within 10 minutes, of which 10,000 get the address banned: nothing is \
                 sent until they are fewer; the last was {label}"
            ),
            Some(Breaker::Closed) | None => {}
        }
    }
}

/// How sending once went.
enum Attempt {
    /// This is the answer.
    Done(Response),
    /// Discord said to wait.
    Limited(Duration),
    /// It may go better the next time; else this is the answer.
    Failed(Response),
    /// The same, and it had no effect.
    Unsent(Response),
}

/// The request to Discord.
struct Outgoing {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Payload,
}

enum Payload {
    Held(Bytes),
    Stream(Option<Body>),
}

impl Outgoing {
    async fn new(origin: &str, parts: Parts, body: Body) -> Result<(Call, Self), Fault> {
        let Parts { method, uri, mut headers, .. } = parts;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let url = Url::parse(&format!("{origin}{path}"))
            .map_err(|_| Fault::Failed(StatusCode::BAD_REQUEST, Refused::Request, "the path cannot be read"))?;
        let deadline = deadline(&headers)?;
        let priority = priority(&headers)?;
        let route = Route::new(&method, uri.path(), now_ms());
        let flow = number(&headers, GUILD).unwrap_or(route.flow);
        let bot = headers.get(header::AUTHORIZATION).map(|value| BotKey::of(value.as_bytes())).unwrap_or_default();
        for name in OWN {
            headers.remove(name);
        }
        headers.remove(GUILD);
        if !headers.contains_key(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, HeaderValue::from_static(http::USER_AGENT));
        }
        let body = payload(&headers, body).await?;
        let fields = match &body {
            Payload::Held(bytes) if route.changed_channel().is_some() => Fields::of(bytes),
            _ => Fields::default(),
        };
        let call = Call { bot, route, fields, priority, flow, deadline };
        Ok((call, Self { method, url, headers, body }))
    }

    /// The request to send now.
    fn next(&mut self) -> Result<reqwest::Request, Fault> {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        let body = match &mut self.body {
            Payload::Held(bytes) if bytes.is_empty() => None,
            Payload::Held(bytes) => Some(reqwest::Body::from(bytes.clone())),
            Payload::Stream(body) => {
                let body = body.take().ok_or(Fault::Failed(
                    StatusCode::BAD_GATEWAY,
                    Refused::Unanswered,
                    "the body was sent already",
                ))?;
                Some(reqwest::Body::wrap_stream(body.into_data_stream().map_err(axum::Error::into_inner)))
            }
        };
        *request.body_mut() = body;
        Ok(request)
    }

    fn is_held(&self) -> bool {
        matches!(self.body, Payload::Held(_))
    }

    fn may_be_repeated(&self) -> bool {
        self.is_held() && matches!(self.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE)
    }
}

async fn payload(headers: &HeaderMap, body: Body) -> Result<Payload, Fault> {
    let length = number(headers, header::CONTENT_LENGTH.as_str());
    match length {
        Some(length) if length <= HELD as u64 => {
            let bytes = axum::body::to_bytes(body, HELD).await;
            bytes
                .map(Payload::Held)
                .map_err(|_| Fault::Failed(StatusCode::BAD_REQUEST, Refused::Request, "the body broke off"))
        }
        None if axum::body::HttpBody::is_end_stream(&body) => Ok(Payload::Held(Bytes::new())),
        _ => Ok(Payload::Stream(Some(body))),
    }
}

async fn held(mut answer: reqwest::Response) -> reqwest::Result<Bytes> {
    let mut held = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = REFUSAL - held.len();
        held.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(held.into())
}

fn deadline(headers: &HeaderMap) -> Result<Instant, Fault> {
    let wait = match headers.get(DEADLINE) {
        None => DEFAULT_DEADLINE,
        Some(_) => number(headers, DEADLINE).map(Duration::from_millis).ok_or_else(|| {
            Fault::Failed(
                StatusCode::BAD_REQUEST,
                Refused::Request,
                "X-Deadline-Ms must be a whole number of milliseconds",
            )
        })?,
    };
    Ok(Instant::now() + wait.min(LONGEST_DEADLINE))
}

fn priority(headers: &HeaderMap) -> Result<Priority, Fault> {
    match headers.get(PRIORITY).map(HeaderValue::as_bytes) {
        None => Ok(Priority::default()),
        Some(name) => Priority::from_name(name).ok_or(Fault::Failed(
            StatusCode::BAD_REQUEST,
            Refused::Request,
            "X-Priority must be interactive or bulk",
        )),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Discord's answer as it came.
fn answer(status: StatusCode, headers: &HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        if !OWN.contains(&name.as_str()) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// Why an answer is not Discord's.
enum Fault {
    /// The limiter does not let the call go.
    No(No),
    /// It cannot be sent, or was not answered.
    Failed(StatusCode, Refused, &'static str),
}

impl From<No> for Fault {
    fn from(no: No) -> Self {
        Fault::No(no)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let refused = |why: Refused| (HeaderName::from_static(REFUSED), HeaderValue::from_static(why.as_str()));
        match self {
            Fault::No(No::Remembered(Refusal { status, body })) => {
                let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                (status, [json, refused(Refused::Remembered)], body).into_response()
            }
            Fault::No(No::Wait { wait, why }) => {
                let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let headers = [
                    (header::RETRY_AFTER, HeaderValue::from(whole)),
                    (HeaderName::from_static("x-ratelimit-scope"), HeaderValue::from_static("user")),
                    refused(why),
                ];
                let status = match why {
                    Refused::Address => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::TOO_MANY_REQUESTS,
                };
                // As Discord would say it, with the whole wait.
                let message = "You are being rate limited.";
                let body = json!({"message": message, "retry_after": wait.as_secs_f64(), "global": false});
                (status, headers, Json(body)).into_response()
            }
            Fault::Failed(status, why, message) => {
                (status, [refused(why)], Json(json!({"message": message, "code": 0}))).into_response()
            }
        }
    }
}
