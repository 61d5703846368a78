//! Closing a ticket, step by step: channel locked → messages swept → transcript posted → channel deleted → closed.
//!
//! Each step that is done is noted in the row, and the note renews the lease. A step may run twice, never half: after a
//! crash the [reconciler](super::reconcile) goes on behind the last note.

use std::time::Duration;

use anyhow::Context as _;
use common::discord;
use database::{Cause, CloseOutcome};
use model::{CloseStep, Level, Ticket, TicketEvent, TicketState};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};
use twilight_model::{
    channel::message::AllowedMentions,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker},
    },
};

use crate::{
    action::Actor,
    context::Context,
    error::{CommandError, missing_permissions},
    limits::{REASON, cut},
    refused::{Failure, again_in, failure},
    text::{Text, text},
    tickets::{
        archive, channel, lease, snowflake,
        sweep::{self, PAGE, Swept},
    },
};

/// For how long one process alone does the next step.
pub const LEASE: Duration = Duration::from_secs(60);

/// After how long a closing that Discord refuses is tried again, the longer the older it is: each try counts as an
/// invalid request.
const PAUSES: (time::Duration, time::Duration) = (time::Duration::minutes(10), time::Duration::hours(6));

/// After how long a closing does without what Discord refuses.
const GIVE_UP: time::Duration = time::Duration::days(1);

/// How long the channel stays at least, so that "Closing ticket…" still finds it.
const FAREWELL: Duration = Duration::from_millis(500);

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

/// Begins to close a ticket, as `cause` asks for; the steps are done in the background.
///
/// # Errors
///
/// Refused for those who may not, and when somebody else closes it already.
pub async fn close(
    cx: &Context,
    actor: Actor,
    ticket: &Ticket,
    reason: Option<&str>,
    cause: &Cause,
) -> Result<(), CommandError> {
    may_close(actor, ticket)?;
    let reason = reason.map(|reason| cut(reason.trim(), REASON)).filter(|reason| !reason.is_empty());
    let by = Some(actor.user);
    match cx.db.tickets().begin_closing(ticket.key, by, reason, LEASE, Some(cause)).await? {
        CloseOutcome::Begun(ticket) => {
            info!(ticket.id = %ticket.key, "closing ticket {}", ticket.key);
            in_background(cx, Closing::begun(ticket));
            Ok(())
        }
        CloseOutcome::Repeated(_) => Ok(()),
        CloseOutcome::Already(_) => Err(text("close-already").into()),
        CloseOutcome::StillOpening(_) => Err(text("close-still-opening").into()),
    }
}

/// Closes a ticket whose channel somebody deleted, as the event `cause` tells where one does. `false` when it is no open
/// ticket's: also when we deleted it.
///
/// An event that comes again goes on where the first coming broke off.
///
/// # Errors
///
/// When the database fails.
pub async fn close_deleted(cx: &Context, ticket: &Ticket, cause: Option<&Cause>) -> Result<bool, database::Error> {
    let reason = text("close-channel-deleted").to_string();
    let outcome = cx.db.tickets().begin_closing(ticket.key, None, Some(&reason), LEASE, cause).await?;
    let (CloseOutcome::Begun(ticket) | CloseOutcome::Repeated(ticket)) = outcome else {
        return Ok(false);
    };
    info!(ticket.id = %ticket.key, "the channel of ticket {} was deleted", ticket.key);
    // Nobody can write there any more: the slot is free now and not when the background comes to it.
    let locked = cx.db.tickets().set_close_step(ticket.key, CloseStep::Begun, CloseStep::Locked, LEASE).await?;
    if let Some(ticket) = locked {
        in_background(cx, Closing { channel_gone: true, ..Closing::begun(ticket) });
    }
    Ok(true)
}

fn in_background(cx: &Context, closing: Closing) {
    let cx = cx.clone();
    cx.tasks.clone().spawn(async move { drive_and_log(&cx, closing).await });
}

