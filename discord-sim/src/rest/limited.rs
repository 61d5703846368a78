//! How limits look in answers.
//!
//! Source: Discord's documentation, "Rate Limits"; what Cloudflare's page looks like is what the community reports.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use time::OffsetDateTime;

use crate::rate_limits::{Refusal, Scope, Shown};

const PAGE: &str = "<!doctype html>\n<html lang=\"en-US\">\n<title>Access denied | discord.com used Cloudflare to restrict access</title>\n\
    <h1>Error 1015</h1>\n<p>You are being rate limited</p>\n<p>error code: 1015</p>\n</html>\n";

/// The answer to a request that is told to wait.
pub(super) fn refused(refusal: Refusal) -> Response {
    let mut response = match refusal {
        Refusal::Page(_) => {
            let headers = [(header::CONTENT_TYPE, "text/html; charset=UTF-8"), (header::SERVER, "cloudflare")];
            (StatusCode::TOO_MANY_REQUESTS, headers, PAGE).into_response()
        }
        Refusal::Limited(scope, wait) => {
            let resource = "The resource is being rate limited.";
            let message = if scope == Scope::Shared { resource } else { "You are being rate limited." };
            let global = scope == Scope::Global;
            let body = json!({ "message": message, "retry_after": wait.as_secs_f64(), "global": global });
            let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
            set(&mut response, "x-ratelimit-scope", scope.header());
            if global {
                set(&mut response, "x-ratelimit-global", "true");
            }
            response
        }
    };
    set(&mut response, "retry-after", &refusal.retry_after().to_string());
    response
}

/// Whether an answer with this status tells of its bucket.
pub(super) fn tells(status: StatusCode, refusal: Option<Refusal>) -> bool {
    match refusal {
        Some(Refusal::Page(_) | Refusal::Limited(Scope::Global, _)) => false,
        Some(_) => true,
        None => status != StatusCode::UNAUTHORIZED && !status.is_server_error(),
    }
}

/// The headers of a bucket. A refusal for the bucket leaves nothing of it; one within it leaves something.
pub(super) fn show(response: &mut Response, shown: &Shown, refusal: Option<Refusal>, now: OffsetDateTime) {
    let mut standing = shown.standing;
    match refusal {
        Some(Refusal::Limited(Scope::User, wait)) => (standing.remaining, standing.reset_after) = (0, wait),
        Some(Refusal::Limited(Scope::Inner, _)) => standing.remaining = standing.remaining.max(1),
        _ => {}
    }
    let reset = Duration::from_nanos(u64::try_from(now.unix_timestamp_nanos()).unwrap_or(0)) + standing.reset_after;
    set(response, "x-ratelimit-limit", &standing.limit.to_string());
    set(response, "x-ratelimit-remaining", &standing.remaining.to_string());
    set(response, "x-ratelimit-reset", &seconds(reset));
    set(response, "x-ratelimit-reset-after", &seconds(standing.reset_after));
    set(response, "x-ratelimit-bucket", &shown.hash);
}

/// Seconds with three digits behind the point, rounded up: nobody who goes by them is early.
fn seconds(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Sets a header.
pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_to_the_millisecond() {
        let check = |micros, text: &str| assert_eq!(seconds(Duration::from_micros(micros)), text);
        check(1_000_000, "1.000");
        check(1_000_001, "1.001");
        check(250_000, "0.250");
    }
}
