use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use super::{Error, gate::Lesson};

/// The wait of a 429 that does not say how long: no answer of Discord's own looks like that.
const UNSAID_WAIT: Duration = Duration::from_secs(10);

/// The longest wait that is believed; Cloudflare's bans are an hour.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Default, Deserialize)]
struct Body {
    code: Option<u64>,
    message: Option<String>,
    errors: Option<Value>,
    retry_after: Option<f64>,
    global: Option<bool>,
}

/// What an answer says about limits.
pub(super) fn lesson(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Lesson {
    let remaining = number(headers, "x-ratelimit-remaining");
    let reset_after = number(headers, "x-ratelimit-reset-after").and_then(seconds);
    let used_up = reset_after.filter(|_| remaining == Some(0.0));
    if status != StatusCode::TOO_MANY_REQUESTS {
        return used_up.map_or(Lesson::Free, Lesson::UsedUp);
    }
    let body = serde_json::from_slice::<Body>(body).ok();
    let told = body.as_ref().and_then(|body| body.retry_after);
    // The body has fractions of a second where the header has whole ones.
    let wait = told.or_else(|| number(headers, "retry-after")).and_then(seconds).or(reset_after).unwrap_or(UNSAID_WAIT);
    let scope = headers.get("x-ratelimit-scope").and_then(|scope| scope.to_str().ok());
    let global = headers.contains_key("x-ratelimit-global")
        || scope == Some("global")
        || body.as_ref().is_some_and(|body| body.global == Some(true));
    let by_discord = told.is_some() || scope.is_some() || remaining.is_some();
    match (global, by_discord) {
        (true, _) => Lesson::Global(wait),
        // Cloudflare stands before Discord and bans the address.
        (false, false) => Lesson::Banned(wait),
        // Requests remain, yet this one was refused: a limit that the headers do not show.
        (false, true) if remaining.is_some_and(|remaining| remaining > 0.0) => Lesson::Inner(wait),
        (false, true) => Lesson::Route(wait),
    }
}

/// Whether Discord counts the request among those of which 10,000 in 10 minutes get an address banned.
///
/// Those are 401, 403 and 429, save for a 429 with the scope `shared` (Discord's docs, "Invalid Request Limit").
pub(super) fn counts_as_invalid(status: StatusCode, headers: &HeaderMap) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::TOO_MANY_REQUESTS => headers.get("x-ratelimit-scope").is_none_or(|scope| scope != "shared"),
        _ => false,
    }
}

/// Discord's refusal, in its own words.
pub(super) fn refusal(status: StatusCode, body: &[u8], route: &str) -> Error {
    let body = serde_json::from_slice::<Body>(body).unwrap_or_default();
    Error::Api {
        status: status.as_u16(),
        code: body.code.unwrap_or(0),
        message: body.message.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason").to_owned()),
        errors: body.errors,
        route: route.to_owned(),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0)).ok().map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], body: &str, expected: Lesson) {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(lesson(StatusCode::TOO_MANY_REQUESTS, &headers, body.as_bytes()), expected);
    }

    #[test]
    fn a_429_tells_how_long_and_what_is_limited() {
        let ms = Duration::from_millis;
        check(&[("x-ratelimit-global", "true"), ("retry-after", "2")], "", Lesson::Global(ms(2000)));
        check(&[("retry-after", "1")], r#"{"message":"x","retry_after":0.35,"global":true}"#, Lesson::Global(ms(350)));
        check(&[("x-ratelimit-scope", "shared"), ("retry-after", "2")], "", Lesson::Route(ms(2000)));
        check(
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-scope", "user")],
            r#"{"message":"x","retry_after":0.35,"global":false}"#,
            Lesson::Route(ms(350)),
        );
        check(
            &[("x-ratelimit-remaining", "4"), ("x-ratelimit-reset-after", "1"), ("retry-after", "584")],
            "",
            Lesson::Inner(ms(584_000)),
        );
        check(&[("retry-after", "3600")], "<html>banned</html>", Lesson::Banned(ms(3_600_000)));
        check(&[], "", Lesson::Banned(UNSAID_WAIT));
        check(&[("retry-after", "-1")], "", Lesson::Banned(ms(0)));
        check(&[("retry-after", "1e300")], "", Lesson::Banned(UNSAID_WAIT));
    }

    #[test]
    fn refusals_count_as_invalid_unless_the_limit_is_shared_with_others() {
        let shared = [("x-ratelimit-scope".parse().unwrap(), "shared".parse().unwrap())].into_iter().collect();
        for (status, headers, expected) in [
            (401, &HeaderMap::new(), true),
            (403, &HeaderMap::new(), true),
            (429, &HeaderMap::new(), true),
            (429, &shared, false),
            (404, &HeaderMap::new(), false),
            (500, &HeaderMap::new(), false),
            (200, &HeaderMap::new(), false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(counts_as_invalid(status, headers), expected, "{status} {headers:?}");
        }
    }

    #[test]
    fn an_answer_that_used_up_the_route_says_so() {
        let headers = |remaining: &str| {
            [("x-ratelimit-remaining", remaining), ("x-ratelimit-reset-after", "0.5")]
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect()
        };
        assert_eq!(lesson(StatusCode::OK, &headers("0"), b""), Lesson::UsedUp(Duration::from_millis(500)));
        assert_eq!(lesson(StatusCode::OK, &headers("1"), b""), Lesson::Free);
    }

    #[test]
    fn a_refusal_without_json_still_has_a_message() {
        let error = refusal(StatusCode::BAD_GATEWAY, b"<html>", "GET users/@me");
        assert_eq!(error.to_string(), "discord answered 502 (code 0) to GET users/@me: Bad Gateway");
        assert_eq!(error.code(), None);
    }
}
