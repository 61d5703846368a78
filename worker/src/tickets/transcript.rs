//! The transcript of a ticket: a text file, and the notice that it is posted with.

use std::fmt::Write;

use model::{Attachment, CapturedMessage, Ticket};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use twilight_model::{
    channel::message::Embed,
    id::{
        Id,
        marker::{MessageMarker, UserMarker},
    },
};
use twilight_util::builder::embed::{EmbedBuilder, EmbedFieldBuilder, EmbedFooterBuilder};

use crate::{
    limits::{REASON, cut},
    text::{Text, text},
};

/// A transcript that needs more files than this is cut off: its messages stay in the database.
pub const MOST_PARTS: usize = 5;

const SECOND: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// `transcript-ticket-0042.txt`, or `transcript-ticket-0042-part-1.txt`.
#[must_use]
pub fn file_name(ticket: &Ticket, part: Option<usize>) -> String {
    let part = part.map(|part| format!("-part-{part}")).unwrap_or_default();
    format!("transcript-{}{part}.txt", super::channel::name(ticket.key.number))
}

/// The file of what was written after the transcript.
#[must_use]
pub fn late_file_name(ticket: &Ticket) -> String {
    format!("transcript-{}-late.txt", super::channel::name(ticket.key.number))
}

/// The transcript as plain text: times in UTC, one paragraph per message, edits and deletions marked.
///
/// In parts of about `largest` bytes at most, cut between messages; behind the last of [`MOST_PARTS`] stands how many
/// messages are left out. `messages` are in the order of their ids.
#[must_use]
pub fn render(ticket: &Ticket, messages: &[CapturedMessage], closed_at: OffsetDateTime, largest: usize) -> Vec<String> {
    let mut out = head(ticket, messages, closed_at);
    let mut parts = Vec::new();
    let mut paragraph = String::new();
    for (index, message) in messages.iter().enumerate() {
        paragraph.clear();
        paragraph.push('\n');
        render_message(&mut paragraph, message, messages);
        if out.len() + paragraph.len() > largest {
            if parts.len() + 1 == MOST_PARTS {
                let left_out = text("transcript-left-out").with("count", messages.len() - index);
                let _ = writeln!(out, "\n{left_out}");
                break;
            }
            parts.push(std::mem::take(&mut out));
        }
        out.push_str(&paragraph);
    }
    parts.push(out);
    parts
}

/// What was written after the transcript was posted.
#[must_use]
pub fn render_late(messages: &[CapturedMessage]) -> String {
    let mut out = String::new();
    for message in messages {
        render_message(&mut out, message, messages);
    }
    out
}

fn head(ticket: &Ticket, messages: &[CapturedMessage], closed_at: OffsetDateTime) -> String {
    let mut out = String::new();
    let mut line = |label: Text, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{label}: {value}");
    };
    line(text("transcript-ticket"), &ticket.key.number.to_string());
    line(text("transcript-opener"), &person(ticket.opener, messages));
    if let Some(by) = ticket.claimed_by {
        line(text("transcript-claimer"), &person(by, messages));
    }
    line(text("transcript-opened"), &second(ticket.opened_at));
    line(text("transcript-closed"), &second(closed_at));
    match ticket.closed_by {
        Some(by) => line(text("transcript-closer"), &person(by, messages)),
        None => line(text("transcript-closer"), &text("nobody").to_string()),
    }
    if let Some(reason) = &ticket.close_reason {
        line(text("transcript-reason"), &indented(reason));
    }
    line(text("transcript-messages"), &messages.len().to_string());
    out
}

