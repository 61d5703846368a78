//! A message of a ticket, as its transcript will show it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{AttachmentMarker, ChannelMarker, GuildMarker, MessageMarker, UserMarker},
};

/// A message of a ticket's channel with its last edit and the mark of its deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturedMessage {
    /// The guild of the channel.
    pub guild: Id<GuildMarker>,
    /// The channel of the ticket.
    pub channel: Id<ChannelMarker>,
    /// The message.
    pub id: Id<MessageMarker>,
    /// Who wrote it (a webhook's id for a webhook's message).
    pub author: Id<UserMarker>,
    /// The name shown when it was written.
    pub author_name: String,
    /// Whether a bot or webhook wrote it.
    pub author_is_bot: bool,
    /// Its text; empty where Discord withholds it (no message content intent).
    pub content: String,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// Discord's `embeds` as they came; `null` where there are none.
    pub embeds: serde_json::Value,
    /// The message it answers.
    pub reply_to: Option<Id<MessageMarker>>,
    /// When it was written.
    pub sent_at: OffsetDateTime,
    /// When it was last edited.
    pub edited_at: Option<OffsetDateTime>,
    /// When its deletion became known.
    pub deleted_at: Option<OffsetDateTime>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Discord's id.
    pub id: Id<AttachmentMarker>,
    /// The file name.
    pub name: String,
    /// Where it was; Discord's links expire after about a day.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// The media type, where Discord told one.
    pub content_type: Option<String>,
}

/// What an edit changes; `None` is what the event did not carry and therefore stays.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageEdit {
    /// The guild of the channel.
    pub guild: Id<GuildMarker>,
    /// The channel of the ticket.
    pub channel: Id<ChannelMarker>,
    /// The edited message.
    pub id: Id<MessageMarker>,
    /// The new text.
    pub content: Option<String>,
    /// The files that it has now.
    pub attachments: Option<Vec<Attachment>>,
    /// Discord's `embeds` as they are now.
    pub embeds: Option<serde_json::Value>,
    /// `edited_timestamp`; `None` when Discord itself changed the message (a link's preview).
    pub edited_at: Option<OffsetDateTime>,
}
