//! Closing a ticket, step by step: opener shut out → messages swept → transcript posted → channel deleted → closed.
//!
//! Each step that is done is noted in the row, and the note renews the lease. A step may run twice, never half: after a
//! crash the [reconciler](super::reconcile) goes on behind the last note.

use std::time::Duration;

use anyhow::Context as _;
use database::CloseOutcome;
use model::{CloseStep, Level, Ticket, TicketState};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};
use twilight_model::{
    channel::message::AllowedMentions,
    http::attachment::Attachment,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker, UserMarker},
    },
};

use crate::{
    action::Actor,
    context::Context,
    error::{CommandError, missing_permissions},
    limits::{REASON, cut},
    refused::{Failure, failure},
    text::text,
    tickets::{capture::Incoming, channel, transcript},
};

/// For how long one process alone does the next step.
pub const LEASE: Duration = Duration::from_secs(60);

/// After how long a closing that Discord forbids is tried again: each try counts as an invalid request.
const FORBIDDEN_LEASE: Duration = Duration::from_secs(10 * 60);

/// How long the channel stays at least, so that "Closing ticket…" still finds it.
const FAREWELL: Duration = Duration::from_millis(500);

/// Discord's most messages per page.
const PAGE: usize = 100;

/// A bot may upload 10 MiB to a guild without boosts; the rest of the message needs room too.
const LARGEST_FILE: usize = 9 * 1024 * 1024;

/// Whether somebody may close this ticket: its opener and the staff.
///
/// # Errors
///
/// Refused for anybody else.
pub fn may_close(actor: Actor, ticket: &Ticket) -> Result<(), CommandError> {
    if actor.level >= Level::Support || actor.user == ticket.opener {
        return Ok(());
    }
    Err(text("close-not-yours").into())
}

/// Whether the ticket is open.
///
/// # Errors
///
/// Refused when it is not.
pub fn must_be_open(ticket: &Ticket) -> Result<(), CommandError> {
    match ticket.state {
        TicketState::Open => Ok(()),
        TicketState::Opening => Err(text("close-still-opening").into()),
        _ => Err(text("close-already").into()),
    }
}

/// Begins to close a ticket; the steps are done in the background.
///
/// # Errors
///
/// Refused for those who may not, and when somebody else closes it already.
pub async fn close(cx: &Context, actor: Actor, ticket: &Ticket, reason: Option<&str>) -> Result<(), CommandError> {
    may_close(actor, ticket)?;
    let reason = reason.map(|reason| cut(reason.trim(), REASON)).filter(|reason| !reason.is_empty());
    let by = Some(actor.user);
    match cx.db.tickets().begin_closing(ticket.key, by, reason, LEASE).await? {
        CloseOutcome::Begun(ticket) => {
            info!(ticket.id = %ticket.key, "closing ticket {}", ticket.key);
            in_background(cx, Closing::begun(ticket));
            Ok(())
        }
        // The same click again.
        CloseOutcome::Already(ticket) if ticket.closed_by == by => Ok(()),
        CloseOutcome::Already(_) => Err(text("close-already").into()),
        CloseOutcome::StillOpening(_) => Err(text("close-still-opening").into()),
    }
}

/// Closes a ticket whose channel somebody deleted. `false` when it is no open ticket's: also when we deleted it.
///
/// # Errors
///
/// When the database fails.
pub async fn close_deleted(cx: &Context, ticket: &Ticket) -> Result<bool, database::Error> {
    let reason = text("close-channel-deleted").to_string();
    let outcome = cx.db.tickets().begin_closing(ticket.key, None, Some(&reason), LEASE).await?;
    let CloseOutcome::Begun(ticket) = outcome else {
        return Ok(false);
    };
    info!(ticket.id = %ticket.key, "the channel of ticket {} was deleted", ticket.key);
    let closing = Closing { channel_gone: true, ..Closing::begun(ticket) };
    in_background(cx, closing);
    Ok(true)
}

fn in_background(cx: &Context, closing: Closing) {
    let cx = cx.clone();
    cx.tasks.clone().spawn(async move { drive_and_log(&cx, closing).await });
}

/// Does the steps that are left; a failure is logged and left to the reconciler.
pub async fn drive_and_log(cx: &Context, closing: Closing) -> bool {
    let id = closing.ticket.key;
    match drive(cx, closing).await {
        Ok(done) => done,
        Err(error) => {
            warn!(ticket.id = %id, "the closing of ticket {id} will be tried again: {error:#}");
            false
        }
    }
}

/// A closing under way.
#[derive(Clone, Debug)]
pub struct Closing {
    /// The ticket, with its lease.
    ticket: Ticket,
    /// Whether a step may have run before without being noted.
    resumed: bool,
    /// Whether the channel is known to be gone.
    channel_gone: bool,
    /// When this process began or resumed it.
    since: Instant,
}

