//! What a caller and the gate (`global-resolver`) say to each other beside Discord's own API.

use std::time::Duration;

use reqwest::header::HeaderName;

/// How long the caller waits, in milliseconds: in the queue, for repeated attempts, and for the head of the answer.
pub static DEADLINE: HeaderName = HeaderName::from_static("x-deadline-ms");
/// A [`Priority`].
pub static PRIORITY: HeaderName = HeaderName::from_static("x-priority");
/// The guild that the call is made for, where its path does not name it.
pub static GUILD: HeaderName = HeaderName::from_static("x-guild-id");
/// On answers that are not Discord's: [`Refused`].
pub static REFUSED: HeaderName = HeaderName::from_static("x-resolver-refused");

/// The wait of a 429 that does not say how long: no answer of Discord's own looks like that.
pub const UNSAID_WAIT: Duration = Duration::from_secs(10);
/// The longest wait that is believed; Cloudflare's bans are an hour.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How urgent a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// A person waits for it.
    #[default]
    Interactive,
    /// Nobody does: sweeps, renames, statistics.
    Bulk,
}

impl Priority {
    /// Its name in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Interactive, Self::Bulk].into_iter().find(|priority| priority.as_str().as_bytes() == name)
    }
}

/// Why an answer is not Discord's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 429, nothing was sent: the bucket or the global limit allows it after the deadline only.
    Limit,
    /// 429, nothing was sent: the channel's name or topic was changed too often.
    Inner,
    /// 429, nothing was sent: its turn did not come.
    Turn,
    /// 503, nothing was sent: the address is banned, or too near to it.
    Address,
    /// 503, nothing was sent: which of several gates may send for the bot could not be found out in time.
    Owner,
    /// Discord's own refusal of before, of which nothing new is to be expected.
    Remembered,
    /// 400: the gate cannot read the request.
    Request,
    /// 502: Discord was not reached, and nothing was sent.
    Unsent,
    /// 502 or, at the deadline, 504: it was sent, and the answer did not come.
    Unanswered,
}

impl Refused {
    const ALL: [Self; 9] = [
        Self::Limit,
        Self::Inner,
        Self::Turn,
        Self::Address,
        Self::Owner,
        Self::Remembered,
        Self::Request,
        Self::Unsent,
        Self::Unanswered,
    ];

    /// Its name in the header, and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Inner => "inner",
            Self::Turn => "turn",
            Self::Address => "address",
            Self::Owner => "owner",
            Self::Remembered => "remembered",
            Self::Request => "request",
            Self::Unsent => "unsent",
            Self::Unanswered => "unanswered",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|refused| refused.as_str().as_bytes() == name)
    }
}

/// Seconds as Discord writes them, as far as they are believed.
#[must_use]
pub fn wait(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0)).ok().map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_what_it_was_written_for() {
        for refused in Refused::ALL {
            assert_eq!(Refused::from_name(refused.as_str().as_bytes()), Some(refused));
        }
        for priority in [Priority::Interactive, Priority::Bulk] {
            assert_eq!(Priority::from_name(priority.as_str().as_bytes()), Some(priority));
        }
        assert_eq!((Refused::from_name(b"urgent"), Priority::from_name(b"urgent")), (None, None));
    }

    #[test]
    fn waits_are_neither_negative_nor_endless() {
        assert_eq!(wait(-1.0), Some(Duration::ZERO));
        assert_eq!(wait(0.35), Some(Duration::from_millis(350)));
        assert_eq!(wait(1e9), Some(LONGEST_WAIT));
        assert_eq!(wait(f64::NAN), Some(Duration::ZERO));
    }
}
