//! What happened to a ticket: audit log and outbox.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, InteractionMarker, MessageMarker, UserMarker},
};

use crate::{CloseStep, PanelId, TicketKey};

/// One change of a ticket, written in the transaction that made the change.
///
/// Stored and published as JSON with the tag `type`; variants and fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TicketEvent {
    /// A slot and a number were taken; the channel is not there yet.
    Opened {
        /// The bot that opens it.
        bot: Id<ApplicationMarker>,
        /// For whom.
        opener: Id<UserMarker>,
        /// From which panel.
        panel: Option<PanelId>,
        /// By which click.
        interaction: Id<InteractionMarker>,
    },
    /// The channel was made.
    ChannelMade {
        /// The channel.
        channel: Id<ChannelMarker>,
    },
    /// The ticket is usable.
    Welcomed {
        /// The message with the buttons; `None` where Discord refused it.
        message: Option<Id<MessageMarker>>,
    },
    /// The opening failed for good; the slot is free.
    Abandoned {
        /// Why.
        reason: String,
    },
    /// A member of staff took it.
    Claimed {
        /// Who.
        by: Id<UserMarker>,
    },
    /// Somebody decided to close it.
    CloseBegun {
        /// Who; `None` when its channel was deleted by hand.
        by: Option<Id<UserMarker>>,
        /// Why.
        reason: Option<String>,
    },
    /// A step of closing was done.
    CloseStepDone {
        /// Which.
        step: CloseStep,
    },
    /// Discord refuses a step of closing; it is tried for a while. Recorded once.
    CloseHeldUp {
        /// What Discord said.
        reason: String,
    },
    /// It is closed.
    Closed,
}

impl TicketEvent {
    /// The tag `type` of its JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            TicketEvent::Opened { .. } => "opened",
            TicketEvent::ChannelMade { .. } => "channel_made",
            TicketEvent::Welcomed { .. } => "welcomed",
            TicketEvent::Abandoned { .. } => "abandoned",
            TicketEvent::Claimed { .. } => "claimed",
            TicketEvent::CloseBegun { .. } => "close_begun",
            TicketEvent::CloseStepDone { .. } => "close_step_done",
            TicketEvent::CloseHeldUp { .. } => "close_held_up",
            TicketEvent::Closed => "closed",
        }
    }
}

/// A [`TicketEvent`] as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The ticket.
    pub ticket: TicketKey,
    /// 1, 2, 3, … in each ticket, without a gap.
    pub version: i32,
    /// Who caused it; `None` for the bot itself.
    pub actor: Option<Id<UserMarker>>,
    /// When.
    pub at: OffsetDateTime,
    /// What happened.
    pub event: TicketEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_json_with_its_kind_as_type() {
        let user = Id::new(7);
        for event in [
            TicketEvent::Opened { bot: Id::new(1), opener: user, panel: Some(PanelId(2)), interaction: Id::new(3) },
            TicketEvent::ChannelMade { channel: Id::new(4) },
            TicketEvent::Welcomed { message: Some(Id::new(5)) },
            TicketEvent::Abandoned { reason: "no permission".to_owned() },
            TicketEvent::Claimed { by: user },
            TicketEvent::CloseBegun { by: None, reason: Some("solved".to_owned()) },
            TicketEvent::CloseStepDone { step: CloseStep::Swept },
            TicketEvent::CloseHeldUp { reason: "no permission".to_owned() },
            TicketEvent::Closed,
        ] {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["type"], event.kind());
            assert_eq!(serde_json::from_value::<TicketEvent>(json).unwrap(), event);
        }
    }

    #[test]
    fn the_stored_form_stays_readable() {
        let stored = r#"{"type":"opened","bot":"1","opener":"7","panel":2,"interaction":"3"}"#;
        assert_eq!(
            serde_json::from_str::<TicketEvent>(stored).unwrap(),
            TicketEvent::Opened {
                bot: Id::new(1),
                opener: Id::new(7),
                panel: Some(PanelId(2)),
                interaction: Id::new(3),
            }
        );
    }
}
