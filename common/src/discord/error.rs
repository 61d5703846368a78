use std::time::Duration;

use serde_json::Value;

/// Why a call had no result. `route` is the method and the path with placeholders: it holds no id and no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Discord refused the request.
    #[error("discord answered {status} (code {code}) to {route}: {message}{}", details(errors.as_ref()))]
    Api {
        /// The HTTP status.
        status: u16,
        /// Discord's code, see "JSON error codes" in its documentation; 0 when the answer has none.
        code: u64,
        /// Discord's text, for people.
        message: String,
        /// Which fields were wrong, of a form error (code 50035).
        errors: Option<Value>,
        /// The method and the path.
        route: String,
    },
    /// Discord said to wait for longer than the deadline allows. Nothing was done.
    #[error("discord allows {route} only in {:.3} s", retry_after.as_secs_f64())]
    RateLimited {
        /// How long the wait is, from now on.
        retry_after: Duration,
        /// The method and the path.
        route: String,
    },
    /// The time for the call was over.
    #[error("{route} took longer than its deadline")]
    Deadline {
        /// The method and the path.
        route: String,
        /// Whether a request was sent and not answered.
        sent: bool,
    },
    /// The gate had no answer from Discord.
    #[error("discord did not answer {route}")]
    NoAnswer {
        /// The method and the path.
        route: String,
        /// Whether a request was sent.
        sent: bool,
    },
    /// The gate was not reached, or the connection broke.
    #[error("no answer from the gate to discord to {route}")]
    Transport {
        /// The method and the path.
        route: String,
        /// What broke.
        source: reqwest::Error,
    },
    /// Discord did it, but its answer is not what was expected.
    #[error("cannot read discord's answer to {route}")]
    Decode {
        /// The method and the path.
        route: String,
        /// What was not as expected.
        source: serde_json::Error,
    },
    /// The request, or the client, cannot be built; nothing was sent.
    #[error("the request to discord is invalid")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Discord's error code, when it answered with one.
    #[must_use]
    pub fn code(&self) -> Option<u64> {
        match self {
            Error::Api { code, .. } if *code != 0 => Some(*code),
            _ => None,
        }
    }

    /// The HTTP status, when Discord refused.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Api { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same request may go well later: Discord was not reached, took too long, was at a limit, or failed by
    /// itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Api { status, .. } => *status == 429 || *status >= 500,
            Error::RateLimited { .. } | Error::Deadline { .. } | Error::NoAnswer { .. } | Error::Transport { .. } => {
                true
            }
            Error::Decode { .. } | Error::Request(_) => false,
        }
    }

    /// Whether the request may have had its effect all the same.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        match self {
            Error::Api { status, .. } => *status >= 500,
            Error::Transport { source, .. } => !source.is_connect(),
            Error::Deadline { sent, .. } | Error::NoAnswer { sent, .. } => *sent,
            Error::Decode { .. } => true,
            Error::RateLimited { .. } | Error::Request(_) => false,
        }
    }
}

fn details(errors: Option<&Value>) -> String {
    errors.map(|errors| format!(" {errors}")).unwrap_or_default()
}
