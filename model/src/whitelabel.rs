//! A customer's own bot, without its token.

use std::{fmt, str::FromStr};

use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use crate::UnknownName;

/// A customer's bot: what it is to do and how it fares. Its token is not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhitelabelBot {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// The customer, who is told when Discord refuses the bot.
    pub owner: Id<UserMarker>,
    /// Counted up whenever the token is to be tried anew.
    pub token_version: i32,
    /// Whether it asks for the privileged intent MESSAGE_CONTENT.
    pub message_content: bool,
    /// What its profile shows; as Discord shows any bot where `None`.
    pub presence: Option<Presence>,
    /// Whether it is to be connected.
    pub enabled: bool,
    /// Why Discord will not have it, since when; `None` while nothing is known against it.
    pub refusal: Option<Refusal>,
    /// Counted up by each change.
    pub version: i32,
    /// When it was added.
    pub created_at: OffsetDateTime,
}

/// Discord's refusal of a bot, after which trying again is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The gateway's close code (4004, 4010 to 4014), or 401 from the REST API.
    pub code: u16,
    /// What Discord said and what to do about it, for people.
    pub reason: String,
    /// When it was noted.
    pub at: OffsetDateTime,
    /// Whether the owner knows.
    pub notice: NoticeState,
}

/// Whether the owner of a refused bot knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// To be told.
    Due,
    /// Told at that time.
    Told(OffsetDateTime),
    /// Discord does not let us: the owner takes no direct messages.
    Undeliverable,
}

/// What a bot's profile shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The dot.
    pub status: PresenceStatus,
    /// The line beneath the name.
    pub activity: Option<Activity>,
}

/// A line beneath the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// What stands before the text.
    pub kind: ActivityKind,
    /// The text, 1 to 128 characters.
    pub text: String,
}

/// The dot beside the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceStatus {
    /// Green.
    Online,
    /// A moon.
    Idle,
    /// Red.
    DoNotDisturb,
    /// As if it were offline.
    Invisible,
}

/// What stands before an activity's text. Streaming is left out: Discord shows it only with an address of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKind {
    /// "Playing …"
    Playing,
    /// "Listening to …"
    Listening,
    /// "Watching …"
    Watching,
    /// "Competing in …"
    Competing,
    /// Only the text.
    Custom,
}

impl PresenceStatus {
    /// The name in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PresenceStatus::Online => "online",
            PresenceStatus::Idle => "idle",
            PresenceStatus::DoNotDisturb => "dnd",
            PresenceStatus::Invisible => "invisible",
        }
    }
}

impl FromStr for PresenceStatus {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Ok(match name {
            "online" => PresenceStatus::Online,
            "idle" => PresenceStatus::Idle,
            "dnd" => PresenceStatus::DoNotDisturb,
            "invisible" => PresenceStatus::Invisible,
            _ => return Err(UnknownName::new("presence status", name)),
        })
    }
}

impl ActivityKind {
    /// The name in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ActivityKind::Playing => "playing",
            ActivityKind::Listening => "listening",
            ActivityKind::Watching => "watching",
            ActivityKind::Competing => "competing",
            ActivityKind::Custom => "custom",
        }
    }
}

impl FromStr for ActivityKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Ok(match name {
            "playing" => ActivityKind::Playing,
            "listening" => ActivityKind::Listening,
            "watching" => ActivityKind::Watching,
            "competing" => ActivityKind::Competing,
            "custom" => ActivityKind::Custom,
            _ => return Err(UnknownName::new("activity kind", name)),
        })
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.as_str())?;
        match &self.activity {
            Some(Activity { kind, text }) => write!(f, ", {} {text:?}", kind.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        use ActivityKind::{Competing, Custom, Listening, Playing, Watching};
        use PresenceStatus::{DoNotDisturb, Idle, Invisible, Online};
        for status in [Online, Idle, DoNotDisturb, Invisible] {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for kind in [Playing, Listening, Watching, Competing, Custom] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("busy".parse::<PresenceStatus>().is_err() && "streaming".parse::<ActivityKind>().is_err());
    }
}