/// Does the steps that are left; a failure is logged and left to the reconciler.
pub async fn drive_and_log(cx: &Context, mut closing: Closing) -> bool {
    let id = closing.ticket.key;
    match drive(cx, &mut closing).await {
        Ok(done) => done,
        Err(error) => {
            // Where it is to rest for longer the lease was changed already, and stays as it is.
            let of_discord = error.chain().find_map(|cause| cause.downcast_ref::<discord::Error>());
            let pause = of_discord.and_then(again_in);
            lease::shorten(cx, &closing.ticket, pause).await;
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
    /// The newest message that the transcript has, where this process has posted it, or swept the channel for it.
    newest: Option<Id<MessageMarker>>,
    /// When this process began or resumed it.
    since: Instant,
}

impl Closing {
    fn begun(ticket: Ticket) -> Self {
        Closing { ticket, resumed: false, channel_gone: false, newest: None, since: Instant::now() }
    }

    /// A closing that another process left.
    #[must_use]
    pub fn resumed(ticket: Ticket) -> Self {
        Closing { resumed: true, ..Closing::begun(ticket) }
    }
}

/// What a step came to.
enum Outcome {
    Done,
    /// Another process has the closing.
    Lost,
    /// Discord refuses it.
    Refused(discord::Error),
}

/// Does the steps that are left. `false` when another process has taken the closing over.
async fn drive(cx: &Context, closing: &mut Closing) -> anyhow::Result<bool> {
    loop {
        let id = closing.ticket.key;
        let done = closing.ticket.close_step.context("a closing has a step")?;
        let (next, attempt, outcome) = match done {
            CloseStep::Begun => (CloseStep::Locked, "shut the opener out", lock(cx, closing).await),
            CloseStep::Locked => (CloseStep::Swept, "sweep the messages", sweep(cx, closing).await),
            CloseStep::Swept => (CloseStep::Archived, "post the transcript", archive(cx, closing).await),
            CloseStep::Archived => (CloseStep::Removed, "delete the channel", remove(cx, closing).await),
            CloseStep::Removed => {
                let closed = cx.db.tickets().set_closed(id).await?;
                if closed.is_some() {
                    cx.metrics.closed.inc();
                    info!(ticket.id = %id, "closed ticket {id}");
                }
                return Ok(closed.is_some());
            }
        };
        match outcome.context(attempt)? {
            Outcome::Done => {}
            Outcome::Lost => return Ok(false),
            Outcome::Refused(error) if failure(&error).is_undecided() => {
                return Err(error).context(attempt);
            }
            Outcome::Refused(error) => {
                if held_up(cx, closing, done, &error).await? {
                    return Err(error).context(attempt);
                }
            }
        }
        match cx.db.tickets().set_close_step(id, done, next, LEASE).await? {
            Some(ticket) => closing.ticket = ticket,
            None => return Ok(false),
        }
    }
}

fn channel_of(closing: &Closing) -> anyhow::Result<Id<ChannelMarker>> {
    closing.ticket.channel.context("a closing ticket has a channel")
}

/// Shuts out whoever could write, in one request: what is written behind the sweep's back is in no transcript. An opener
/// who cannot be shut out stops nothing: before the channel is deleted it is looked at once more.
async fn lock(cx: &Context, closing: &mut Closing) -> anyhow::Result<Outcome> {
    if closing.channel_gone {
        return Ok(Outcome::Done);
    }
    let (id, channel) = (closing.ticket.key, channel_of(closing)?);
    let mut settings = cx.db.settings().by_guild(id.guild).await?;
    loop {
        let overwrites = channel::locked(&settings, cx.bot_user());
        let request = cx.discord.requests().update_channel(channel).permission_overwrites(&overwrites);
        let Err(error) = cx.send(request).await else {
            return Ok(Outcome::Done);
        };
        match failure(&error) {
            Failure::Overwrite if settings.staff_role.take().is_some() => {}
            Failure::Gone => {
                closing.channel_gone = true;
                return Ok(Outcome::Done);
            }
            undecided if undecided.is_undecided() => return Ok(Outcome::Refused(error)),
            _ => {
                warn!(ticket.id = %id, "the opener of ticket {id} can still write: {error}");
                return Ok(Outcome::Done);
            }
        }
    }
}

async fn sweep(cx: &Context, closing: &mut Closing) -> anyhow::Result<Outcome> {
    if closing.channel_gone {
        return Ok(Outcome::Done);
    }
    let channel = channel_of(closing)?;
    Ok(match sweep::whole(cx, &mut closing.ticket, channel).await? {
        Swept::Whole(newest) => {
            // An empty channel is searched from its beginning: every message has an id above the channel's own.
            closing.newest = newest.or(Some(channel.cast()));
            Outcome::Done
        }
        Swept::Lost => Outcome::Lost,
        Swept::Refused(error) if failure(&error) == Failure::Gone => {
            closing.channel_gone = true;
            Outcome::Done
        }
        Swept::Refused(error) => Outcome::Refused(error),
    })
}

async fn archive(cx: &Context, closing: &mut Closing) -> anyhow::Result<Outcome> {
    let since = if closing.resumed { Some(History::read(cx, &closing.ticket).await?.begun_at) } else { None };
    let newest = archive::post(cx, &closing.ticket, since).await?;
    closing.newest = newest.or(closing.newest);
    Ok(Outcome::Done)
}

async fn remove(cx: &Context, closing: &mut Closing) -> anyhow::Result<Outcome> {
    if closing.channel_gone {
        return Ok(Outcome::Done);
    }
    sleep_until(closing.since + FAREWELL).await;
    let (id, channel) = (closing.ticket.key, channel_of(closing)?);
    let removed = match look_again(cx, closing, channel).await? {
        Ok(()) => channel::delete(cx, channel, &format!("ticket {} was closed", id.number)).await,
        Err(error) => Err(error),
    };
    Ok(match removed {
        Err(error) if failure(&error) != Failure::Gone => Outcome::Refused(error),
        _ => Outcome::Done,
    })
}

/// Keeps what was written behind the sweep: administrators and other bots write where nobody else can.
async fn look_again(
    cx: &Context,
    closing: &Closing,
    channel: Id<ChannelMarker>,
) -> anyhow::Result<Result<(), discord::Error>> {
    let ticket = &closing.ticket;
    let mut newest = match closing.newest {
        Some(newest) => newest,
        None => snowflake::first_id(History::read(cx, ticket).await?.swept_at),
    };
    let mut late = Vec::new();
    loop {
        let page = match sweep::page(cx, ticket, channel, &format!("&after={newest}")).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        cx.db.messages().upsert_swept(ticket.key, &page.messages).await?;
        late.extend(page.messages.into_iter().filter(|message| message.author != cx.bot_user()));
        match page.ids.iter().max() {
            Some(last) if page.ids.len() == PAGE => newest = *last,
            _ => break,
        }
    }
    if !late.is_empty() {
        late.sort_unstable_by_key(|message| message.id);
        let settings = cx.db.settings().by_guild(ticket.key.guild).await?;
        archive::post_late(cx, &settings, ticket, &late).await?;
    }
    Ok(Ok(()))
}

/// What a closing's log says.
struct History {
    begun_at: OffsetDateTime,
    swept_at: OffsetDateTime,
    held_up: bool,
}

impl History {
    async fn read(cx: &Context, ticket: &Ticket) -> Result<History, database::Error> {
        let (mut begun_at, mut swept_at, mut held_up) = (ticket.opened_at, None, false);
        for recorded in cx.db.events().list(ticket.key).await? {
            match recorded.event {
                TicketEvent::CloseBegun { .. } => begun_at = recorded.at,
                TicketEvent::CloseStepDone { step } if step <= CloseStep::Swept => swept_at = Some(recorded.at),
                TicketEvent::CloseHeldUp { .. } => held_up = true,
                _ => {}
            }
        }
        Ok(History { begun_at, swept_at: swept_at.unwrap_or(begun_at), held_up })
    }
}

/// Whether the closing waits for what Discord refuses: for a day, told once in the channel. After that it does without.
async fn held_up(cx: &Context, closing: &Closing, done: CloseStep, error: &discord::Error) -> anyhow::Result<bool> {
    let (ticket, channel) = (&closing.ticket, channel_of(closing)?);
    let id = ticket.key;
    let history = History::read(cx, ticket).await?;
    let age = cx.clock.now() - history.begun_at;
    let removes = done == CloseStep::Archived;
    if age >= GIVE_UP {
        error!(ticket.id = %id, "the closing of ticket {id} does without what discord refuses behind {done}: {error}");
        if removes {
            let settings = cx.db.settings().by_guild(id.guild).await?;
            let content =
                text("close-given-up").with("number", id.number).with("channel", format_args!("<#{channel}>"));
            if let Some(transcripts) = settings.transcript_channel {
                say(cx, transcripts, &content).await;
            }
        }
        return Ok(false);
    }
    let pause = age.clamp(PAUSES.0, PAUSES.1).unsigned_abs();
    if history.held_up {
        cx.db.tickets().extend_lease(ticket, pause).await?;
    } else if cx.db.tickets().hold_up_closing(ticket, &error.to_string(), pause).await?.is_some() {
        error!(ticket.id = %id, "the closing of ticket {id} is held up behind {done}: {error}");
        let what = if removes { text("close-held-up-delete") } else { text("close-held-up-read") };
        say(cx, channel, &text("close-held-up").with("what", what).with("why", missing_permissions(None))).await;
    }
    Ok(true)
}

/// Says something to the staff, if that can be said.
async fn say(cx: &Context, channel: Id<ChannelMarker>, content: &Text) {
    let content = content.to_string();
    let mentions = AllowedMentions::default();
    let request = cx.discord.requests().create_message(channel).content(&content).allowed_mentions(Some(&mentions));
    if let Err(error) = cx.send(request).await {
        warn!("the staff was not told in channel {channel}: {error}");
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
