//! What an event changes, and where it stands among the others.

use serde::{Deserialize, Serialize};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, RoleMarker, UserMarker},
};

use crate::{
    entity::{Channel, Emoji, Guild, Member, Role, User, Whole},
    wire,
};

/// What one event changes in a guild.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The bot that saw it: what two bots see of one guild is kept apart.
    pub bot: Id<ApplicationMarker>,
    /// The guild.
    pub guild: Id<GuildMarker>,
    /// Where the event stands among the guild's others.
    pub position: Position,
    /// What follows from it, in this order.
    pub changes: Vec<Change>,
}

/// Where an event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The gateway session.
    pub session: String,
    /// Its number in that session.
    pub sequence: u64,
    /// When the sharder received it, in milliseconds since 1970.
    pub received_ms: i64,
}

/// One change of a guild. It says all that it changes: nobody has to know what was before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// All of it anew: what is not named is gone, members are unknown.
    Whole(Box<Whole>),
    /// The guild without its lists.
    Guild(Box<Guild>),
    /// An outage began: what is known stays.
    Unavailable,
    /// The bot is not in it any more.
    Left,
    /// A channel is so now.
    Channel(Channel),
    /// A channel is gone, and its threads with it.
    ChannelGone(#[serde(with = "wire::id")] Id<ChannelMarker>),
    /// A thread is so now.
    Thread(Channel),
    /// A thread is gone, or archived.
    ThreadGone(#[serde(with = "wire::id")] Id<ChannelMarker>),
    /// These are the threads that can be seen in these channels, or in all.
    Threads(Threads),
    /// A role is so now.
    Role(Role),
    /// A role is gone. Members may still list it, as Discord tells nobody that they lost it; it gives nothing any more.
    RoleGone(#[serde(with = "wire::id")] Id<RoleMarker>),
    /// These are the roles.
    Roles(Vec<Role>),
    /// These are the emojis.
    Emojis(Vec<Emoji>),
    /// A member, with the user, is so now.
    Member(Box<Member>),
    /// Is no member any more.
    MemberGone(#[serde(with = "wire::id")] Id<UserMarker>),
    /// So many members more, or less.
    Count(i32),
}

/// The threads of some channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threads {
    /// The channels; all of the guild's where `None`.
    pub parents: Option<Vec<Parent>>,
    /// The threads that are not archived.
    pub threads: Vec<Channel>,
}

/// A channel with threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent(#[serde(with = "wire::id")] pub Id<ChannelMarker>);

impl Change {
    /// Whether something may be missing afterwards that was there, or be there that was not, so that an answer of Discord
    /// from before is not to be believed. What only tells more of a member is none of these.
    #[must_use]
    pub fn outdates(&self) -> bool {
        !matches!(self, Change::Member(_))
    }

    /// The users that it tells of.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        let (one, many): (Option<&Member>, &[Member]) = match self {
            Change::Member(member) => (Some(member), &[]),
            Change::Whole(whole) => (None, &whole.members),
            _ => (None, &[]),
        };
        one.into_iter().chain(many).filter_map(|member| member.user.as_deref())
    }
}
