//! What the gateway reads of an interaction. The rest is the worker's.

use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, InteractionMarker},
};

/// The head of an interaction.
#[derive(Debug, Deserialize)]
pub struct Interaction {
    /// What names it.
    pub id: Id<InteractionMarker>,
    /// The application that it is for.
    pub application_id: Id<ApplicationMarker>,
    /// What the person did.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Where.
    #[serde(default)]
    pub guild_id: Option<Id<GuildMarker>>,
}

/// What a person did. Discord's numbers: 1 ping, 2 command, 3 component, 4 autocomplete, 5 modal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(from = "u8")]
pub enum Kind {
    /// Discord asks whether we are there.
    Ping,
    /// Used a command.
    Command,
    /// Pressed a button or chose from a menu.
    Component,
    /// Is typing an option's value.
    Autocomplete,
    /// Sent a form.
    Modal,
    /// Something newer than this program.
    Unknown,
}

impl From<u8> for Kind {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Ping,
            2 => Self::Command,
            3 => Self::Component,
            4 => Self::Autocomplete,
            5 => Self::Modal,
            _ => Self::Unknown,
        }
    }
}

impl Kind {
    /// The label of the metric.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Command => "command",
            Self::Component => "component",
            Self::Autocomplete => "autocomplete",
            Self::Modal => "modal",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_interaction_is_read_and_the_rest_ignored() {
        let text =
            r#"{"id":"10","application_id":"20","type":3,"guild_id":"30","token":"t","data":{"type":9},"x":null}"#;
        let interaction: Interaction = serde_json::from_str(text).unwrap();
        assert_eq!((interaction.id, interaction.application_id), (Id::new(10), Id::new(20)));
        assert_eq!((interaction.kind, interaction.guild_id), (Kind::Component, Some(Id::new(30))));
    }

    #[test]
    fn a_newer_kind_is_not_an_error() {
        let text = r#"{"id":"1","application_id":"2","type":99}"#;
        assert_eq!(serde_json::from_str::<Interaction>(text).unwrap().kind, Kind::Unknown);
    }
}
