use serde_json::Value;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, UserMarker},
};

/// A dispatch on its way to gateway sessions.
#[derive(Clone, Debug)]
pub struct Event {
    /// `t`, e.g. `MESSAGE_CREATE`.
    pub kind: &'static str,
    /// `d`.
    pub data: Value,
    /// Who gets it.
    pub audience: Audience,
}

/// Who gets an event, before intents.
#[derive(Clone, Copy, Debug)]
pub enum Audience {
    /// Every session of members of a guild (bots: on the guild's shard).
    Guild(Id<GuildMarker>),
    /// Those who see a channel; the recipients of a direct message.
    Channel(Id<ChannelMarker>),
    /// One person's sessions.
    Person(Id<UserMarker>),
    /// One bot's sessions (on the guild's shard, or shard 0).
    Bot(Id<ApplicationMarker>, Option<Id<GuildMarker>>),
    /// One user's membership changed: that user's sessions (a bot's: on the guild's shard).
    Member(Id<UserMarker>, Id<GuildMarker>),
}