fn render_message(out: &mut String, message: &CapturedMessage, all: &[CapturedMessage]) {
    let _ = write!(out, "[{}] {} ({})", second(message.sent_at), one_line(&message.author_name), message.author);
    if message.author_is_bot {
        let _ = write!(out, " [{}]", text("transcript-bot"));
    }
    if let Some(edited) = message.edited_at {
        let _ = write!(out, " [{}]", text("transcript-edited").with("at", second(edited)));
    }
    if let Some(deleted) = message.deleted_at {
        let _ = write!(out, " [{}]", text("transcript-deleted").with("at", second(deleted)));
    }
    out.push('\n');
    if let Some(answered) = message.reply_to {
        let to = match all.binary_search_by_key(&answered, |other| other.id) {
            Ok(at) => format!("{} ({})", one_line(&all[at].author_name), second(all[at].sent_at)),
            Err(_) => answered.to_string(),
        };
        let _ = writeln!(out, "    {}", text("transcript-reply").with("to", to));
    }
    if !message.content.is_empty() {
        let _ = writeln!(out, "    {}", indented(&message.content));
    }
    for file in &message.attachments {
        let _ = writeln!(out, "    {}", attachment(file));
    }
    for embed in message.embeds.as_array().into_iter().flatten() {
        let of = |key: &str| embed[key].as_str().unwrap_or_default();
        let shown = [of("title"), of("description"), of("url")]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(indented)
            .collect::<Vec<_>>()
            .join("\n    ");
        let _ = writeln!(out, "    {}", text("transcript-embed").with("embed", shown));
    }
}

fn attachment(file: &Attachment) -> Text {
    text("transcript-file").with("name", one_line(&file.name)).with("size", file.size).with("url", one_line(&file.url))
}

/// The notice over the transcript; the footer carries the ticket's mark, by which it is found again.
#[must_use]
pub fn notice(ticket: &Ticket, messages: usize, closed_at: OffsetDateTime) -> Embed {
    let field = |label: Text, value: String| EmbedFieldBuilder::new(label.to_string(), value).inline();
    let mention = |user: Option<Id<UserMarker>>| match user {
        Some(user) => format!("<@{user}>"),
        None => text("nobody").to_string(),
    };
    let when = |at: OffsetDateTime| format!("<t:{}:f>", at.unix_timestamp());
    let mut embed = EmbedBuilder::new()
        .title(text("notice-title").with("number", ticket.key.number).to_string())
        .field(field(text("transcript-opener"), mention(Some(ticket.opener))))
        .field(field(text("transcript-closer"), mention(ticket.closed_by)))
        .field(field(text("transcript-claimer"), mention(ticket.claimed_by)))
        .field(field(text("transcript-opened"), when(ticket.opened_at)))
        .field(field(text("transcript-closed"), when(closed_at)))
        .field(field(text("transcript-messages"), messages.to_string()))
        .footer(EmbedFooterBuilder::new(footer(ticket)));
    if let Some(reason) = &ticket.close_reason {
        embed = embed.field(EmbedFieldBuilder::new(text("transcript-reason").to_string(), cut(reason, REASON)));
    }
    embed.build()
}

/// The notice over what was written after the transcript; its footer names the newest message of it.
#[must_use]
pub fn late_notice(ticket: &Ticket, newest: Id<MessageMarker>) -> Embed {
    EmbedBuilder::new()
        .title(text("notice-late-title").with("number", ticket.key.number).to_string())
        .footer(EmbedFooterBuilder::new(late_footer(ticket, newest)))
        .build()
}

/// The footer of [`late_notice`].
#[must_use]
pub fn late_footer(ticket: &Ticket, newest: Id<MessageMarker>) -> String {
    format!("{} · {newest}", footer(ticket))
}

/// The footer of a ticket's notice.
#[must_use]
pub fn footer(ticket: &Ticket) -> String {
    format!("{} · {}", super::channel::name(ticket.key.number), ticket.nonce.simple())
}

fn person(user: Id<UserMarker>, messages: &[CapturedMessage]) -> String {
    match messages.iter().rev().find(|message| message.author == user) {
        Some(message) => format!("{} ({user})", one_line(&message.author_name)),
        None => user.to_string(),
    }
}

