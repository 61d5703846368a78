use serde::{Deserialize, Serialize};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, EmojiMarker, GenericMarker, TagMarker, UserMarker},
    },
    util::Timestamp,
};

use super::{Interner, Text, text};
use crate::wire;

/// A channel or a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    #[serde(with = "wire::id")]
    pub id: Id<ChannelMarker>,
    /// Discord's number of its type: 0 text, 2 voice, 4 category, 5 announcement, 10 to 12 threads, 13 stage, 15 forum, 16 media.
    #[serde(rename = "type", default, deserialize_with = "wire::or_default")]
    pub kind: u8,
    /// Age-restricted.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub nsfw: bool,
    /// Slow mode, in seconds.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub rate_limit_per_user: u16,
    /// Order among its siblings.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub position: i32,
    /// Discord's flags.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub flags: u32,
    /// Its category; a thread's channel.
    #[serde(default, with = "wire::id_opt")]
    pub parent_id: Option<Id<ChannelMarker>>,
    /// Its name.
    #[serde(default, with = "text::or_null")]
    pub name: Text,
    /// Its topic, or a forum's guidelines.
    #[serde(default, with = "text::or_null")]
    pub topic: Text,
    /// Its exceptions from permissions; a thread has its channel's.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub permission_overwrites: Box<[Overwrite]>,
    /// A forum's tags.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub available_tags: Box<[ForumTag]>,
    /// A post's tags.
    #[serde(default, with = "wire::ids")]
    pub applied_tags: Box<[Id<TagMarker>]>,
    /// Who opened the thread.
    #[serde(default, with = "wire::id_opt")]
    pub owner_id: Option<Id<UserMarker>>,
    /// What only threads have.
    #[serde(default)]
    pub thread_metadata: Option<Box<ThreadMetadata>>,
}

impl Channel {
    /// Whether it is a thread that left the list of threads: it can still be read, and comes back by a message.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.thread_metadata.as_ref().is_some_and(|thread| thread.archived)
    }

    pub(crate) fn intern(&mut self, interner: &Interner) {
        interner.intern([&mut self.name, &mut self.topic]);
        interner.intern(self.available_tags.iter_mut().flat_map(|tag| [&mut tag.name, &mut tag.emoji_name]));
    }
}

/// An exception from the permissions of a role or a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwrite {
    /// The role or the user.
    #[serde(with = "wire::id")]
    pub id: Id<GenericMarker>,
    /// Which of both: 0 role, 1 member.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Granted here.
    #[serde(with = "wire::permissions")]
    pub allow: Permissions,
    /// Taken here.
    #[serde(with = "wire::permissions")]
    pub deny: Permissions,
}

impl Overwrite {
    /// The number for roles.
    pub const ROLE: u8 = 0;
    /// The number for members.
    pub const MEMBER: u8 = 1;
}

/// What only threads have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadMetadata {
    /// Hidden from the list.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub archived: bool,
    /// Only who manages threads can open it again.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub locked: bool,
    /// Whether its members may add others (private threads).
    #[serde(default, deserialize_with = "wire::or_default")]
    pub invitable: bool,
    /// Minutes without messages until it is archived.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub auto_archive_duration: u16,
    /// When `archived` changed last.
    #[serde(default, with = "wire::at")]
    pub archive_timestamp: Option<Timestamp>,
    /// When it was made; threads from before 2022 have none.
    #[serde(default, with = "wire::at")]
    pub create_timestamp: Option<Timestamp>,
}

/// A tag of a forum's posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForumTag {
    /// Its id.
    #[serde(with = "wire::id")]
    pub id: Id<TagMarker>,
    /// Its name.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: Text,
    /// Whether only who manages threads may set it.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub moderated: bool,
    /// A guild's emoji.
    #[serde(default, with = "wire::id_opt")]
    pub emoji_id: Option<Id<EmojiMarker>>,
    /// Or a Unicode one.
    #[serde(default, with = "text::or_null")]
    pub emoji_name: Text,
}
