//! What an answer of Discord says about limits.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use common::discord::gate;
use serde::Deserialize;

/// Headers that Discord tells limits with.
mod name {
    use super::HeaderName;

    pub(super) static SCOPE: HeaderName = HeaderName::from_static("x-ratelimit-scope");
    pub(super) static BUCKET: HeaderName = HeaderName::from_static("x-ratelimit-bucket");
    pub(super) static LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
    pub(super) static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
    pub(super) static RESET_AFTER: HeaderName = HeaderName::from_static("x-ratelimit-reset-after");
    pub(super) static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    pub(super) static GLOBAL: HeaderName = HeaderName::from_static("x-ratelimit-global");
}

/// What an answer teaches.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// The bucket's name, which routes may share (`X-RateLimit-Bucket`).
    pub hash: Option<String>,
    /// How the bucket stands.
    pub window: Option<Window>,
    /// What is refused and for how long, of a 429.
    pub refusal: Option<(Limit, Duration)>,
    /// Whether it is one of the requests of which 10,000 in ten minutes get an address banned: 401, 403 and 429, save
    /// for a 429 with the scope `shared` (Discord's documentation, "Invalid Request Limit").
    pub invalid: bool,
}

/// How a bucket stands, by `X-RateLimit-Limit`, `-Remaining`, `-Reset-After` and `-Reset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Requests for each period.
    pub limit: u32,
    /// Left of this one.
    pub remaining: u32,
    /// Until the period is over.
    pub reset_after: Duration,
    /// The same as seconds of Discord's clock, by which periods are told apart.
    pub reset: Option<f64>,
}

/// What a 429 refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The bucket, for this bot.
    User,
    /// The bucket, whoever asks.
    Shared,
    /// Something within the route that the headers do not show, such as the name of a channel.
    Inner,
    /// Everything of this bot.
    Global,
    /// Everything of this address: Cloudflare stands before Discord.
    Banned,
}

impl Limit {
    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Limit::User => "user",
            Limit::Shared => "shared",
            Limit::Inner => "inner",
            Limit::Global => "global",
            Limit::Banned => "banned",
        }
    }
}

#[derive(Deserialize)]
struct Body {
    retry_after: Option<f64>,
    global: Option<bool>,
}

impl Lesson {
    /// Reads an answer. The body is looked at for a 429 only.
    #[must_use]
    pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Lesson {
        let scope = text(headers, &name::SCOPE);
        Lesson {
            hash: text(headers, &name::BUCKET).map(str::to_owned),
            window: window(headers),
            refusal: (status == StatusCode::TOO_MANY_REQUESTS).then(|| refusal(headers, scope, body)),
            invalid: match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
                StatusCode::TOO_MANY_REQUESTS => scope != Some("shared"),
                _ => false,
            },
        }
    }
}

fn window(headers: &HeaderMap) -> Option<Window> {
    Some(Window {
        limit: text(headers, &name::LIMIT)?.parse().ok()?,
        remaining: text(headers, &name::REMAINING)?.parse().ok()?,
        reset_after: number(headers, &name::RESET_AFTER).and_then(gate::wait)?,
        reset: number(headers, &name::RESET),
    })
}

fn refusal(headers: &HeaderMap, scope: Option<&str>, body: &[u8]) -> (Limit, Duration) {
    let body = serde_json::from_slice::<Body>(body).ok();
    let told = body.as_ref().and_then(|body| body.retry_after);
    // The body has fractions of a second where the header has whole ones.
    let wait = told
        .or_else(|| number(headers, &header::RETRY_AFTER))
        .or_else(|| number(headers, &name::RESET_AFTER))
        .and_then(gate::wait)
        .unwrap_or(gate::UNSAID_WAIT);
    let remaining = number(headers, &name::REMAINING);
    let global = headers.contains_key(&name::GLOBAL)
        || scope == Some("global")
        || body.as_ref().is_some_and(|body| body.global == Some(true));
    let by_discord = told.is_some() || scope.is_some() || remaining.is_some();
    let limit = match scope {
        _ if global => Limit::Global,
        _ if !by_discord => Limit::Banned,
        Some("shared") => Limit::Shared,
        // Requests remain, yet this one was refused.
        _ if remaining.is_some_and(|remaining| remaining > 0.0) => Limit::Inner,
        _ => Limit::User,
    };
    (limit, wait)
}

fn text<'headers>(headers: &'headers HeaderMap, name: &HeaderName) -> Option<&'headers str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<f64> {
    text(headers, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], body: &str, limit: Limit, wait_ms: u64) {
        let lesson = Lesson::read(StatusCode::TOO_MANY_REQUESTS, &headers(pairs), body.as_bytes());
        assert_eq!(lesson.refusal, Some((limit, Duration::from_millis(wait_ms))));
        assert_eq!(lesson.invalid, limit != Limit::Shared);
    }

    #[test]
    fn a_429_tells_how_long_and_what_is_limited() {
        check(&[("x-ratelimit-global", "true"), ("retry-after", "2")], "", Limit::Global, 2000);
        check(&[("retry-after", "1")], r#"{"message":"x","retry_after":0.35,"global":true}"#, Limit::Global, 350);
        check(&[("x-ratelimit-scope", "shared"), ("retry-after", "2")], "", Limit::Shared, 2000);
        check(
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-scope", "user")],
            r#"{"message":"x","retry_after":0.35,"global":false}"#,
            Limit::User,
            350,
        );
        check(
            &[("x-ratelimit-remaining", "4"), ("x-ratelimit-reset-after", "1"), ("retry-after", "584")],
            "",
            Limit::Inner,
            584_000,
        );
        check(&[("retry-after", "3600")], "<html>banned</html>", Limit::Banned, 3_600_000);
        check(&[], "", Limit::Banned, 10_000);
        check(&[("retry-after", "-1")], "", Limit::Banned, 0);
        check(&[("retry-after", "1e300")], "", Limit::Banned, 10_000);
    }

    #[test]
    fn an_answer_tells_how_its_bucket_stands_whether_or_not_it_has_a_scope() {
        let pairs = [
            ("x-ratelimit-bucket", "abcd"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "3"),
            ("x-ratelimit-reset", "1470173023.123"),
            ("x-ratelimit-reset-after", "0.5"),
        ];
        let expected = Lesson {
            hash: Some("abcd".to_owned()),
            window: Some(Window {
                limit: 5,
                remaining: 3,
                reset_after: Duration::from_millis(500),
                reset: Some(1_470_173_023.123),
            }),
            refusal: None,
            invalid: false,
        };
        assert_eq!(Lesson::read(StatusCode::OK, &headers(&pairs), b""), expected);
        let mut scoped = headers(&pairs);
        scoped.insert("x-ratelimit-scope", "user".parse().unwrap());
        assert_eq!(Lesson::read(StatusCode::OK, &scoped, b""), expected);
        assert_eq!(Lesson::read(StatusCode::OK, &HeaderMap::new(), b"").window, None);
    }

    #[test]
    fn refusals_count_as_invalid_unless_the_limit_is_shared_with_others() {
        for (status, expected) in [(401, true), (403, true), (429, true), (404, false), (500, false), (200, false)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Lesson::read(status, &HeaderMap::new(), b"").invalid, expected, "{status}");
        }
    }
}
