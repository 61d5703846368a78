//! Posting the transcript of a ticket, once, to where the guild keeps them.

use anyhow::Context as _;
use common::discord;
use model::{CapturedMessage, GuildSettings, Ticket};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use twilight_model::{
    channel::message::{AllowedMentions, Embed},
    http::attachment::Attachment,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker, UserMarker},
    },
};

use crate::{
    context::Context,
    refused::failure,
    text::text,
    tickets::{snowflake, sweep::PAGE, transcript},
};

/// A bot may upload 10 MiB to a guild without boosts; the rest of the message needs room too.
const LARGEST_FILE: usize = 9 * 1024 * 1024;

/// How far our clock may be ahead of Discord's.
const SKEW: time::Duration = time::Duration::minutes(1);

/// Posts notice and transcript, and gives the newest message in it. `since` is given where they may have been posted
/// already: when the closing began.
///
/// Where the channel for them is gone or forbidden, the messages stay in the database, and whoever closed is told.
///
/// # Errors
///
/// When it is to be tried again.
pub async fn post(
    cx: &Context,
    ticket: &Ticket,
    since: Option<OffsetDateTime>,
) -> anyhow::Result<Option<Id<MessageMarker>>> {
    let id = ticket.key;
    let settings = cx.db.settings().by_guild(id.guild).await?;
    let Some(channel) = settings.transcript_channel else {
        info!(ticket.id = %id, "ticket {id} has no transcript channel");
        return Ok(None);
    };
    let footer = transcript::footer(ticket);
    let known = match since {
        Some(since) => is_posted(cx, channel, &footer, since).await,
        None => Ok(false),
    };
    let posted = match known {
        Ok(true) => return Ok(None),
        Ok(false) => {
            let messages = cx.db.messages().list(id).await?;
            let newest = messages.last().map(|message| message.id);
            send_parts(cx, ticket, messages, channel).await?.map(|()| newest)
        }
        Err(error) => Err(error),
    };
    posted.or_else(|error| {
        if failure(&error).is_undecided() {
            return Err(error.into());
        }
        warn!(ticket.id = %id, "ticket {id} is closed without its transcript being posted: {error}");
        let (cx, ticket) = (cx.clone(), ticket.clone());
        cx.tasks.clone().spawn(async move { tell_closer(&cx, &ticket, channel).await });
        Ok(None)
    })
}

/// Posts what was written after the transcript, once.
///
/// # Errors
///
/// When it is to be tried again.
pub async fn post_late(
    cx: &Context,
    settings: &GuildSettings,
    ticket: &Ticket,
    late: &[CapturedMessage],
) -> anyhow::Result<()> {
    let (Some(channel), Some(newest)) = (settings.transcript_channel, late.last()) else {
        return Ok(());
    };
    let posted = async {
        if is_posted(cx, channel, &transcript::late_footer(ticket, newest.id), newest.sent_at).await? {
            return Ok(());
        }
        let notice = transcript::late_notice(ticket, newest.id);
        let file = transcript::render_late(late).into_bytes();
        send(cx, channel, &[notice], Attachment::from_bytes(transcript::late_file_name(ticket), file, 1)).await
    };
    match posted.await {
        Err(error) if failure(&error).is_undecided() => Err(error.into()),
        Err(error) => {
            let id = ticket.key;
            warn!(ticket.id = %id, "what was written late in ticket {id} is not posted: {error}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// The parts first, and the notice with the last: it says that all are there.
async fn send_parts(
    cx: &Context,
    ticket: &Ticket,
    messages: Vec<CapturedMessage>,
    channel: Id<ChannelMarker>,
) -> anyhow::Result<Result<(), discord::Error>> {
    let now = cx.clock.now();
    let notice = transcript::notice(ticket, messages.len(), now);
    let rendered = ticket.clone();
    // Megabytes of text would keep others from this thread.
    let parts = spawn_blocking(move || transcript::render(&rendered, &messages, now, LARGEST_FILE));
    let parts = parts.await.context("render the transcript")?;
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.into_iter().enumerate() {
        let embeds = if index == last { std::slice::from_ref(&notice) } else { &[] };
        let name = transcript::file_name(ticket, (last > 0).then_some(index + 1));
        if let Err(error) = send(cx, channel, embeds, Attachment::from_bytes(name, part.into_bytes(), 1)).await {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

async fn send(
    cx: &Context,
    channel: Id<ChannelMarker>,
    embeds: &[Embed],
    file: Attachment,
) -> Result<(), discord::Error> {
    let files = [file];
    let mentions = AllowedMentions::default();
    let request = cx.discord.requests().create_message(channel).embeds(embeds).attachments(&files);
    cx.send(request.allowed_mentions(Some(&mentions))).await
}

/// Whether a notice with this footer is in the channel, among what was posted since.
async fn is_posted(
    cx: &Context,
    channel: Id<ChannelMarker>,
    footer: &str,
    since: OffsetDateTime,
) -> Result<bool, discord::Error> {
    #[derive(Deserialize)]
    struct Found {
        id: Id<MessageMarker>,
        author: Author,
        #[serde(default)]
        embeds: Vec<FoundEmbed>,
    }
    #[derive(Deserialize)]
    struct Author {
        id: Id<UserMarker>,
    }
    #[derive(Deserialize)]
    struct FoundEmbed {
        footer: Option<Footer>,
    }
    #[derive(Deserialize)]
    struct Footer {
        text: String,
    }

    let mut after: Id<MessageMarker> = snowflake::first_id(since - SKEW);
    loop {
        let path = format!("channels/{channel}/messages?limit={PAGE}&after={after}");
        let messages: Vec<Found> = cx.discord.get_json(&path).await?;
        let ours = messages.iter().filter(|message| message.author.id == cx.bot_user());
        let mut footers = ours.flat_map(|message| &message.embeds).filter_map(|embed| embed.footer.as_ref());
        if footers.any(|found| found.text == footer) {
            return Ok(true);
        }
        match messages.iter().map(|message| message.id).max() {
            Some(newest) if messages.len() == PAGE => after = newest,
            _ => return Ok(false),
        }
    }
}

/// Tells whoever closed the ticket, in private, that the transcript is nowhere to be read.
async fn tell_closer(cx: &Context, ticket: &Ticket, channel: Id<ChannelMarker>) {
    let Some(closer) = ticket.closed_by else {
        return;
    };
    let told = async {
        let private: Id<ChannelMarker> = cx.create(cx.discord.requests().create_private_channel(closer)).await?;
        let content = text("transcript-unposted")
            .with("number", ticket.key.number)
            .with("channel", format_args!("<#{channel}>"))
            .to_string();
        cx.send(cx.discord.requests().create_message(private).content(&content)).await
    };
    if let Err(error) = told.await {
        let id = ticket.key;
        warn!(ticket.id = %id, "whoever closed ticket {id} is not told that its transcript is not posted: {error}");
    }
}
