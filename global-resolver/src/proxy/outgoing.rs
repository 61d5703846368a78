//! The request as it goes on: to Discord, or to the instance that sends for its bot.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts, uri::PathAndQuery},
};
use bytes::Bytes;
use common::{
    discord::{
        Priority, Route,
        gate::{DEADLINE, GUILD, PRIORITY, Refused},
    },
    http,
};
use tokio::time::Instant;

use super::answer::{Fault, remove_own};
use crate::limiter::{BotKey, Call, Fields};

/// What the caller's deadline is where it says nothing.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(15);
/// The longest deadline that is obeyed.
const LONGEST_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Bodies up to this size are held, so that the request can be sent again. Larger ones stream, and are sent once.
const HELD: usize = 256 * 1024;

/// The request to send.
pub(super) struct Outgoing {
    method: Method,
    /// The path, with the query.
    path: PathAndQuery,
    headers: HeaderMap,
    /// What the caller said to the gate, save for the deadline.
    said: [Option<(&'static HeaderName, HeaderValue)>; 2],
    body: Payload,
}

enum Payload {
    Held(Bytes),
    Stream(Option<Body>),
}

impl Outgoing {
    /// Reads a request, and what it counts against.
    pub(super) async fn new(parts: Parts, body: Body) -> Result<(Call, Self), Fault> {
        let Parts { method, uri, mut headers, .. } = parts;
        let deadline = deadline(&headers)?;
        let priority = priority(&headers)?;
        let route = Route::new(&method, uri.path(), now_ms());
        let flow = number(&headers, &GUILD).unwrap_or(route.flow);
        let bot = headers.get(header::AUTHORIZATION).map(|value| BotKey::of(value.as_bytes())).unwrap_or_default();
        let said = [&PRIORITY, &GUILD].map(|name| headers.remove(name).map(|value| (name, value)));
        remove_own(&mut headers);
        if !headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"DiscordBot (")) {
            // Discord would answer 403 with the code 40333.
            headers.insert(header::USER_AGENT, HeaderValue::from_static(http::USER_AGENT));
        }
        let body = payload(&headers, body).await?;
        let fields = match &body {
            Payload::Held(bytes) if route.changed_channel().is_some() => Fields::of(bytes),
            _ => Fields::default(),
        };
        let call = Call { bot, route, fields, priority, flow, deadline };
        let path = uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok((call, Self { method, path, headers, said, body }))
    }

    /// The request to send to Discord now, which is there.
    pub(super) fn for_discord(&mut self, origin: &Uri) -> Result<Request, Fault> {
        let mut uri = origin.clone().into_parts();
        uri.path_and_query = Some(self.path.clone());
        let uri = Uri::from_parts(uri)
            .map_err(|_| Fault::Failed(StatusCode::BAD_REQUEST, Refused::Request, "the path cannot be read"))?;
        let body = match &mut self.body {
            Payload::Held(bytes) => Body::from(bytes.clone()),
            Payload::Stream(body) => body.take().ok_or(Fault::Failed(
                StatusCode::BAD_GATEWAY,
                Refused::Unanswered,
                "the body was sent already",
            ))?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// The request to give to another instance now, which is there: with what the caller said to the gate.
    pub(super) fn for_owner(&mut self, origin: &Uri) -> Result<Request, Fault> {
        let mut request = self.for_discord(origin)?;
        for (name, value) in self.said.iter().flatten() {
            request.headers_mut().insert(*name, value.clone());
        }
        Ok(request)
    }

    /// Whether it can be sent more than once.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.body, Payload::Held(_))
    }

    /// Whether it was sent, and cannot be again.
    pub(super) fn is_spent(&self) -> bool {
        matches!(self.body, Payload::Stream(None))
    }

    /// Whether doing it twice does no harm.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.is_held() && matches!(self.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE)
    }
}

async fn payload(headers: &HeaderMap, body: Body) -> Result<Payload, Fault> {
    let length = number(headers, &header::CONTENT_LENGTH);
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

fn deadline(headers: &HeaderMap) -> Result<Instant, Fault> {
    let wait = match headers.get(&DEADLINE) {
        None => DEFAULT_DEADLINE,
        Some(_) => number(headers, &DEADLINE).map(Duration::from_millis).ok_or_else(|| {
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
    match headers.get(&PRIORITY).map(HeaderValue::as_bytes) {
        None => Ok(Priority::default()),
        Some(name) => Priority::from_name(name).ok_or(Fault::Failed(
            StatusCode::BAD_REQUEST,
            Refused::Request,
            "X-Priority must be interactive or bulk",
        )),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
