//! Opening a ticket: a slot in the database, a channel, a welcome, in this order.
//!
//! The row is `opening` until the welcome stands, and knows the channel as soon as Discord has told it. Whatever breaks in
//! between, the [reconciler](super::reconcile) finds the row when its lease ends, a channel that the row does not know by
//! the mark in its topic, and goes on from there.

use std::{collections::HashSet, time::Duration};

use common::discord;
use database::{NewTicket, OpenOutcome};
use model::{CustomId, GuildSettings, PanelId, Ticket, TicketEvent, TicketNumber, TicketState};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};
use twilight_model::{
    channel::message::{AllowedMentions, Component, component::ButtonStyle},
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, InteractionMarker, MessageMarker, UserMarker},
    },
};
use twilight_util::builder::embed::{EmbedBuilder, EmbedFieldBuilder};

use crate::{
    context::Context,
    error::{CommandError, missing_permissions},
    limits::{SUBJECT, cut},
    refused::{Failure, again_in, failure},
    reply::{Reply, button, row},
    text::{Text, text},
    tickets::{channel, lease, vanished},
};

/// For how long one process alone makes the channel; longer than [`MAKING`].
const LEASE: Duration = Duration::from_secs(40);

/// For how long it tries.
const MAKING: Duration = Duration::from_secs(30);

/// For how long the same click, delivered twice, waits for what the first one makes.
const WAITING: Duration = Duration::from_secs(20);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// A ticket that somebody asks for.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The guild that Discord signed the click for.
    pub guild: Id<GuildMarker>,
    /// Whom it is for.
    pub opener: Id<UserMarker>,
    /// From which panel.
    pub panel: Option<PanelId>,
    /// What it is about.
    pub subject: Option<String>,
    /// The click: the same one gets the same ticket.
    pub interaction: Id<InteractionMarker>,
    /// What the bot may do where it was clicked, to name what is missing.
    pub app_permissions: Option<Permissions>,
}

/// Why an opening has not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// It is given up; the slot is free.
    #[error("given up: {}", .0.as_str())]
    Abandoned(Cause),
    /// The reconciler will go on with it.
    #[error("put off")]
    PutOff(#[source] discord::Error),
    /// The database failed; the reconciler will go on with it.
    #[error(transparent)]
    Database(#[from] database::Error),
}

/// Why an opening was given up, as the ticket's log keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The bot lacks a permission.
    Permissions,
    /// The guild has as many channels as it can have.
    GuildFull,
    /// Somebody deleted the channel meanwhile.
    ChannelDeleted,
    /// Discord refused for another reason.
    Refused,
}

impl Cause {
    const ALL: [Cause; 4] = [Cause::Permissions, Cause::GuildFull, Cause::ChannelDeleted, Cause::Refused];

    /// The word in the ticket's log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Permissions => "permissions",
            Cause::GuildFull => "guild full",
            Cause::ChannelDeleted => "channel deleted",
            Cause::Refused => "refused by discord",
        }
    }

    fn text(self, app_permissions: Option<Permissions>) -> Text {
        match self {
            Cause::Permissions => missing_permissions(app_permissions),
            Cause::GuildFull => text("open-guild-full"),
            Cause::ChannelDeleted => text("open-channel-deleted"),
            Cause::Refused => text("open-refused"),
        }
    }
}

/// Opens a ticket.
///
/// # Errors
///
/// Refused at the limit, where Discord forbids it, and where it is not finished yet.
pub async fn open(cx: &Context, settings: &GuildSettings, opening: &Opening) -> Result<Ticket, CommandError> {
    let subject = opening.subject.as_deref().map(|subject| cut(subject.trim(), SUBJECT));
    let new = NewTicket {
        guild: opening.guild,
        bot: cx.bot,
        panel: opening.panel,
        opener: opening.opener,
        subject: subject.filter(|subject| !subject.is_empty()).map(str::to_owned),
        interaction: opening.interaction,
        limit: settings.ticket_limit,
        lease: LEASE,
    };
    let ticket = match begin(cx, &new).await {
        Ok(OpenOutcome::Begun(ticket)) => ticket,
        Ok(OpenOutcome::Existing(ticket)) => return settled(cx, ticket, opening).await,
        Ok(OpenOutcome::LimitReached { open }) => return Err(limit_reached(&open).into()),
        Err(database::Error::NoPanel { .. }) => return Err(text("refused-panel-gone").into()),
        Err(error) => return Err(error.into()),
    };
    let error = match make(cx, settings, &ticket).await {
        Ok(ticket) => return Ok(ticket),
        Err(Unfinished::Abandoned(cause)) => return Err(cause.text(opening.app_permissions).into()),
        Err(Unfinished::PutOff(error)) => {
            lease::shorten(cx, &ticket, again_in(&error)).await;
            anyhow::Error::from(error)
        }
        Err(Unfinished::Database(error)) => anyhow::Error::from(error),
    };
    let id = ticket.key;
    warn!(ticket.id = %id, "the opening of ticket {id} is put off: {error:#}");
    Err(text("open-put-off").into())
}

