//! A message as Discord sends it, by gateway or REST, and as we keep it.
//!
//! Only what a transcript needs is decoded: twilight's types fail on what Discord adds.

use model::{Attachment, CapturedMessage, MessageEdit};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{AttachmentMarker, ChannelMarker, GuildMarker, MessageMarker, UserMarker},
};

/// A whole message.
#[derive(Deserialize)]
pub struct Incoming {
    /// Its id.
    pub id: Id<MessageMarker>,
    /// Its channel.
    pub channel_id: Id<ChannelMarker>,
    /// Its guild; REST does not tell it.
    pub guild_id: Option<Id<GuildMarker>>,
    author: Author,
    member: Option<Member>,
    webhook_id: Option<Id<UserMarker>>,
    #[serde(default)]
    content: String,
    #[serde(default)]
    attachments: Vec<File>,
    #[serde(default)]
    embeds: Value,
    message_reference: Option<Reference>,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    edited_timestamp: Option<OffsetDateTime>,
}

/// A change of a message: what is not in it stays.
#[derive(Deserialize)]
pub struct Edit {
    /// Its id.
    pub id: Id<MessageMarker>,
    /// Its channel.
    pub channel_id: Id<ChannelMarker>,
    /// Its guild.
    pub guild_id: Option<Id<GuildMarker>>,
    content: Option<String>,
    attachments: Option<Vec<File>>,
    embeds: Option<Value>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    edited_timestamp: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Author {
    id: Id<UserMarker>,
    username: String,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct Member {
    nick: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    /// 0 or absent is an answer, 1 a forwarded message.
    #[serde(default, rename = "type")]
    kind: u8,
    message_id: Option<Id<MessageMarker>>,
}

#[derive(Deserialize)]
struct File {
    id: Id<AttachmentMarker>,
    filename: String,
    url: String,
    size: u64,
    content_type: Option<String>,
}

impl Incoming {
    /// The message as it is kept.
    #[must_use]
    pub fn captured(self, guild: Id<GuildMarker>) -> CapturedMessage {
        let nick = self.member.and_then(|member| member.nick);
        let name = nick.or(self.author.global_name).unwrap_or(self.author.username);
        CapturedMessage {
            guild,
            channel: self.channel_id,
            id: self.id,
            author: self.author.id,
            author_name: name,
            author_is_bot: self.author.bot || self.webhook_id.is_some(),
            content: self.content,
            attachments: self.attachments.into_iter().map(File::kept).collect(),
            embeds: kept_embeds(self.embeds),
            reply_to: self
                .message_reference
                .filter(|reference| reference.kind == 0)
                .and_then(|reference| reference.message_id),
            sent_at: self.timestamp,
            edited_at: self.edited_timestamp,
            deleted_at: None,
        }
    }
}

impl Edit {
    /// The edit as it is kept.
    #[must_use]
    pub fn kept(self, guild: Id<GuildMarker>) -> MessageEdit {
        MessageEdit {
            guild,
            channel: self.channel_id,
            id: self.id,
            content: self.content,
            attachments: self.attachments.map(|files| files.into_iter().map(File::kept).collect()),
            embeds: self.embeds.map(kept_embeds),
            edited_at: self.edited_timestamp,
        }
    }
}

impl File {
    fn kept(self) -> Attachment {
        Attachment { id: self.id, name: self.filename, url: self.url, size: self.size, content_type: self.content_type }
    }
}

/// No embeds are `null`, as [`CapturedMessage::embeds`] wants it.
fn kept_embeds(embeds: Value) -> Value {
    match embeds {
        Value::Array(list) if list.is_empty() => Value::Null,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_message_keeps_what_a_transcript_shows() {
        let incoming: Incoming = serde_json::from_value(json!({
            "id": "9", "channel_id": "6", "guild_id": "5", "type": 19, "content": "hi",
            "author": {"id": "7", "username": "ann", "global_name": "Ann", "avatar": null},
            "member": {"nick": "Annie", "roles": []},
            "timestamp": "2026-11-21T07:54:30.123000+00:00", "edited_timestamp": null,
            "attachments": [{"id": "3", "filename": "a.png", "url": "https://x/a.png", "size": 12, "odd": {}}],
            "embeds": [], "components": [{"type": 99}],
            "message_reference": {"message_id": "8", "channel_id": "6", "type": 0},
        }))
        .unwrap();
        let kept = incoming.captured(Id::new(5));
        assert_eq!(kept.author_name, "Annie");
        assert_eq!(kept.content, "hi");
        assert_eq!(kept.embeds, Value::Null);
        assert_eq!(kept.reply_to, Some(Id::new(8)));
        assert_eq!(kept.sent_at, datetime!(2026-11-21 07:54:30.123 UTC));
        assert_eq!(kept.attachments[0].name, "a.png");
        assert!(!kept.author_is_bot);
    }

    #[test]
    fn a_forwarded_message_answers_nothing_and_a_webhook_counts_as_a_bot() {
        let incoming: Incoming = serde_json::from_value(json!({
            "id": "9", "channel_id": "6", "webhook_id": "77",
            "author": {"id": "77", "username": "hook", "global_name": null},
            "timestamp": "2026-11-21T07:54:30+00:00",
            "message_reference": {"message_id": "8", "type": 1},
        }))
        .unwrap();
        let kept = incoming.captured(Id::new(5));
        assert_eq!(kept.reply_to, None);
        assert!(kept.author_is_bot);
        assert_eq!(kept.author_name, "hook");
    }

    #[test]
    fn an_edit_keeps_apart_what_is_empty_and_what_is_not_told() {
        let edit: Edit = serde_json::from_value(json!({
            "id": "9", "channel_id": "6", "guild_id": "5", "embeds": [],
        }))
        .unwrap();
        let kept = edit.kept(Id::new(5));
        assert_eq!(kept.content, None);
        assert_eq!(kept.embeds, Some(Value::Null));
        assert_eq!(kept.edited_at, None);
    }
}
