use std::time::Duration;

use common::config::{Env, FromEnv, Invalid};

/// How IDENTIFYs are paced. All processes of a bot must agree on the times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Discord's time between two IDENTIFYs of a bucket (documentation, "Rate Limiting": 5 s).
    pub interval: Duration,
    /// Added to it, because the way to Discord may be slower for the first of two IDENTIFYs than for the second.
    pub margin: Duration,
    /// How long a slot may be used after it was asked for. Whoever was away for longer has lost it.
    pub lease: Duration,
    /// How long somebody who waits keeps the place without asking again.
    pub patience: Duration,
    /// `GATEWAY_IDENTIFY_RESERVE`: percent of a day's IDENTIFYs that are spread over the rest of the day.
    pub reserve: u8,
    /// How old Discord's count of what is left may be.
    pub fresh: Duration,
}

impl Settings {
    /// The time between two IDENTIFYs of a bucket as we keep it.
    pub(super) fn spacing(&self) -> Duration {
        self.interval + self.margin
    }

    /// After this time nobody can be within a slot, or within the time after it, that we know nothing of.
    pub(super) fn unknown(&self) -> Duration {
        self.lease + self.spacing()
    }
}

impl FromEnv for Settings {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let reserve = env
            .var("GATEWAY_IDENTIFY_RESERVE")
            .about("percent of a day's IDENTIFYs that are spread over the rest of the day")
            .default("10")
            .required_as("a percentage from 0 to 100", |text| text.parse().ok().filter(|percent| *percent <= 100));
        Ok(Self { reserve: reserve?, ..Self::default() })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            margin: Duration::from_millis(250),
            lease: Duration::from_secs(2),
            patience: Duration::from_secs(5),
            reserve: 10,
            fresh: Duration::from_secs(5),
        }
    }
}
