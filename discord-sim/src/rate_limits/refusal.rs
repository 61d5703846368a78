use std::time::Duration;

use crate::ledger::Verdict;

/// What a 429 of Discord's refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The bucket, for this bot. `X-RateLimit-Scope: user`.
    User,
    /// Something within the route, as the name of a channel. The headers show the ordinary bucket, and the scope `user`; only
    /// `Retry-After` tells.
    Inner,
    /// The resource, whoever asks. `X-RateLimit-Scope: shared`.
    Shared,
    /// Everything of this bot, save what is authorised by a token in its path. `X-RateLimit-Scope: global`.
    Global,
}

impl Scope {
    /// The value of `X-RateLimit-Scope`.
    pub fn header(self) -> &'static str {
        match self {
            Self::User | Self::Inner => "user",
            Self::Shared => "shared",
            Self::Global => "global",
        }
    }
}

/// An answer that tells to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A 429 of Discord's.
    Limited(Scope, Duration),
    /// The page of Cloudflare, which stands before Discord.
    Page(Duration),
}

impl Refusal {
    /// Discord's, with the wait in milliseconds, as its body tells it.
    pub(crate) fn limited(scope: Scope, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Self::Limited(scope, Duration::from_millis(millis))
    }

    /// Cloudflare's, with the wait in seconds: it has nothing but `Retry-After`.
    pub(crate) fn page(wait: Duration) -> Self {
        Self::Page(Duration::from_secs(whole_seconds(wait)))
    }

    /// What it tells to wait.
    pub(crate) fn wait(self) -> Duration {
        match self {
            Self::Limited(_, wait) | Self::Page(wait) => wait,
        }
    }

    /// `Retry-After`.
    pub(crate) fn retry_after(self) -> u64 {
        whole_seconds(self.wait())
    }

    /// The verdict on who is refused so.
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Limited(scope, _) => Verdict::Limited(scope),
            Self::Page(_) => Verdict::Banned,
        }
    }

    /// In words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Limited(Scope::User, _) => "its bucket",
            Self::Limited(Scope::Inner, _) => "a limit within its route",
            Self::Limited(Scope::Shared, _) => "its resource",
            Self::Limited(Scope::Global, _) => "all of its bot",
            Self::Page(_) => "its address",
        }
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up() {
        let wait = Duration::from_micros(1_500_001);
        assert_eq!(Refusal::limited(Scope::User, wait).wait(), Duration::from_millis(1501));
        assert_eq!(Refusal::limited(Scope::User, wait).retry_after(), 2);
        assert_eq!(Refusal::page(wait).wait(), Duration::from_secs(2));
        assert_eq!(Refusal::page(Duration::from_secs(2)).retry_after(), 2);
    }
}
