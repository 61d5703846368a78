use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use twilight_http::request::{Method, Request};

use super::{
    Discord, Error, answer,
    client::DeadToken,
    gate::{Lesson, MOST_INVALID},
    route::Route,
};
use crate::backoff;

/// So often a call obeys "wait and try again" before it gives up; a limit that is shared with others may need it.
const MOST_WAITS: usize = 5;

/// So often a request without lasting effect is repeated after a server error or a broken connection.
const MOST_RETRIES: usize = 3;

/// A wait is prolonged by up to so much, so that not everybody comes back at once.
const JITTER: Duration = Duration::from_millis(250);

/// A request that can be sent again and again.
pub(super) struct Prepared {
    method: reqwest::Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    route: Route,
    authorised: bool,
}

/// A successful answer.
pub(super) struct Answer {
    pub(super) body: Bytes,
    route: String,
}

impl Answer {
    pub(super) fn decode<T: DeserializeOwned>(self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| Error::Decode { route: self.route, source })
    }
}

impl Prepared {
    pub(super) fn new(discord: &Discord, request: &Request) -> Result<Prepared, Error> {
        let url = Url::parse(&format!("{}/{}", discord.shared.base, request.path()))
            .map_err(|error| Error::Request(error.into()))?;
        let route = Route::new(request.method(), request.path(), request.body());
        let authorised = request.use_authorization_token() && !route.by_path_token;

        let mut headers = request.headers().cloned().unwrap_or_default();
        if authorised {
            headers.insert(AUTHORIZATION, discord.shared.authorization.clone());
        }
        if let Some(reason) = &discord.reason {
            headers.insert(HeaderName::from_static("x-audit-log-reason"), reason.clone());
        }
        let body = match (request.form(), request.body()) {
            (Some(form), _) => {
                let content_type = HeaderValue::try_from(form.content_type());
                headers.insert(CONTENT_TYPE, content_type.map_err(|error| Error::Request(error.into()))?);
                Bytes::from(form.clone().build())
            }
            (None, Some(json)) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Bytes::copy_from_slice(json)
            }
            (None, None) => {
                // Discord answers 411 to a PUT or POST that does not say that it has no body.
                if !matches!(request.method(), Method::Get | Method::Delete) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                }
                Bytes::new()
            }
        };
        let method = reqwest::Method::from_bytes(request.method().name().as_bytes())
            .map_err(|error| Error::Request(error.into()))?;
        Ok(Prepared { method, url, headers, body, route, authorised })
    }

    fn may_repeat(&self) -> bool {
        matches!(self.method, reqwest::Method::GET | reqwest::Method::PUT | reqwest::Method::DELETE)
    }
}

/// Sends until there is an answer that is not "wait", or the time is over.
pub(super) async fn send(discord: &Discord, request: &Prepared) -> Result<Answer, Error> {
    let shared = &discord.shared;
    let route = &request.route;
    let deadline = Instant::now() + discord.deadline;
    let mut waits = 0;
    let mut retries = backoff::exponential(Duration::from_millis(100), Duration::from_secs(2)).take(MOST_RETRIES);
    loop {
        // Those who must wait for too long learn it before they queue behind others.
        check_wait(discord, request, deadline)?;
        let _lane = match shared.gate.lane(route, Instant::now()) {
            Some(lane) => Some(timeout_at(deadline, lane.lock_owned()).await.map_err(|_| too_late(request, false))?),
            None => None,
        };
        while let Some(until) = check_wait(discord, request, deadline)? {
            sleep_until((until + JITTER.mul_f64(rand::random())).min(deadline.max(until))).await;
        }
        if request.authorised
            && let Some(dead) = shared.dead.get()
        {
            return Err(dead.refusal(&route.label));
        }

        let (error, repeat) = match attempt(discord, request, deadline).await {
            Ok((status, headers, body)) => {
                count(discord, request, status.as_str());
                let lesson = answer::lesson(status, &headers, &body);
                shared.gate.learn(route, lesson, Instant::now());
                if answer::counts_as_invalid(status, &headers) && shared.gate.count_invalid(Instant::now()) {
                    tracing::error!(
                        "discord refused {MOST_INVALID} requests within 10 minutes, of which 10,000 get the address \
                         banned: nothing is sent until they are fewer; the last was {}",
                        route.label
                    );
                }
                if status.is_success() {
                    return Ok(Answer { body, route: route.label.clone() });
                }
                if status == StatusCode::TOO_MANY_REQUESTS {
                    waits += 1;
                    tracing::debug!(route = route.label, "discord limits {}: {lesson:?}", route.label);
                    if waits > MOST_WAITS {
                        return Err(limited(request, lesson_wait(lesson)));
                    }
                    continue;
                }
                let refusal = answer::refusal(status, &body, &route.label);
                if status == StatusCode::UNAUTHORIZED && request.authorised {
                    kill_token(discord, &refusal);
                }
                (refusal, status.is_server_error())
            }
            Err(error) => {
                count(discord, request, "none");
                if error.is_timeout() && Instant::now() >= deadline {
                    return Err(too_late(request, !error.is_connect()));
                }
                // The URL of an interaction or a webhook holds its token.
                (Error::Transport { route: route.label.clone(), source: error.without_url() }, true)
            }
        };
        let pause = retries.next().filter(|_| repeat && request.may_repeat());
        match pause {
            Some(pause) if Instant::now() + pause < deadline => sleep(pause).await,
            _ => return Err(error),
        }
    }
}

/// Until when to wait, or the error when that is too late.
fn check_wait(discord: &Discord, request: &Prepared, deadline: Instant) -> Result<Option<Instant>, Error> {
    let now = Instant::now();
    match discord.shared.gate.closed_until(&request.route, now) {
        Some(until) if until > deadline => Err(limited(request, until - now)),
        until => Ok(until),
    }
}

async fn attempt(
    discord: &Discord,
    request: &Prepared,
    deadline: Instant,
) -> Result<(StatusCode, HeaderMap, Bytes), reqwest::Error> {
    let mut builder = discord
        .shared
        .http
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone())
        .timeout(deadline.saturating_duration_since(Instant::now()));
    if !request.body.is_empty() {
        builder = builder.body(request.body.clone());
    }
    let mut response = builder.send().await?;
    let headers = std::mem::take(response.headers_mut());
    let status = response.status();
    Ok((status, headers, response.bytes().await?))
}

fn kill_token(discord: &Discord, refusal: &Error) {
    if let Error::Api { code, message, route, .. } = refusal {
        let dead = DeadToken { code: *code, message: message.clone(), route: route.clone() };
        if discord.shared.dead.set(dead).is_ok() {
            tracing::error!("discord does not accept the bot's token: nothing more is sent with it");
        }
    }
}

fn count(discord: &Discord, request: &Prepared, status: &str) {
    discord.shared.requests.with_label_values(&[request.route.label.as_str(), status]).inc();
}

fn limited(request: &Prepared, retry_after: Duration) -> Error {
    Error::RateLimited { retry_after, route: request.route.label.clone() }
}

fn too_late(request: &Prepared, sent: bool) -> Error {
    Error::Deadline { route: request.route.label.clone(), sent }
}

fn lesson_wait(lesson: Lesson) -> Duration {
    match lesson {
        Lesson::Free => Duration::ZERO,
        Lesson::UsedUp(wait)
        | Lesson::Route(wait)
        | Lesson::Inner(wait)
        | Lesson::Global(wait)
        | Lesson::Banned(wait) => wait,
    }
}
