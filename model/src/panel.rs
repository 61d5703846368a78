//! A panel: the message whose button opens tickets.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, MessageMarker},
};

use crate::UnknownName;

/// The number of a panel. It names a panel only together with its guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PanelId(pub i64);

impl fmt::Display for PanelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message with a button that opens tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// The guild whose panel it is.
    pub guild: Id<GuildMarker>,
    /// Its number.
    pub id: PanelId,
    /// The channel that it stands in.
    pub channel: Id<ChannelMarker>,
    /// Its heading.
    pub title: String,
    /// The text under the heading.
    pub body: String,
    /// The text on the button.
    pub button_label: String,
    /// Whether its message is in the channel.
    pub state: PanelState,
    /// Its message; set exactly while it is [`PanelState::Posted`].
    pub message: Option<Id<MessageMarker>>,
}

/// Whether a panel's message is in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelState {
    /// It is not.
    Unposted,
    /// It was sent, and the answer is not known yet.
    Posting,
    /// It is.
    Posted,
}

impl PanelState {
    /// The name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PanelState::Unposted => "unposted",
            PanelState::Posting => "posting",
            PanelState::Posted => "posted",
        }
    }
}

impl FromStr for PanelState {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Ok(match name {
            "unposted" => PanelState::Unposted,
            "posting" => PanelState::Posting,
            "posted" => PanelState::Posted,
            _ => return Err(UnknownName::new("panel state", name)),
        })
    }
}
