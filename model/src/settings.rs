//! What a guild decides for all its tickets.

use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, RoleMarker},
};

/// How many tickets a member may have open at once where a guild has not decided.
pub const DEFAULT_TICKET_LIMIT: u8 = 1;

/// The settings of a guild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuildSettings {
    /// The guild.
    pub guild: Id<GuildMarker>,
    /// The role whose members are support staff.
    pub staff_role: Option<Id<RoleMarker>>,
    /// The category under which tickets' channels are made.
    pub category: Option<Id<ChannelMarker>>,
    /// The channel that gets a notice and the transcript of each closed ticket.
    pub transcript_channel: Option<Id<ChannelMarker>>,
    /// How many tickets a member may have open at once, at least 1.
    pub ticket_limit: u8,
}

impl GuildSettings {
    /// The settings of a guild that has set nothing.
    #[must_use]
    pub fn unset(guild: Id<GuildMarker>) -> Self {
        Self { guild, staff_role: None, category: None, transcript_channel: None, ticket_limit: DEFAULT_TICKET_LIMIT }
    }
}
