use std::time::Duration;

use common::redis::RedisConfig;
use url::Url;

/// The other instances of this gate.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// `RESOLVER_URL`: where the others reach this one.
    pub url: Url,
    /// Where they meet.
    pub redis: RedisConfig,
    /// What all of them must agree on.
    pub settings: Settings,
}

/// How instances share bots out. All of them must agree.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the names of all keys begin with.
    pub prefix: String,
    /// How long a bot is an instance's after that last said so.
    pub lease: Duration,
    /// For so long before the end of its lease an instance sends nothing. It covers the second over which Discord counts a
    /// bot's requests, and their way there: what the next owner sends adds up with nothing.
    pub margin: Duration,
    /// How often a lease is renewed.
    pub renewal: Duration,
    /// How long Redis has for an answer; shorter than the margin, so that a renewal which was told of came in time.
    pub patience: Duration,
    /// A bot that was not used for so long is let go.
    pub idle: Duration,
    /// For so long after its last call a bot of an instance that stops is still nobody's: as the margin.
    pub handover: Duration,
    /// How often instances tell each other of the address that they share.
    pub exchange: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefix: "resolver".to_owned(),
            lease: Duration::from_secs(10),
            margin: Duration::from_millis(1_250),
            renewal: Duration::from_secs(3),
            patience: Duration::from_secs(1),
            idle: Duration::from_secs(60),
            handover: Duration::from_millis(1_100),
            exchange: Duration::from_secs(1),
        }
    }
}
