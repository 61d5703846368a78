//! Table `ticket_messages`.

use model::{Attachment, CapturedMessage, MessageEdit, TicketKey};
use serde::Serialize;
use sqlx::types::Json;
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, MessageMarker},
};

use crate::{
    Error,
    connection::Source,
    convert::{column, column_opt, id, id_opt, text},
    error::Attempt,
};

/// Captured messages of tickets.
///
/// What arrives is tied to a ticket by (guild, channel) and the bot that received it, inside the statement that stores it:
/// a message of any other channel leaves nothing.
#[derive(Debug)]
pub struct Messages<'a>(pub(crate) Source<'a>);

impl Messages<'_> {
    /// Stores a message of an opening, open or closing ticket of `bot`, and says whether it wrote anything.
    ///
    /// `false`: not such a ticket's channel, or the message is stored as new or newer. A message that comes again does
    /// not undo its edit or deletion.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn upsert(&mut self, bot: Id<ApplicationMarker>, message: &CapturedMessage) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                insert into ticket_messages as stored (
                    guild_id, number, message_id, channel_id, author_id, author_name, author_is_bot, content, attachments,
                    embeds, reply_to, sent_at, edited_at, deleted_at
                )
                select guild_id, number, $4, channel_id, $5, $6, $7, $8, $9::text::json, $10::text::json, $11, $12, $13, $14
                from tickets
                where guild_id = $1 and channel_id = $2 and bot_id = $3 and state in ('opening', 'open', 'closing')
                on conflict (guild_id, number, message_id) do update
                set content = excluded.content, attachments = excluded.attachments, embeds = excluded.embeds,
                    edited_at = excluded.edited_at
                where coalesce(excluded.edited_at, excluded.sent_at) > coalesce(stored.edited_at, stored.sent_at)
                "#,
                column(message.guild),
                column(message.channel),
                column(bot),
                column(message.id),
                column(message.author),
                &*text(&message.author_name),
                message.author_is_bot,
                &*text(&message.content),
                json(&message.attachments)?,
                json(&message.embeds)?,
                column_opt(message.reply_to),
                message.sent_at,
                message.edited_at,
                message.deleted_at,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("store message", message.id)?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores what the sweep at closing found in the ticket's channel, and says how many rows it wrote.
    ///
    /// Completes what was missed and takes over what is as new or newer. Marks of deletions stay. Messages of another
    /// guild or channel than the ticket's are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn upsert_swept(&mut self, ticket: TicketKey, messages: &[CapturedMessage]) -> Result<u64, Error> {
        let mut columns = Columns::default();
        for message in messages.iter().filter(|m| m.guild == ticket.guild) {
            let pushed = columns.push(message);
            pushed.attempt("store the swept messages of ticket", ticket)?;
        }
        let done = async {
            sqlx::query!(
                r#"
                insert into ticket_messages as stored (
                    guild_id, number, message_id, channel_id, author_id, author_name, author_is_bot, content, attachments,
                    embeds, reply_to, sent_at, edited_at
                )
                select distinct on (message_id)
                    guild_id, number, message_id, tickets.channel_id, author_id, author_name, author_is_bot, content,
                    attachments::json, embeds::json, reply_to, sent_at, edited_at
                from tickets
                join unnest(
                    $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::boolean[], $8::text[], $9::text[],
                    $10::text[], $11::bigint[], $12::timestamptz[], $13::timestamptz[]
                ) as swept (
                    message_id, channel_id, author_id, author_name, author_is_bot, content, attachments, embeds, reply_to,
                    sent_at, edited_at
                ) on swept.channel_id = tickets.channel_id
                where guild_id = $1 and number = $2 and state in ('open', 'closing')
                order by message_id, edited_at desc nulls last
                on conflict (guild_id, number, message_id) do update
                set content = excluded.content, attachments = excluded.attachments, embeds = excluded.embeds,
                    edited_at = excluded.edited_at
                where coalesce(excluded.edited_at, excluded.sent_at) >= coalesce(stored.edited_at, stored.sent_at)
                    and (excluded.content, excluded.attachments::text, excluded.embeds::text, excluded.edited_at)
                        is distinct from (stored.content, stored.attachments::text, stored.embeds::text, stored.edited_at)
                "#,
                column(ticket.guild),
                ticket.number.0,
                &columns.id,
                &columns.channel,
                &columns.author,
                &columns.author_name,
                &columns.author_is_bot,
                &columns.content,
                &columns.attachments,
                &columns.embeds,
                &columns.reply_to as _,
                &columns.sent_at,
                &columns.edited_at as _,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("store the swept messages of ticket", ticket)?;
        Ok(done.rows_affected())
    }

    /// Takes over an edit of a stored message, and says whether it wrote anything. An edit that is older than what is
    /// stored changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn mark_edited(&mut self, bot: Id<ApplicationMarker>, edit: &MessageEdit) -> Result<bool, Error> {
        const ATTEMPT: &str = "store the edit of message";
        let content = edit.content.as_deref().map(text);
        let attachments = edit.attachments.as_ref().map(json).transpose();
        let attachments = attachments.attempt(ATTEMPT, edit.id)?;
        let embeds = edit.embeds.as_ref().map(json).transpose();
        let embeds = embeds.attempt(ATTEMPT, edit.id)?;
        let done = async {
            sqlx::query!(
                r#"
                update ticket_messages as stored
                set content = coalesce($5, content), attachments = coalesce($6::text::json, attachments),
                    embeds = coalesce($7::text::json, embeds), edited_at = coalesce($8, edited_at)
                from tickets
                where tickets.guild_id = $1 and tickets.channel_id = $2 and tickets.bot_id = $3
                    and tickets.state in ('opening', 'open', 'closing')
                    and stored.guild_id = tickets.guild_id and stored.number = tickets.number and stored.message_id = $4
                    and coalesce($8, stored.sent_at) >= coalesce(stored.edited_at, stored.sent_at)
                "#,
                column(edit.guild),
                column(edit.channel),
                column(bot),
                column(edit.id),
                content.as_deref(),
                attachments,
                embeds,
                edit.edited_at,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt(ATTEMPT, edit.id)?;
        Ok(done.rows_affected() == 1)
    }

    /// Marks stored messages as deleted at `at`, and says how many were not marked before. Their text stays.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn mark_deleted(
        &mut self,
        bot: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
        channel: Id<ChannelMarker>,
        messages: &[Id<MessageMarker>],
        at: OffsetDateTime,
    ) -> Result<u64, Error> {
        let messages: Vec<i64> = messages.iter().copied().map(column).collect();
        let done = async {
            sqlx::query!(
                r#"
                update ticket_messages as stored
                set deleted_at = $5
                from tickets
                where tickets.guild_id = $1 and tickets.channel_id = $2 and tickets.bot_id = $3
                    and tickets.state in ('opening', 'open', 'closing')
                    and stored.guild_id = tickets.guild_id and stored.number = tickets.number
                    and stored.message_id = any($4) and stored.deleted_at is null
                "#,
                column(guild),
                column(channel),
                column(bot),
                &messages,
                at,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("mark deleted messages of channel", channel)?;
        Ok(done.rows_affected())
    }

    /// Marks as deleted what is stored of a closing ticket, is not newer than the newest of `found`, and is not in `found`:
    /// the sweep's complete list. Says how many; an empty list marks nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn mark_missing(
        &mut self,
        ticket: TicketKey,
        found: &[Id<MessageMarker>],
        at: OffsetDateTime,
    ) -> Result<u64, Error> {
        let Some(newest) = found.iter().max() else {
            return Ok(0);
        };
        let messages: Vec<i64> = found.iter().copied().map(column).collect();
        let done = async {
            sqlx::query!(
                r#"
                update ticket_messages as stored
                set deleted_at = $5
                from tickets
                where tickets.guild_id = $1 and tickets.number = $2 and tickets.state in ('open', 'closing')
                    and stored.guild_id = tickets.guild_id and stored.number = tickets.number
                    and stored.message_id <= $3 and stored.deleted_at is null
                    and not exists (select from unnest($4::bigint[]) as found (id) where found.id = stored.message_id)
                "#,
                column(ticket.guild),
                ticket.number.0,
                column(*newest),
                &messages,
                at,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("mark missing messages of ticket", ticket)?;
        Ok(done.rows_affected())
    }

    /// All stored messages of a ticket, oldest first; empty where the guild has no such ticket.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn list(&mut self, ticket: TicketKey) -> Result<Vec<CapturedMessage>, Error> {
        async {
            sqlx::query_as!(
                MessageRow,
                r#"
                select message_id, channel_id, author_id, author_name, author_is_bot, content,
                    attachments as "attachments: Json<Vec<Attachment>>", embeds, reply_to, sent_at, edited_at, deleted_at
                from ticket_messages
                where guild_id = $1 and number = $2
                order by message_id
                "#,
                column(ticket.guild),
                ticket.number.0,
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the messages of ticket", ticket)?
        .into_iter()
        .map(|row| row.into_message(ticket.guild))
        .collect()
    }
}

/// Messages turned into one array per column, for `unnest`.
#[derive(Default)]
struct Columns {
    id: Vec<i64>,
    channel: Vec<i64>,
    author: Vec<i64>,
    author_name: Vec<String>,
    author_is_bot: Vec<bool>,
    content: Vec<String>,
    attachments: Vec<String>,
    embeds: Vec<String>,
    reply_to: Vec<Option<i64>>,
    sent_at: Vec<OffsetDateTime>,
    edited_at: Vec<Option<OffsetDateTime>>,
}

impl Columns {
    fn push(&mut self, message: &CapturedMessage) -> Result<(), sqlx::Error> {
        self.id.push(column(message.id));
        self.channel.push(column(message.channel));
        self.author.push(column(message.author));
        self.author_name.push(text(&message.author_name).into_owned());
        self.author_is_bot.push(message.author_is_bot);
        self.content.push(text(&message.content).into_owned());
        self.attachments.push(json(&message.attachments)?);
        self.embeds.push(json(&message.embeds)?);
        self.reply_to.push(column_opt(message.reply_to));
        self.sent_at.push(message.sent_at);
        self.edited_at.push(message.edited_at);
        Ok(())
    }
}

/// JSON as text: sqlx sends JSON as `jsonb`, which refuses \u0000.
fn json(value: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

struct MessageRow {
    message_id: i64,
    channel_id: i64,
    author_id: i64,
    author_name: String,
    author_is_bot: bool,
    content: String,
    attachments: Json<Vec<Attachment>>,
    embeds: serde_json::Value,
    reply_to: Option<i64>,
    sent_at: OffsetDateTime,
    edited_at: Option<OffsetDateTime>,
    deleted_at: Option<OffsetDateTime>,
}

impl MessageRow {
    fn into_message(self, guild: Id<GuildMarker>) -> Result<CapturedMessage, Error> {
        let subject = format_args!("message {}", self.message_id);
        Ok(CapturedMessage {
            guild,
            channel: id(self.channel_id, "channel_id", subject)?,
            id: id(self.message_id, "message_id", subject)?,
            author: id(self.author_id, "author_id", subject)?,
            author_is_bot: self.author_is_bot,
            reply_to: id_opt(self.reply_to, "reply_to", subject)?,
            author_name: self.author_name,
            content: self.content,
            attachments: self.attachments.0,
            embeds: self.embeds,
            sent_at: self.sent_at,
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
        })
    }
}