fn second(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(SECOND).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// People's text cannot pass for a line of ours: its further lines are indented.
fn indented(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("\n    ")
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::testing;

    const CLOSED: OffsetDateTime = datetime!(2026-11-21 12:30:00 UTC);

    #[test]
    fn a_transcript_tells_the_ticket_and_every_message_in_order() {
        let ticket = testing::ticket();
        let first = testing::message(101, "hello\n[2026-01-01 00:00:00] Admin (1): forged");
        let mut second = testing::message(102, "again");
        second.reply_to = Some(first.id);
        second.edited_at = Some(datetime!(2026-11-21 12:01:00 UTC));
        second.deleted_at = Some(datetime!(2026-11-21 12:02:00 UTC));
        let text = render(&ticket, &[first, second], CLOSED, 10_000).concat();
        let expected = "\
Ticket: 42
Opened by: Ann (7)
Opened: 2026-11-21 11:00:00
Closed: 2026-11-21 12:30:00
Closed by: nobody
Messages: 2

[2026-11-21 12:00:00] Ann (7)
    hello
    [2026-01-01 00:00:00] Admin (1): forged

[2026-11-21 12:00:00] Ann (7) [edited 2026-11-21 12:01:00] [deleted 2026-11-21 12:02:00]
    in answer to Ann (2026-11-21 12:00:00)
    again
";
        assert_eq!(text, expected);
    }

    #[test]
    fn files_and_embeds_are_shown() {
        let mut message = testing::message(101, "");
        message.attachments.push(Attachment {
            id: Id::new(3),
            name: "log.txt".to_owned(),
            url: "https://cdn/log.txt".to_owned(),
            size: 12,
            content_type: None,
        });
        message.embeds = json!([{"title": "Docs", "description": "one\ntwo"}]);
        let text = render(&testing::ticket(), &[message], CLOSED, 10_000).concat();
        assert!(text.contains("    file: log.txt (12 bytes) https://cdn/log.txt\n"), "{text}");
        assert!(text.contains("    embed: Docs\n    one\n    two\n"), "{text}");
    }

    #[test]
    fn a_long_transcript_is_cut_into_parts_between_messages() {
        let ticket = testing::ticket();
        let messages: Vec<_> = (0..40).map(|n| testing::message(100 + n, &"x".repeat(50))).collect();
        let whole = render(&ticket, &messages, CLOSED, usize::MAX).concat();
        let parts = render(&ticket, &messages, CLOSED, 1_000);
        assert!(parts.len() > 1 && parts.len() <= MOST_PARTS, "{}", parts.len());
        assert!(parts.iter().all(|part| part.len() <= 1_000));
        assert_eq!(parts.concat(), whole);
    }

    #[test]
    fn what_is_too_long_for_all_parts_is_counted() {
        let messages: Vec<_> = (0..100).map(|n| testing::message(100 + n, &"x".repeat(50))).collect();
        let parts = render(&testing::ticket(), &messages, CLOSED, 500);
        assert_eq!(parts.len(), MOST_PARTS);
        let shown = parts.concat().matches("xxx\n").count();
        let last = parts[MOST_PARTS - 1].lines().last().unwrap().to_owned();
        assert!(last.contains(&format!(" {} ", 100 - shown)), "{shown}: {last}");
    }

    #[test]
    fn the_notice_carries_the_ticket_s_mark_and_who_did_what() {
        let mut ticket = testing::ticket();
        ticket.closed_by = Some(Id::new(9));
        ticket.close_reason = Some("solved".to_owned());
        let notice = notice(&ticket, 2, CLOSED);
        assert_eq!(notice.footer.map(|footer| footer.text), Some(footer(&ticket)));
        let values: Vec<_> = notice.fields.iter().map(|field| field.value.as_str()).collect();
        assert_eq!(values, ["<@7>", "<@9>", "nobody", "<t:1795258800:f>", "<t:1795264200:f>", "2", "solved"]);
    }

    #[test]
    fn the_file_is_named_by_the_channel() {
        assert_eq!(file_name(&testing::ticket(), None), "transcript-ticket-0042.txt");
        assert_eq!(file_name(&testing::ticket(), Some(2)), "transcript-ticket-0042-part-2.txt");
    }
}
