use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GenericMarker, GuildMarker, MessageMarker, UserMarker},
    },
};

use super::guild::timestamp;

/// Channel types by their numbers.
pub mod kind {
    /// Text channel of a guild.
    pub const TEXT: u8 = 0;
    /// Direct message.
    pub const DM: u8 = 1;
    /// Voice channel.
    pub const VOICE: u8 = 2;
    /// Category.
    pub const CATEGORY: u8 = 4;
    /// Announcement channel.
    pub const ANNOUNCEMENT: u8 = 5;
    /// Thread in an announcement channel.
    pub const ANNOUNCEMENT_THREAD: u8 = 10;
    /// Public thread.
    pub const PUBLIC_THREAD: u8 = 11;
    /// Private thread.
    pub const PRIVATE_THREAD: u8 = 12;
    /// Forum.
    pub const FORUM: u8 = 15;
}

/// A channel of any type: of a guild, a thread or a direct message.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Id.
    pub id: Id<ChannelMarker>,
    /// Type, see [`kind`].
    pub kind: u8,
    /// Guild; none for a direct message.
    pub guild_id: Option<Id<GuildMarker>>,
    /// Name; empty for a direct message.
    pub name: String,
    /// Topic.
    pub topic: Option<String>,
    /// Category, or a thread's channel.
    pub parent_id: Option<Id<ChannelMarker>>,
    /// Order among its siblings.
    pub position: i64,
    /// Permission overwrites; none for threads.
    pub overwrites: Vec<Overwrite>,
    /// Age-restricted.
    pub nsfw: bool,
    /// Slow mode in seconds.
    pub rate_limit_per_user: u32,
    /// Newest message, also when it was deleted.
    pub last_message_id: Option<Id<MessageMarker>>,
    /// Both sides of a direct message.
    pub recipients: Vec<Id<UserMarker>>,
    /// What only threads have.
    pub thread: Option<Thread>,
}

/// What a thread has beside a channel's fields.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Who opened it.
    pub owner_id: Id<UserMarker>,
    /// Archived: hidden from the list, still readable.
    pub archived: bool,
    /// Locked: only those who manage threads may write.
    pub locked: bool,
    /// Whether members may add others (private threads).
    pub invitable: bool,
    /// Minutes without messages until it archives.
    pub auto_archive_duration: u32,
    /// When `archived` changed last.
    pub archive_timestamp: OffsetDateTime,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Members by user.
    pub members: BTreeMap<Id<UserMarker>, ThreadMember>,
    /// Messages ever sent.
    pub total_message_sent: u64,
}

/// A member of a thread.
#[derive(Clone, Debug)]
pub struct ThreadMember {
    /// Since when.
    pub joined_at: OffsetDateTime,
}

/// Whom an overwrite is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverwriteKind {
    /// A role (type 0).
    Role,
    /// A member (type 1).
    Member,
}

/// A channel's exception to the permissions of a role or member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overwrite {
    /// Role or user id.
    pub id: Id<GenericMarker>,
    /// Which of both.
    pub kind: OverwriteKind,
    /// Granted here.
    pub allow: Permissions,
    /// Taken here.
    pub deny: Permissions,
}

impl Overwrite {
    /// The overwrite object; bits are strings.
    pub fn to_json(&self) -> Value {
        let kind = u8::from(self.kind == OverwriteKind::Member);
        json!({ "id": self.id, "type": kind, "allow": self.allow.bits().to_string(), "deny": self.deny.bits().to_string() })
    }
}

impl Channel {
    /// Whether this is a thread of any type.
    pub fn is_thread(&self) -> bool {
        self.thread.is_some()
    }

    /// The channel object. `recipients` are the user objects of a direct message as its reader sees them.
    pub fn to_json(&self, recipients: &[Value]) -> Value {
        let mut channel =
            json!({ "id": self.id, "type": self.kind, "flags": 0, "last_message_id": self.last_message_id });
        if self.kind == kind::DM {
            channel["recipients"] = json!(recipients);
            return channel;
        }
        channel["guild_id"] = json!(self.guild_id);
        channel["name"] = json!(self.name);
        channel["parent_id"] = json!(self.parent_id);
        channel["rate_limit_per_user"] = json!(self.rate_limit_per_user);
        channel["last_pin_timestamp"] = Value::Null;
        match &self.thread {
            Some(thread) => {
                channel["owner_id"] = json!(thread.owner_id);
                channel["thread_metadata"] = json!({
                    "archived": thread.archived, "archive_timestamp": timestamp(thread.archive_timestamp), "locked": thread.locked,
                    "auto_archive_duration": thread.auto_archive_duration, "create_timestamp": timestamp(thread.created_at),
                });
                if self.kind == kind::PRIVATE_THREAD {
                    channel["thread_metadata"]["invitable"] = json!(thread.invitable);
                }
                channel["message_count"] = json!(thread.total_message_sent);
                channel["total_message_sent"] = json!(thread.total_message_sent);
                channel["member_count"] = json!(thread.members.len().min(50));
            }
            None => {
                channel["position"] = json!(self.position);
                channel["permission_overwrites"] =
                    json!(self.overwrites.iter().map(Overwrite::to_json).collect::<Vec<_>>());
                channel["nsfw"] = json!(self.nsfw);
                if self.kind != kind::CATEGORY {
                    channel["topic"] = json!(self.topic);
                }
                if self.kind == kind::VOICE {
                    channel["bitrate"] = json!(64_000);
                    channel["user_limit"] = json!(0);
                    channel["rtc_region"] = Value::Null;
                }
            }
        }
        channel
    }
}

impl Thread {
    /// The thread-member object of `user`, if a member.
    pub fn member_json(&self, thread: Id<ChannelMarker>, user: Id<UserMarker>) -> Option<Value> {
        let member = self.members.get(&user)?;
        Some(json!({ "id": thread, "user_id": user, "join_timestamp": timestamp(member.joined_at), "flags": 0 }))
    }
}