impl Closing {
    fn begun(ticket: Ticket) -> Self {
        Closing { ticket, resumed: false, channel_gone: false, since: Instant::now() }
    }

    /// A closing that another process left.
    #[must_use]
    pub fn resumed(ticket: Ticket) -> Self {
        Closing { resumed: true, ..Closing::begun(ticket) }
    }
}

/// Does the steps that are left. `false` when another process has taken the closing over.
async fn drive(cx: &Context, mut closing: Closing) -> anyhow::Result<bool> {
    loop {
        let id = closing.ticket.key;
        let done = closing.ticket.close_step.context("a closing has a step")?;
        let next = match done {
            CloseStep::Begun => {
                lock(cx, &mut closing).await.context("shut the opener out")?;
                CloseStep::Locked
            }
            CloseStep::Locked => {
                if !sweep(cx, &mut closing).await.context("sweep the messages")? {
                    return Ok(false);
                }
                CloseStep::Swept
            }
            CloseStep::Swept => {
                archive(cx, &closing).await.context("post the transcript")?;
                CloseStep::Archived
            }
            CloseStep::Archived => {
                remove(cx, &closing).await.context("delete the channel")?;
                CloseStep::Removed
            }
            CloseStep::Removed => {
                let closed = cx.db.tickets().set_closed(id).await?;
                if closed.is_some() {
                    cx.metrics.closed.inc();
                    info!(ticket.id = %id, "closed ticket {id}");
                }
                return Ok(closed.is_some());
            }
        };
        match cx.db.tickets().set_close_step(id, done, next, LEASE).await? {
            Some(ticket) => closing.ticket = ticket,
            None => return Ok(false),
        }
    }
}

fn channel_of(closing: &Closing) -> anyhow::Result<Id<ChannelMarker>> {
    closing.ticket.channel.context("a closing ticket has a channel")
}

async fn lock(cx: &Context, closing: &mut Closing) -> anyhow::Result<()> {
    if closing.channel_gone {
        return Ok(());
    }
    let channel = channel_of(closing)?;
    let overwrite = channel::locked_out(closing.ticket.opener);
    let request = cx.discord.requests().update_channel_permission(channel, &overwrite);
    if let Err(error) = cx.send(request).await {
        let id = closing.ticket.key;
        match failure(&error) {
            Failure::Gone => closing.channel_gone = true,
            Failure::Later => return Err(error.into()),
            _ => warn!(ticket.id = %id, "the opener of ticket {id} can still write: {error}"),
        }
    }
    Ok(())
}

/// Reads all messages of the channel, newest first, and completes what was captured. `false` when the lease is lost.
async fn sweep(cx: &Context, closing: &mut Closing) -> anyhow::Result<bool> {
    if closing.channel_gone {
        return Ok(true);
    }
    let (id, channel) = (closing.ticket.key, channel_of(closing)?);
    let mut found: Vec<Id<MessageMarker>> = Vec::new();
    loop {
        let path = match found.last() {
            None => format!("channels/{channel}/messages?limit={PAGE}"),
            Some(oldest) => format!("channels/{channel}/messages?limit={PAGE}&before={oldest}"),
        };
        let page: Vec<Incoming> = match cx.discord.get_json(&path).await {
            Ok(page) => page,
            Err(error) => match failure(&error) {
                Failure::Later => return Err(error.into()),
                Failure::Gone => {
                    closing.channel_gone = true;
                    return Ok(true);
                }
                _ => {
                    warn!(ticket.id = %id, "the transcript of ticket {id} has only what was captured: {error}");
                    return Ok(true);
                }
            },
        };
        let whole = page.len() == PAGE;
        let page: Vec<_> = page.into_iter().map(|message| message.captured(id.guild)).collect();
        found.extend(page.iter().map(|message| message.id));
        found.sort_unstable_by(|a, b| b.cmp(a));
        cx.db.messages().upsert_swept(id, &page).await?;
        if !whole {
            break;
        }
        match cx.db.tickets().extend_lease(&closing.ticket, LEASE).await? {
            Some(ticket) => closing.ticket = ticket,
            None => return Ok(false),
        }
    }
    cx.db.messages().mark_missing(id, &found, cx.clock.now()).await?;
    Ok(true)
}

