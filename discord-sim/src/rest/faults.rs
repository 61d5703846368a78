//! Faults that a test can inject into REST answers.

use std::time::Duration;

use serde_json::{Value, json};

/// Faults waiting for their requests, first match first.
pub type RestFaults = Vec<(RestMatch, RestFault)>;

/// Which request a fault waits for.
#[derive(Clone, Debug)]
pub struct RestMatch {
    /// HTTP method.
    pub method: &'static str,
    /// Route template of the description, e.g. `/guilds/{guild_id}/channels`.
    pub template: &'static str,
    /// How many requests are still to be hit.
    pub times: u32,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum RestFault {
    /// Refused with this status and Discord code, without any effect.
    Refuse(u16, u64),
    /// 429 without effect.
    RateLimited {
        /// Until it may be repeated.
        retry_after: Duration,
        /// `X-RateLimit-Scope`: `user`, `shared` or `global`.
        scope: &'static str,
    },
    /// Carried out, and only then answered 500: the caller cannot know.
    FailAfterEffect,
    /// Answered this much later.
    Delay(Duration),
}

impl RestFault {
    /// The body of a refusal; `None` when the request is carried out.
    pub(super) fn body(&self) -> Option<(u16, Value)> {
        match self {
            Self::Refuse(status, code) => Some((*status, json!({ "code": code, "message": "injected" }))),
            Self::RateLimited { retry_after, scope } => Some((
                429,
                json!({ "message": "You are being rate limited.", "retry_after": retry_after.as_secs_f64(), "global": *scope == "global" }),
            )),
            Self::FailAfterEffect | Self::Delay(_) => None,
        }
    }
}