/// Takes the slot. At the limit, the tickets that hold the slots are held against Discord once: a channel whose deletion
/// nobody told us must not shut its opener out for ever.
async fn begin(cx: &Context, new: &NewTicket) -> Result<OpenOutcome, database::Error> {
    let outcome = cx.db.tickets().begin_opening(new).await?;
    let OpenOutcome::LimitReached { open } = &outcome else {
        return Ok(outcome);
    };
    // Impatient people press again while their ticket opens.
    let standing: Vec<_> = open.iter().filter_map(|ticket| vanished::standing(cx, ticket)).collect();
    // What the cache has is there, or was a moment ago; what it lacks may just have been made.
    if standing.is_empty() || cached(cx, new.guild, &standing).await {
        return Ok(outcome);
    }
    match channel::list(cx, new.guild).await {
        Ok(listed) => {
            let listed: HashSet<_> = listed.into_iter().map(|channel| channel.id).collect();
            if vanished::close_all(cx, open, &listed).await? > 0 {
                return cx.db.tickets().begin_opening(new).await;
            }
        }
        Err(error) => warn!("the channels of guild {} are not looked at: {error}", new.guild),
    }
    Ok(outcome)
}

/// Whether the cache has all of these channels.
async fn cached(cx: &Context, guild: Id<GuildMarker>, channels: &[Id<ChannelMarker>]) -> bool {
    let Some(known) = cx.cache.channels_if_known(guild).await else { return false };
    channels.iter().all(|channel| known.iter().any(|known| known.id == *channel))
}

/// The answer to whoever opened a ticket.
///
/// # Errors
///
/// Refused when the ticket was closed since.
pub fn reply(ticket: &Ticket) -> Result<Reply, CommandError> {
    match (ticket.state, ticket.channel) {
        (TicketState::Open, Some(channel)) => {
            Ok(Reply::text(&text("open-done").with("channel", format_args!("<#{channel}>"))))
        }
        _ => Err(text("open-closed-since").into()),
    }
}