/// Posts notice and transcript, once. Where the channel for them is gone or forbidden, the ticket is closed all the same:
/// its messages stay in the database.
async fn archive(cx: &Context, closing: &Closing) -> anyhow::Result<()> {
    let ticket = &closing.ticket;
    let id = ticket.key;
    let settings = cx.db.settings().by_guild(id.guild).await?;
    let Some(channel) = settings.transcript_channel else {
        info!(ticket.id = %id, "ticket {id} has no transcript channel");
        return Ok(());
    };
    let posted = async {
        if closing.resumed && is_posted(cx, ticket, channel).await? {
            return Ok(());
        }
        post(cx, ticket, channel).await
    };
    match posted.await {
        Ok(()) => Ok(()),
        Err(Unposted::Database(error)) => Err(error.into()),
        Err(Unposted::Discord(error)) if failure(&error) == Failure::Later => Err(error.into()),
        Err(Unposted::Discord(error)) => {
            warn!(ticket.id = %id, "ticket {id} is closed without its transcript being posted: {error}");
            Ok(())
        }
    }
}

enum Unposted {
    Discord(common::discord::Error),
    Database(database::Error),
}

async fn post(cx: &Context, ticket: &Ticket, channel: Id<ChannelMarker>) -> Result<(), Unposted> {
    let messages = cx.db.messages().list(ticket.key).await.map_err(Unposted::Database)?;
    let now = cx.clock.now();
    let embeds = [transcript::notice(ticket, messages.len(), now)];
    let file = transcript::render(ticket, &messages, now).into_bytes();
    let fits = file.len() <= LARGEST_FILE;
    let files = [Attachment::from_bytes(transcript::file_name(ticket), file, 1)];
    let too_large = text("notice-too-large").to_string();
    let mentions = AllowedMentions::default();
    let request = cx.discord.requests().create_message(channel).embeds(&embeds).allowed_mentions(Some(&mentions));
    let request = if fits { request.attachments(&files) } else { request.content(&too_large) };
    cx.send(request).await.map_err(Unposted::Discord)
}

/// Whether the notice is among the channel's latest messages already.
async fn is_posted(cx: &Context, ticket: &Ticket, channel: Id<ChannelMarker>) -> Result<bool, Unposted> {
    #[derive(Deserialize)]
    struct Found {
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

    let path = format!("channels/{channel}/messages?limit={PAGE}");
    let messages: Vec<Found> = cx.discord.get_json(&path).await.map_err(Unposted::Discord)?;
    let footer = transcript::footer(ticket);
    Ok(messages
        .iter()
        .filter(|message| message.author.id == cx.bot_user())
        .flat_map(|message| &message.embeds)
        .filter_map(|embed| embed.footer.as_ref())
        .any(|found| found.text == footer))
}

async fn remove(cx: &Context, closing: &Closing) -> anyhow::Result<()> {
    if closing.channel_gone {
        return Ok(());
    }
    sleep_until(closing.since + FAREWELL).await;
    let (id, channel) = (closing.ticket.key, channel_of(closing)?);
    let reason = format!("ticket {} was closed", id.number);
    let discord = cx.discord.with_reason(&reason);
    let deletion = discord.requests().delete_channel(channel);
    let error = match discord.call(deletion).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    match failure(&error) {
        Failure::Gone => return Ok(()),
        Failure::Forbidden => {
            error!(ticket.id = %id, "ticket {id} cannot be closed, its channel may not be deleted: {error}");
            if !closing.resumed {
                tell_staff(cx, channel).await;
            }
            cx.db.tickets().extend_lease(&closing.ticket, FORBIDDEN_LEASE).await?;
        }
        _ => {}
    }
    Err(error.into())
}

/// Says in the channel why it is still there.
async fn tell_staff(cx: &Context, channel: Id<ChannelMarker>) {
    let why = missing_permissions(None);
    let content = text("close-forbidden").with("why", why).to_string();
    let mentions = AllowedMentions::default();
    let request = cx.discord.requests().create_message(channel).content(&content).allowed_mentions(Some(&mentions));
    if let Err(error) = cx.send(request).await {
        warn!("the staff was not told about channel {channel}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[track_caller]
    fn check(user: u64, level: Level, expected: bool) {
        let actor = Actor { user: Id::new(user), level };
        assert_eq!(may_close(actor, &testing::ticket()).is_ok(), expected, "{actor:?}");
    }

    #[test]
    fn the_opener_and_the_staff_may_close_and_nobody_else() {
        check(7, Level::Everyone, true);
        check(8, Level::Everyone, false);
        check(8, Level::Support, true);
        check(8, Level::Admin, true);
    }

    #[test]
    fn only_an_open_ticket_is_asked_about() {
        let mut ticket = testing::ticket();
        assert!(must_be_open(&ticket).is_ok());
        for state in [TicketState::Opening, TicketState::Closing, TicketState::Closed, TicketState::Abandoned] {
            ticket.state = state;
            assert!(must_be_open(&ticket).is_err(), "{state}");
        }
    }
}
