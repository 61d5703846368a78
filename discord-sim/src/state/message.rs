use serde_json::{Value, json};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{
        ApplicationMarker, AttachmentMarker, ChannelMarker, InteractionMarker, MessageMarker, UserMarker, WebhookMarker,
    },
};

use super::guild::timestamp;

/// Message flags by their bits.
pub mod flags {
    /// Embeds of links are not shown.
    pub const SUPPRESS_EMBEDS: u64 = 1 << 2;
    /// Seen by one person only.
    pub const EPHEMERAL: u64 = 1 << 6;
    /// A thread was opened from it.
    pub const HAS_THREAD: u64 = 1 << 5;
    /// "… is thinking".
    pub const LOADING: u64 = 1 << 7;
    /// No push notification.
    pub const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
    /// Components v2: no content, embeds, stickers or poll; never removed by an edit.
    pub const IS_COMPONENTS_V2: u64 = 1 << 15;
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Id.
    pub id: Id<MessageMarker>,
    /// Where.
    pub channel_id: Id<ChannelMarker>,
    /// Who.
    pub author_id: Id<UserMarker>,
    /// Type: 0 default, 6 pin, 19 reply, 20 slash command, 23 context menu, 18/21 threads.
    pub kind: u8,
    /// Text.
    pub content: String,
    /// Embeds as stored.
    pub embeds: Vec<Value>,
    /// Components as stored.
    pub components: Vec<Value>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// See [`flags`].
    pub flags: u64,
    /// When sent.
    pub created_at: OffsetDateTime,
    /// When edited last.
    pub edited_at: Option<OffsetDateTime>,
    /// Pinned.
    pub pinned: bool,
    /// The sender's own mark, echoed in MESSAGE_CREATE.
    pub nonce: Option<Value>,
    /// Replied-to message.
    pub reference: Option<(Id<ChannelMarker>, Id<MessageMarker>)>,
    /// The webhook (or application, for interaction answers) that sent it.
    pub webhook_id: Option<Id<WebhookMarker>>,
    /// The name that an incoming webhook posted under; its author is the webhook then.
    pub webhook_name: Option<String>,
    /// The application that sent it.
    pub application_id: Option<Id<ApplicationMarker>>,
    /// The interaction that it answers, for `interaction_metadata`.
    pub interaction: Option<(Id<InteractionMarker>, Value)>,
    /// The one who sees it, when ephemeral.
    pub only_for: Option<Id<UserMarker>>,
    /// Users mentioned in the content and allowed to be.
    pub mentions: Vec<Id<UserMarker>>,
    /// Roles mentioned in the content and allowed to be.
    pub mention_roles: Vec<Id<twilight_model::id::marker::RoleMarker>>,
    /// Whether @everyone or @here rang.
    pub mention_everyone: bool,
    /// Reactions: emoji and who.
    pub reactions: Vec<(String, Vec<Id<UserMarker>>)>,
}

/// A file of a message; its bytes stand in [`State::files`](super::State::files).
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Id.
    pub id: Id<AttachmentMarker>,
    /// Name.
    pub filename: String,
    /// Description (alt text).
    pub description: Option<String>,
    /// MIME type.
    pub content_type: String,
    /// Bytes.
    pub size: usize,
    /// Where to fetch it.
    pub url: String,
}

impl Attachment {
    /// The attachment object.
    pub fn to_json(&self) -> Value {
        let mut attachment = json!({
            "id": self.id, "filename": self.filename, "size": self.size, "url": self.url, "proxy_url": self.url, "content_type": self.content_type,
        });
        if let Some(description) = &self.description {
            attachment["description"] = json!(description);
        }
        attachment
    }
}

impl Message {
    /// The message object with the objects that it refers to.
    pub(super) fn to_json(&self, author: Value, mentions: Vec<Value>, referenced: Option<Value>) -> Value {
        let mut message = json!({
            "id": self.id, "channel_id": self.channel_id, "type": self.kind, "content": self.content, "author": author,
            "mentions": mentions, "mention_roles": self.mention_roles, "mention_everyone": self.mention_everyone,
            "attachments": self.attachments.iter().map(Attachment::to_json).collect::<Vec<_>>(), "embeds": self.embeds,
            "components": self.components, "timestamp": timestamp(self.created_at), "edited_timestamp": self.edited_at.map(timestamp),
            "flags": self.flags, "pinned": self.pinned, "tts": false,
        });
        if let Some(webhook) = self.webhook_id {
            message["webhook_id"] = json!(webhook);
        }
        if let Some(application) = self.application_id {
            message["application_id"] = json!(application);
        }
        if let Some((_, metadata)) = &self.interaction {
            message["interaction_metadata"] = metadata.clone();
        }
        if let Some((channel, id)) = self.reference {
            message["message_reference"] = json!({ "type": 0, "channel_id": channel, "message_id": id });
            message["referenced_message"] = referenced.unwrap_or(Value::Null);
        }
        if !self.reactions.is_empty() {
            message["reactions"] = self.reactions.iter().map(|(emoji, who)| json!({
                "emoji": { "id": null, "name": emoji }, "count": who.len(), "count_details": { "burst": 0, "normal": who.len() },
                "burst_colors": [], "me_burst": false, "me": false,
            })).collect();
        }
        message
    }
}