/// Makes what an `opening` ticket still lacks: the channel and the welcome.
///
/// # Errors
///
/// [`Unfinished`].
pub async fn make(cx: &Context, settings: &GuildSettings, ticket: &Ticket) -> Result<Ticket, Unfinished> {
    let making = async {
        let channel = match ticket.channel {
            Some(channel) => channel,
            None => {
                let made = create_channel(cx, settings, ticket).await?;
                let noted = note_channel(cx, ticket, made).await?;
                let (TicketState::Opening, Some(channel)) = (noted.state, noted.channel) else {
                    return Ok(Err(noted));
                };
                channel
            }
        };
        let standing = if ticket.channel.is_some() { find_welcome(cx, ticket, channel).await? } else { None };
        let welcome = match standing {
            Some(welcome) => Some(welcome),
            None => send_welcome(cx, ticket, channel).await?,
        };
        Ok(Ok(welcome))
    };
    let overdue = discord::Error::Deadline { route: "the opening of a ticket".to_owned(), sent: true };
    let outcome = timeout(MAKING, making).await.unwrap_or(Err(Stuck::Later(overdue)));
    let outcome = match outcome {
        Ok(Ok(welcome)) => cx.db.tickets().set_open(ticket.key, welcome).await,
        Ok(Err(settled)) => return as_settled(settled),
        Err(Stuck::Later(error)) => return Err(Unfinished::PutOff(error)),
        Err(Stuck::Database(error)) => return Err(Unfinished::Database(error)),
        Err(Stuck::Never(cause, error)) => {
            let (id, error) = (ticket.key, anyhow::Error::from(error));
            warn!(ticket.id = %id, "ticket {id} cannot be opened ({}): {error:#}", cause.as_str());
            return abandon(cx, ticket, cause).await;
        }
    };
    match outcome {
        Ok(ticket) => {
            cx.metrics.opened.inc();
            info!(ticket.id = %ticket.key, "opened ticket {}", ticket.key);
            Ok(ticket)
        }
        // Abandoned or closed meanwhile: its channel was deleted.
        Err(error @ database::Error::State { .. }) => match cx.db.tickets().by_number(ticket.key).await? {
            Some(found) if found.state != TicketState::Opening => as_settled(found),
            _ => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Gives an opening up, and its channel back.
///
/// # Errors
///
/// [`Unfinished::Abandoned`], unless another process has finished the opening; [`Unfinished::Database`].
pub async fn abandon(cx: &Context, ticket: &Ticket, cause: Cause) -> Result<Ticket, Unfinished> {
    match cx.db.tickets().set_abandoned(ticket.key, cause.as_str()).await {
        Ok(abandoned) => {
            if let Some(channel) = abandoned.channel.filter(|_| cause != Cause::ChannelDeleted) {
                give_back(cx, ticket, channel).await;
            }
            Err(Unfinished::Abandoned(cause))
        }
        Err(error @ database::Error::State { .. }) => match cx.db.tickets().by_number(ticket.key).await? {
            Some(found) => as_settled(found),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// A ticket that another process brought to its end, or beyond.
fn as_settled(found: Ticket) -> Result<Ticket, Unfinished> {
    match found.state {
        TicketState::Abandoned => Err(Unfinished::Abandoned(Cause::ChannelDeleted)),
        _ => Ok(found),
    }
}

/// Notes a channel that was made for a ticket. Where the ticket has another one or needs none, this one is given back.
///
/// # Errors
///
/// As the database fails.
pub async fn note_channel(
    cx: &Context,
    ticket: &Ticket,
    channel: Id<ChannelMarker>,
) -> Result<Ticket, database::Error> {
    let noted = cx.db.tickets().set_channel(ticket.key, channel).await?;
    if noted.channel != Some(channel) {
        give_back(cx, ticket, channel).await;
    }
    Ok(noted)
}

/// A call that did not go well.
enum Stuck {
    Never(Cause, discord::Error),
    Later(discord::Error),
    Database(database::Error),
}

impl From<database::Error> for Stuck {
    fn from(error: database::Error) -> Self {
        Stuck::Database(error)
    }
}

fn stuck(error: discord::Error) -> Stuck {
    match failure(&error) {
        undecided if undecided.is_undecided() => Stuck::Later(error),
        Failure::Forbidden => Stuck::Never(Cause::Permissions, error),
        Failure::GuildFull => Stuck::Never(Cause::GuildFull, error),
        _ => Stuck::Never(Cause::Refused, error),
    }
}

/// Makes the channel: without the category where that is full or gone, without the staff where their role is gone.
async fn create_channel(cx: &Context, settings: &GuildSettings, ticket: &Ticket) -> Result<Id<ChannelMarker>, Stuck> {
    let mut settings = settings.clone();
    loop {
        let error = match channel::create(cx, &settings, ticket).await {
            Ok(channel) => return Ok(channel),
            Err(error) => error,
        };
        let id = ticket.key;
        match failure(&error) {
            Failure::Category if settings.category.take().is_some() => {
                warn!(ticket.id = %id, "ticket {id} stands outside its category: {error}");
            }
            Failure::Overwrite if settings.staff_role.take().is_some() => {
                warn!(ticket.id = %id, "ticket {id} is without its staff role: {error}");
            }
            _ => return Err(stuck(error)),
        }
    }
}

async fn send_welcome(
    cx: &Context,
    ticket: &Ticket,
    channel: Id<ChannelMarker>,
) -> Result<Option<Id<MessageMarker>>, Stuck> {
    let content = text("welcome-content").with("opener", format_args!("<@{}>", ticket.opener));
    let content = content.to_string();
    let mut embed = EmbedBuilder::new()
        .title(text("welcome-title").with("number", ticket.key.number).to_string())
        .description(text("welcome-body").to_string());
    if let Some(subject) = &ticket.subject {
        embed = embed.field(EmbedFieldBuilder::new(text("welcome-subject").to_string(), subject));
    }
    let embeds = [embed.build()];
    let components = [controls(ticket.key.number, false)];
    let mentions = AllowedMentions { users: vec![ticket.opener], ..AllowedMentions::default() };
    let request = cx
        .discord
        .requests()
        .create_message(channel)
        .content(&content)
        .embeds(&embeds)
        .components(&components)
        .allowed_mentions(Some(&mentions));
    match cx.create(request).await {
        Ok(message) => Ok(Some(message)),
        Err(error) => match failure(&error) {
            undecided if undecided.is_undecided() => Err(Stuck::Later(error)),
            Failure::Gone => Err(Stuck::Never(Cause::ChannelDeleted, error)),
            _ => {
                let id = ticket.key;
                warn!(ticket.id = %id, "ticket {id} opens without its welcome: {error}");
                Ok(None)
            }
        },
    }
}

/// The buttons of the welcome.
#[must_use]
pub fn controls(number: TicketNumber, claimed: bool) -> Component {
    let claim = if claimed { text("claimed-label") } else { text("claim-label") };
    row(vec![
        button(ButtonStyle::Danger, &text("close-label"), CustomId::Close(number), false),
        button(ButtonStyle::Secondary, &claim, CustomId::Claim(number), claimed),
    ])
}

/// Looks for the welcome among the first messages of a channel that was found again.
async fn find_welcome(
    cx: &Context,
    ticket: &Ticket,
    channel: Id<ChannelMarker>,
) -> Result<Option<Id<MessageMarker>>, Stuck> {
    #[derive(Deserialize)]
    struct Found {
        id: Id<MessageMarker>,
        author: Author,
        #[serde(default)]
        components: Value,
    }
    #[derive(Deserialize)]
    struct Author {
        id: Id<UserMarker>,
    }

    // Every message of a channel has an id above the channel's own.
    let path = format!("channels/{channel}/messages?limit=50&after={channel}");
    let messages: Vec<Found> = match cx.discord.get_json(&path).await {
        Ok(messages) => messages,
        Err(error) if failure(&error) == Failure::Gone => {
            return Err(Stuck::Never(Cause::ChannelDeleted, error));
        }
        Err(error) => return Err(stuck(error)),
    };
    let close = format!("\"{}\"", CustomId::Close(ticket.key.number));
    Ok(messages
        .into_iter()
        .find(|message| message.author.id == cx.bot_user() && message.components.to_string().contains(&close))
        .map(|message| message.id))
}

/// Deletes a channel that was made for a ticket which has another one or was given up.
pub async fn give_back(cx: &Context, ticket: &Ticket, channel: Id<ChannelMarker>) {
    if let Err(error) = channel::delete(cx, channel, "this ticket has another channel").await
        && failure(&error) != Failure::Gone
    {
        let id = ticket.key;
        warn!(ticket.id = %id, "channel {channel} is one too many for ticket {id}: {error}");
    }
}

/// What became of a ticket that the same click began before.
async fn settled(cx: &Context, mut ticket: Ticket, opening: &Opening) -> Result<Ticket, CommandError> {
    let deadline = Instant::now() + WAITING;
    while ticket.state == TicketState::Opening {
        if Instant::now() >= deadline {
            return Err(text("open-put-off").into());
        }
        if ticket.leased_until.is_some_and(|until| until <= cx.clock.now()) {
            cx.wake.notify_one();
        }
        sleep(LOOK).await;
        match cx.db.tickets().by_number(ticket.key).await? {
            Some(found) => ticket = found,
            None => return Err(text("open-refused").into()),
        }
    }
    if ticket.state != TicketState::Abandoned {
        return Ok(ticket);
    }
    let events = cx.db.events().list(ticket.key).await?;
    let cause = events.iter().rev().find_map(|recorded| match &recorded.event {
        TicketEvent::Abandoned { reason } => Cause::ALL.into_iter().find(|cause| cause.as_str() == reason),
        _ => None,
    });
    Err(cause.unwrap_or(Cause::Refused).text(opening.app_permissions).into())
}

fn limit_reached(open: &[Ticket]) -> Text {
    let links: Vec<String> =
        open.iter().filter_map(|ticket| ticket.channel).map(|channel| format!("<#{channel}>")).collect();
    if links.is_empty() {
        text("open-limit-being-made")
    } else {
        text("open-limit").with("count", open.len()).with("tickets", links.join(", "))
    }
}
