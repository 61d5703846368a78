use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use twilight_http::request::{Method, Request};

use super::{Discord, Error, answer, client::DeadToken, gate, route::Route};
use crate::backoff;

/// So often a request without lasting effect is given to the gate again after its connection broke.
const MOST_REPEATS: u32 = 3;

/// The gate keeps the deadline; its answer is waited for so much longer.
const GRACE: Duration = Duration::from_millis(500);

/// A request that can be sent again.
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
        let method = reqwest::Method::from_bytes(request.method().name().as_bytes())
            .map_err(|error| Error::Request(error.into()))?;
        // How old a message is matters to its limit only.
        let route = Route::new(&method, request.path(), 0);
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
        headers.insert(&gate::PRIORITY, HeaderValue::from_static(discord.priority.as_str()));
        if let Some(guild) = discord.guild {
            headers.insert(&gate::GUILD, HeaderValue::from(guild.get()));
        }
        Ok(Prepared { method, url, headers, body, route, authorised })
    }

    fn may_be_repeated(&self) -> bool {
        matches!(self.method, reqwest::Method::GET | reqwest::Method::PUT | reqwest::Method::DELETE)
    }
}

/// Sends it to the gate, which gives Discord's answer or says why there is none.
pub(super) async fn send(discord: &Discord, request: &Prepared) -> Result<Answer, Error> {
    let label = &request.route.label;
    let deadline = Instant::now() + discord.deadline;
    let mut pauses = backoff::exponential(Duration::from_millis(50), Duration::from_secs(1));
    let mut repeats = 0;
    loop {
        if request.authorised
            && let Some(dead) = discord.shared.dead.get()
        {
            return Err(dead.refusal(label));
        }
        let error = match attempt(discord, request, deadline).await {
            Ok((status, headers, body)) => {
                count(discord, request, status.as_str());
                if status.is_success() {
                    return Ok(Answer { body, route: label.clone() });
                }
                let refusal = answer::refusal(status, &headers, &body, label);
                if status == StatusCode::UNAUTHORIZED && request.authorised {
                    kill_token(discord, &refusal);
                }
                return Err(refusal);
            }
            Err(error) => error,
        };
        count(discord, request, "none");
        let sent = !error.is_connect();
        if error.is_timeout() && Instant::now() >= deadline {
            return Err(Error::Deadline { route: label.clone(), sent });
        }
        // The gate is gone, which comes back soon. What it was not given it cannot have sent.
        let again = !sent || (request.may_be_repeated() && repeats < MOST_REPEATS);
        repeats += u32::from(sent);
        match pauses.next().filter(|_| again) {
            Some(pause) if Instant::now() + pause < deadline => sleep(pause).await,
            // The URL of an interaction or a webhook holds its token.
            _ => return Err(Error::Transport { route: label.clone(), source: error.without_url() }),
        }
    }
}

async fn attempt(
    discord: &Discord,
    request: &Prepared,
    deadline: Instant,
) -> Result<(StatusCode, HeaderMap, Bytes), reqwest::Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut builder = discord
        .shared
        .http
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone())
        .header(&gate::DEADLINE, u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
        .timeout(left + GRACE);
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
