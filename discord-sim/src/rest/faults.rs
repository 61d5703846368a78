//! Faults that a test, or a storm, injects into REST answers.

use std::time::Duration;

use axum::http::Method;

use crate::rate_limits::{Refusal, Scope};

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
///
/// A 429 hits as many requests as it says and no others, yet who comes back before its time commits a violation.
#[derive(Clone, Debug, PartialEq)]
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
    /// 429 without effect, whose headers show a bucket that has requests left: only `Retry-After` tells, as after a third rename.
    InnerLimited {
        /// Until it may be repeated.
        retry_after: Duration,
    },
    /// Cloudflare's page without effect: 429, no JSON, and no header of Discord's.
    BanPage {
        /// Until anything may be sent again; whole seconds, rounded up.
        retry_after: Duration,
    },
    /// Without effect answered with this status by what stands before Discord, in plain text.
    ServerError(u16),
    /// Carried out, and only then answered 500: the caller cannot know.
    FailAfterEffect,
    /// Carried out, and the connection ends within the answer.
    BreakAfterEffect,
    /// Carried out, and answered this much later.
    Delay(Duration),
    /// Carried out and answered this much later, if the caller is still there.
    Hold(Duration),
}

impl RestFault {
    /// The 429 that it is, if it is one.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::RateLimited { retry_after, scope } => {
                let scope = match *scope {
                    "global" => Scope::Global,
                    "shared" => Scope::Shared,
                    _ => Scope::User,
                };
                Some(Refusal::limited(scope, *retry_after))
            }
            Self::InnerLimited { retry_after } => Some(Refusal::limited(Scope::Inner, *retry_after)),
            Self::BanPage { retry_after } => Some(Refusal::page(*retry_after)),
            _ => None,
        }
    }
}

/// The fault that waits for this request.
pub(super) fn take(faults: &mut RestFaults, method: &Method, template: Option<&str>) -> Option<RestFault> {
    let index = faults
        .iter()
        .position(|(matching, _)| matching.method == method.as_str() && Some(matching.template) == template)?;
    let (matching, fault) = &mut faults[index];
    matching.times = matching.times.saturating_sub(1);
    let fault = fault.clone();
    if matching.times == 0 {
        faults.remove(index);
    }
    Some(fault)
}
