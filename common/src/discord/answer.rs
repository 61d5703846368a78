//! What the gate's answer means to the caller.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Error,
    gate::{self, Refused},
};

#[derive(Default, Deserialize)]
struct Body {
    code: Option<u64>,
    message: Option<String>,
    errors: Option<Value>,
    retry_after: Option<f64>,
}

/// Why an answer that is no success is one.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], route: &str) -> Error {
    let body = serde_json::from_slice::<Body>(body).unwrap_or_default();
    let route = route.to_owned();
    let by_gate = headers.get(&gate::REFUSED).and_then(|why| Refused::from_name(why.as_bytes()));
    match by_gate {
        Some(Refused::Limit | Refused::Inner | Refused::Turn | Refused::Address | Refused::Owner) => {
            Error::RateLimited { retry_after: wait(headers, &body), route }
        }
        Some(Refused::Unsent) => Error::NoAnswer { route, sent: false },
        Some(Refused::Unanswered) if status == StatusCode::GATEWAY_TIMEOUT => Error::Deadline { route, sent: true },
        Some(Refused::Unanswered) => Error::NoAnswer { route, sent: true },
        Some(Refused::Request) => Error::Request(body.message.unwrap_or_default().into()),
        // Without a gate between, as a test may have it.
        None if status == StatusCode::TOO_MANY_REQUESTS => {
            Error::RateLimited { retry_after: wait(headers, &body), route }
        }
        Some(Refused::Remembered) | None => Error::Api {
            status: status.as_u16(),
            code: body.code.unwrap_or(0),
            message: body.message.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason").to_owned()),
            errors: body.errors,
            route,
        },
    }
}

/// The body has fractions of a second where the header has whole ones.
fn wait(headers: &HeaderMap, body: &Body) -> Duration {
    let header = || headers.get("retry-after")?.to_str().ok()?.trim().parse().ok();
    body.retry_after.or_else(header).and_then(gate::wait).unwrap_or(gate::UNSAID_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        refusal(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes(), "GET users/@me")
    }

    #[test]
    fn a_wait_is_told_to_the_millisecond() {
        let body = r#"{"message":"x","retry_after":0.35,"global":false}"#;
        for (status, why) in [(429, "limit"), (429, "inner"), (429, "turn"), (503, "address"), (503, "owner")] {
            let error = read(status, &[(gate::REFUSED.as_str(), why), ("retry-after", "1")], body);
            let told = Duration::from_millis(350);
            assert!(matches!(error, Error::RateLimited { retry_after, .. } if retry_after == told), "{error:?}");
            assert!(error.is_transient() && !error.is_unclear());
        }
        let error = read(429, &[("retry-after", "7")], "<html>");
        assert!(matches!(error, Error::RateLimited { retry_after, .. } if retry_after == Duration::from_secs(7)));
        let error = read(429, &[], "");
        assert!(matches!(error, Error::RateLimited { retry_after, .. } if retry_after == gate::UNSAID_WAIT));
    }

    #[test]
    fn what_was_not_sent_had_no_effect_and_what_was_may_have() {
        for (status, why, unclear) in [(502, "unsent", false), (502, "unanswered", true), (504, "unanswered", true)] {
            let error = read(status, &[(gate::REFUSED.as_str(), why)], "{}");
            assert!(error.is_transient(), "{error:?}");
            assert_eq!(error.is_unclear(), unclear, "{error:?}");
        }
    }

    #[test]
    fn a_remembered_refusal_is_discords_own() {
        let body = r#"{"message":"Unknown Channel","code":10003}"#;
        for headers in [&[][..], &[(gate::REFUSED.as_str(), "remembered")]] {
            assert_eq!(read(404, headers, body).code(), Some(10_003));
        }
    }

    #[test]
    fn a_refusal_without_json_still_has_a_message() {
        let error = read(502, &[], "<html>");
        assert_eq!(error.to_string(), "discord answered 502 (code 0) to GET users/@me: Bad Gateway");
        assert_eq!(error.code(), None);
    }
}
