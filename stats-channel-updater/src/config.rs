//! The variables of the updater.

use std::{net::SocketAddr, time::Duration};

use common::{
    config::{Env, FromEnv, Invalid, Value},
    discord::DiscordConfig,
};
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ChannelMarker};
use url::Url;

use crate::template::Template;

/// The shortest `UPDATE_INTERVAL`.
const SHORTEST: Duration = Duration::from_secs(10);

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `SERVER_COUNTER_URL`: who tells the count.
    pub counter: Url,
    /// `DISCORD_TOKEN`: the token of a bot that may rename the channel.
    pub token: SecretString,
    /// `CHANNEL_ID`: the channel.
    pub channel: Id<ChannelMarker>,
    /// `CHANNEL_NAME_TEMPLATE`: what its name is made of.
    pub template: Template,
    /// `UPDATE_INTERVAL`, and what follows from what Discord allows.
    pub pace: Pace,
    /// Discord's address.
    pub discord: DiscordConfig,
    /// `METRICS_ADDR`: where health and metrics are served; inside of another service they are part of that one's.
    pub metrics_addr: Option<SocketAddr>,
}

/// When things are done, and done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often the counter is read.
    pub interval: Duration,
    /// The time in which the channel is renamed twice at most.
    pub window: Duration,
    /// The wait after a first failure of the counter or of Discord; further ones grow.
    pub first_retry: Duration,
    /// The longest wait after a failure.
    pub longest_retry: Duration,
    /// The wait after an answer that only a person can change.
    pub pause: Duration,
}

impl Pace {
    /// What production needs, with this interval.
    ///
    /// Two changes of a name in ten minutes are what Discord allows, and does not document (community: #1900, #2190).
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            window: Duration::from_secs(10 * 60),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(5 * 60),
            pause: Duration::from_secs(60 * 60),
        }
    }
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let counter = env
            .var("SERVER_COUNTER_URL")
            .about("who tells the number of guilds, as server-counter's /total does")
            .default("http://127.0.0.1:8083/total")
            .required();
        let token = env
            .var("DISCORD_TOKEN")
            .about("the token of a bot that may rename the channel, from its page in the developer portal")
            .secret();
        let channel = env
            .var("CHANNEL_ID")
            .about(
                "the channel whose name shows the number; a voice channel, as text channels lose spaces and capitals",
            )
            .example("1000000000000000003")
            .required();
        let template = Template::from_env(env);
        let pace = Pace::from_env(env);
        let discord = DiscordConfig::from_env(env);
        let metrics_addr =
            env.var("METRICS_ADDR").about("where to serve health and metrics").example("127.0.0.1:9096").optional();
        Ok(Self {
            counter: counter?,
            token: token?,
            channel: channel?,
            template: template?,
            pace: pace?,
            discord: discord?,
            metrics_addr: metrics_addr?,
        })
    }
}

impl FromEnv for Pace {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        env.var("UPDATE_INTERVAL")
            .about("how often the number is looked at")
            .default("5m")
            .required_as("a duration from 10s on, in seconds or with a unit (30s, 5m)", |text| {
                <Duration as Value>::parse(text).filter(|interval| *interval >= SHORTEST)
            })
            .map(Self::every)
    }
}

/// What is wrong with a template is said by its own error: "must be a template" would help nobody.
impl FromEnv for Template {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        const NAME: &str = "CHANNEL_NAME_TEMPLATE";
        let text: String = env
            .var(NAME)
            .about("the channel's name, with {count} (1234), {count_grouped} (1,234) or {count_short} (1.2K) in it")
            .default("Servers: {count}")
            .required()?;
        text.parse().map_err(|error| env.invalid(NAME, format!("{error}, but it is {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let base = [("DISCORD_TOKEN", "the.bot.token"), ("CHANNEL_ID", "7")];
        let mut env = Env::from_pairs(base.into_iter().chain(pairs.iter().copied()));
        common::config::read(&mut env).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_and_a_channel_are_enough() {
        let config = read(&[]).unwrap();
        assert_eq!(config.counter.as_str(), "http://127.0.0.1:8083/total");
        assert_eq!(config.template.render(1234), "Servers: 1234");
        assert_eq!((config.pace, config.metrics_addr), (Pace::every(Duration::from_secs(300)), None));
    }

    #[test]
    fn a_template_that_does_not_work_is_refused_with_what_to_do() {
        for (template, advice) in [
            ("Servers: {guilds}", "{count}, {count_grouped} or {count_short}"),
            ("Servers", "{count}, {count_grouped} or {count_short}"),
            ("Servers: {count", "\"}\""),
        ] {
            let text = read(&[("CHANNEL_NAME_TEMPLATE", template)]).unwrap_err();
            assert!(text.contains("CHANNEL_NAME_TEMPLATE") && text.contains(advice), "{text}");
        }
        let text = read(&[("CHANNEL_NAME_TEMPLATE", &format!("{}{{count}}", "x".repeat(99)))]).unwrap_err();
        assert!(text.contains("at most 100 characters"), "{text}");
    }

    #[test]
    fn the_counter_is_not_read_more_often_than_every_ten_seconds() {
        let text = read(&[("UPDATE_INTERVAL", "9s")]).unwrap_err();
        assert!(text.contains("UPDATE_INTERVAL") && text.contains("from 10s on"), "{text}");
        assert_eq!(read(&[("UPDATE_INTERVAL", "10s")]).unwrap().pace.interval, SHORTEST);
    }
}
