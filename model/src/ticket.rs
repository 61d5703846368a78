//! A ticket, its name and the states it goes through.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, MessageMarker, UserMarker},
};
use uuid::Uuid;

use crate::PanelId;

/// One conversation of a member with a guild's staff, from the click that opened it to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Guild and number.
    pub key: TicketKey,
    /// How many changes the ticket has seen; the version of its newest [`TicketEvent`](crate::TicketEvent).
    pub version: i32,
    /// The bot that opened the ticket and alone acts on it.
    pub bot: Id<ApplicationMarker>,
    /// The panel it was opened from; `None` once that panel was deleted.
    pub panel: Option<PanelId>,
    /// The member it was opened for.
    pub opener: Id<UserMarker>,
    /// What the opener said that it is about.
    pub subject: Option<String>,
    /// Where it stands.
    pub state: TicketState,
    /// The mark that its channel carries, by which a channel without a row is recognised.
    pub nonce: Uuid,
    /// Its channel, from the moment it was made: also of a ticket that is still [`TicketState::Opening`].
    pub channel: Option<Id<ChannelMarker>>,
    /// The message with the buttons in its channel.
    pub welcome_message: Option<Id<MessageMarker>>,
    /// The member of staff who takes care of it.
    pub claimed_by: Option<Id<UserMarker>>,
    /// When the opening began.
    pub opened_at: OffsetDateTime,
    /// The last step of closing that is done; set while closing and after.
    pub close_step: Option<CloseStep>,
    /// Who closed it; `None` while it lives and where nobody did (its channel was deleted).
    pub closed_by: Option<Id<UserMarker>>,
    /// Why it was closed.
    pub close_reason: Option<String>,
    /// When it was closed or abandoned.
    pub closed_at: Option<OffsetDateTime>,
    /// Until when one process alone finishes the opening or closing.
    pub leased_until: Option<OffsetDateTime>,
}

/// The name of a ticket: numbers count from 1 in each guild, without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TicketKey {
    /// The guild whose ticket it is.
    pub guild: Id<GuildMarker>,
    /// Its number in that guild.
    pub number: TicketNumber,
}

impl fmt::Display for TicketKey {
    /// `guild/number`, for logs and errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.guild, self.number)
    }
}

/// The number of a ticket in its guild, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketNumber(pub i32);

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a ticket stands.
///
/// `opening → open → closing → closed`, or `opening → abandoned`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// A slot is taken; the channel is being made.
    Opening,
    /// The channel is there.
    Open,
    /// Being closed, at a [`CloseStep`].
    Closing,
    /// Closed; its channel is gone.
    Closed,
    /// Its channel could not be made; the slot is free again.
    Abandoned,
}

impl TicketState {
    /// The name in the database and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TicketState::Opening => "opening",
            TicketState::Open => "open",
            TicketState::Closing => "closing",
            TicketState::Closed => "closed",
            TicketState::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for TicketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TicketState {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Ok(match name {
            "opening" => TicketState::Opening,
            "open" => TicketState::Open,
            "closing" => TicketState::Closing,
            "closed" => TicketState::Closed,
            "abandoned" => TicketState::Abandoned,
            _ => return Err(UnknownName::new("ticket state", name)),
        })
    }
}

/// What of a closing is done already, in the order in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseStep {
    /// Decided and recorded; nothing is done in Discord.
    Begun,
    /// The opener can no longer write. From here on the ticket counts no longer against the limit.
    Locked,
    /// Every message of the channel is captured.
    Swept,
    /// The transcript is stored.
    Archived,
    /// The channel is gone.
    Removed,
}

impl CloseStep {
    /// The name in the database and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CloseStep::Begun => "begun",
            CloseStep::Locked => "locked",
            CloseStep::Swept => "swept",
            CloseStep::Archived => "archived",
            CloseStep::Removed => "removed",
        }
    }
}

impl fmt::Display for CloseStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CloseStep {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Ok(match name {
            "begun" => CloseStep::Begun,
            "locked" => CloseStep::Locked,
            "swept" => CloseStep::Swept,
            "archived" => CloseStep::Archived,
            "removed" => CloseStep::Removed,
            _ => return Err(UnknownName::new("close step", name)),
        })
    }
}

/// A stored name that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} {name:?}")]
pub struct UnknownName {
    kind: &'static str,
    name: String,
}

impl UnknownName {
    pub(crate) fn new(kind: &'static str, name: &str) -> Self {
        Self { kind, name: name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_states_and_steps_read_back() {
        for state in
            [TicketState::Opening, TicketState::Open, TicketState::Closing, TicketState::Closed, TicketState::Abandoned]
        {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for step in [CloseStep::Begun, CloseStep::Locked, CloseStep::Swept, CloseStep::Archived, CloseStep::Removed] {
            assert_eq!(step.as_str().parse(), Ok(step));
        }
        assert!("Open".parse::<TicketState>().is_err());
    }

    #[test]
    fn steps_are_ordered_as_they_are_done() {
        assert!(CloseStep::Begun < CloseStep::Locked);
        assert!(CloseStep::Locked < CloseStep::Swept);
        assert!(CloseStep::Swept < CloseStep::Archived);
        assert!(CloseStep::Archived < CloseStep::Removed);
    }
}
