//! What a setup came to, and how it is told.

use std::fmt;

use twilight_model::id::{
    Id,
    marker::{ChannelMarker, MessageMarker, RoleMarker},
};

use crate::{
    reply::Message,
    text::{Text, text},
};

/// Everything that a guild needs, made or found.
#[derive(Clone, Debug)]
pub struct Done {
    /// The role of the support staff.
    pub role: Thing<RoleMarker>,
    /// The category of tickets.
    pub category: Thing<ChannelMarker>,
    /// The channel of transcripts.
    pub transcripts: Thing<ChannelMarker>,
    /// The panel's message.
    pub panel: Thing<MessageMarker>,
    /// The channel of the panel.
    pub channel: Id<ChannelMarker>,
}

/// Something with an id, and where it came from.
#[derive(Debug)]
pub struct Thing<M> {
    /// Its id.
    pub id: Id<M>,
    /// Made or found.
    pub origin: Origin,
}

// Derived, both would ask the marker to be `Copy`.
impl<M> Clone for Thing<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Thing<M> {}

/// Where something came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was made.
    Made,
    /// It was there.
    Reused,
}

impl<M> Thing<M> {
    pub(super) fn made(id: Id<M>) -> Self {
        Thing { id, origin: Origin::Made }
    }

    pub(super) fn reused(id: Id<M>) -> Self {
        Thing { id, origin: Origin::Reused }
    }
}

impl Done {
    /// What was made or reused, and how to go on.
    #[must_use]
    pub fn message(&self) -> Message {
        let role = format_args!("<@&{}>", self.role.id).to_string();
        let lines = [
            line(self.role.origin, text("setup-role"), &role),
            line(self.category.origin, text("setup-category"), format_args!("<#{}>", self.category.id)),
            line(self.transcripts.origin, text("setup-transcripts"), format_args!("<#{}>", self.transcripts.id)),
            line(self.panel.origin, text("setup-panel"), format_args!("<#{}>", self.channel)),
        ];
        Message::text(&text("setup-done").with("lines", lines.join("\n")).with("role", role))
    }
}

fn line(origin: Origin, what: Text, id: impl fmt::Display) -> String {
    let line = match origin {
        Origin::Made => text("setup-made"),
        Origin::Reused => text("setup-reused"),
    };
    line.with("what", what).with("id", id).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_names_each_thing_and_the_next_step() {
        let done = Done {
            role: Thing::made(Id::new(1)),
            category: Thing::reused(Id::new(2)),
            transcripts: Thing::made(Id::new(3)),
            panel: Thing::made(Id::new(4)),
            channel: Id::new(5),
        };
        let content = done.message().content;
        assert!(content.contains("made: staff role <@&1>"), "{content}");
        assert!(content.contains("reused: ticket category <#2>"), "{content}");
        assert!(content.contains("made: panel <#5>"), "{content}");
        assert!(content.contains("Give <@&1> to"), "{content}");
    }
}
