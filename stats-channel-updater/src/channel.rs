//! The channel, whose name is to show the number.

use common::discord::{Discord, Error, explained};
use tokio::time::Instant;
use twilight_model::id::{Id, marker::ChannelMarker};

use crate::{
    config::Pace,
    limit::Limit,
    metrics::{Metrics, Outcome},
    name::Name,
    reach::Reach,
};

/// What the guild's audit log says.
const REASON: &str = "The number of servers changed";

/// A channel at Discord, and what is known of it.
pub struct Channel {
    discord: Discord,
    id: Id<ChannelMarker>,
    /// Unknown at first, and after a rename that nobody knows the end of.
    name: Option<Name>,
    /// Whether it is to be called otherwise than it is.
    pending: bool,
    reach: Reach,
    limit: Limit,
    metrics: Metrics,
}

impl Channel {
    /// The channel of that id.
    #[must_use]
    pub fn new(discord: Discord, id: Id<ChannelMarker>, reach: Reach, pace: &Pace, metrics: Metrics) -> Self {
        Self { discord, id, name: None, pending: false, reach, limit: Limit::new(pace.window), metrics }
    }

    /// Asks what it is called, where that is not known and Discord may be asked.
    ///
    /// # Errors
    ///
    /// When Discord refuses the token.
    pub async fn learn(&mut self) -> anyhow::Result<()> {
        if self.name.is_some() || self.reach.opens().is_some() {
            return Ok(());
        }
        match self.discord.call(self.discord.requests().channel(self.id)).await {
            Ok(channel) => {
                self.reach.answered();
                self.name = Some(Name::found(channel));
                Ok(())
            }
            Err(error) => self.failed(error).map(drop),
        }
    }

    /// Makes its name show this text, unless it does already or that must wait. `None`: there is nothing to show.
    ///
    /// What waits is not kept: whoever comes back brings the text of then.
    ///
    /// # Errors
    ///
    /// When Discord refuses the token.
    pub async fn show(&mut self, text: Option<&str>) -> anyhow::Result<()> {
        self.pending = false;
        let (Some(text), Some(name)) = (text, &self.name) else { return Ok(()) };
        self.pending = !name.shows(text);
        if self.pending && self.opens().is_none() { self.rename(text).await } else { Ok(()) }
    }

    /// When to come back, where something waits.
    #[must_use]
    pub fn waits_until(&self) -> Option<Instant> {
        match self.name {
            None => Some(self.reach.opens().unwrap_or_else(Instant::now)),
            Some(_) if self.pending => Some(self.opens().unwrap_or_else(Instant::now)),
            Some(_) => None,
        }
    }

    /// When it may be renamed; `None` where at once.
    fn opens(&self) -> Option<Instant> {
        self.reach.opens().max(self.limit.opens())
    }

    async fn rename(&mut self, text: &str) -> anyhow::Result<()> {
        let discord = self.discord.with_reason(REASON);
        let outcome = match discord.call(discord.requests().update_channel(self.id).name(text)).await {
            Ok(channel) => {
                self.limit.count();
                self.reach.answered();
                let name = Name::given(text.to_owned(), channel);
                tracing::info!(channel.id = %self.id, "renamed channel {} to {:?}", self.id, name.as_str());
                (self.name, self.pending) = (Some(name), false);
                Outcome::Renamed
            }
            Err(error) => {
                if error.is_unclear() {
                    self.limit.count();
                    self.name = None;
                }
                self.failed(error)?
            }
        };
        self.metrics.renamed(outcome);
        Ok(())
    }

    /// Decides when Discord is asked again. A token that is refused cannot be waited for: it fails the process.
    fn failed(&mut self, error: Error) -> anyhow::Result<Outcome> {
        if error.status() == Some(401) {
            return Err(explained(error, "DISCORD_TOKEN"));
        }
        Ok(match error {
            Error::RateLimited { retry_after, route } => {
                tracing::debug!(channel.id = %self.id, "{route} waits for {:.3} s", retry_after.as_secs_f64());
                self.reach.wait(retry_after);
                Outcome::Limited
            }
            error if error.is_transient() => {
                self.reach.away(format!("{:#}", anyhow::Error::from(error)));
                Outcome::Failed
            }
            error => {
                let advice = self.advice(&error);
                self.reach.refused(format!("{advice} ({:#})", anyhow::Error::from(error)));
                Outcome::Refused
            }
        })
    }

    /// What a person can do about a refusal.
    fn advice(&self, error: &Error) -> String {
        let id = self.id;
        match error.status() {
            Some(404) => {
                format!("channel {id} does not exist: set CHANNEL_ID to a channel of a guild that the bot is in")
            }
            Some(403) => format!(
                "the bot may not rename channel {id}: give it View Channel, Manage Channels and, for a voice channel, \
                 Connect there"
            ),
            Some(400) => format!("Discord does not take the name of channel {id}: set another CHANNEL_NAME_TEMPLATE"),
            _ => format!("channel {id} cannot be renamed: is CHANNEL_ID the id of a guild's channel?"),
        }
    }
}
