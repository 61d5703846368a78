//! From a click to a ticket with a channel.

use std::time::Duration;

use model::{PanelId, Ticket, TicketEvent, TicketKey, TicketState};
use sqlx::{Connection, PgConnection};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, InteractionMarker, MessageMarker, UserMarker},
};

use crate::{
    Error,
    convert::{column, column_opt, text},
    error::{Attempt, broke},
    inbox::{Cause, SPENT},
    tickets::{
        Tickets,
        change::{by_cause, change_ticket, payload},
        row::{TicketRow, query_tickets},
    },
};

/// A ticket that a click asks for.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// The guild that Discord signed the click for.
    pub guild: Id<GuildMarker>,
    /// The bot that was clicked.
    pub bot: Id<ApplicationMarker>,
    /// The panel that it is opened from; must be one of `guild`.
    pub panel: Option<PanelId>,
    /// Whom it is for.
    pub opener: Id<UserMarker>,
    /// What it is about.
    pub subject: Option<String>,
    /// The click. The same click gets the same ticket.
    pub interaction: Id<InteractionMarker>,
    /// How many open tickets `opener` may have, this one included.
    pub limit: u8,
    /// For how long the caller alone makes the channel.
    pub lease: Duration,
}

/// What [`Tickets::begin_opening`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenOutcome {
    /// A slot and a number are taken; the caller makes the channel.
    Begun(Ticket),
    /// This click opened that ticket before.
    Existing(Ticket),
    /// The member has as many open tickets as allowed: these, oldest first.
    LimitReached {
        /// The tickets that count against the limit.
        open: Vec<Ticket>,
    },
}

impl Tickets<'_> {
    /// Takes a slot against the limit and the guild's next number, all in one transaction.
    ///
    /// The lock on the guild's counter puts all openings of the guild in a row, and slots are counted by a statement that
    /// begins when the lock is held: two members, workers or clicks that race never exceed the limit together, and a
    /// number is used up only by a ticket that is there.
    ///
    /// # Errors
    ///
    /// [`Error::NoPanel`] when the panel is not of this guild, [`Error::Spent`], [`Error::Query`].
    pub async fn begin_opening(&mut self, new: &NewTicket) -> Result<OpenOutcome, Error> {
        let mut connection = self.0.connection().await.attempt(OPEN, new.guild)?;
        let mut tx = connection.begin().await.attempt(OPEN, new.guild)?;
        let outcome = take_slot(&mut tx, new).await;
        let ended = match outcome {
            Ok(OpenOutcome::Begun(_)) => tx.commit().await,
            // Now and not when the connection is next used: others wait for the lock.
            _ => tx.rollback().await,
        };
        let outcome = outcome?;
        ended.attempt(OPEN, new.guild)?;
        Ok(outcome)
    }

    /// Notes the channel of an `opening` ticket, and gives the ticket as it is afterwards.
    ///
    /// The first one noted stays. Where the ticket has another channel, or none and is not `opening` any more, the caller's
    /// channel is one too many.
    ///
    /// # Errors
    ///
    /// [`Error::ChannelTaken`], [`Error::NoTicket`], [`Error::Query`].
    pub async fn set_channel(&mut self, ticket: TicketKey, channel: Id<ChannelMarker>) -> Result<Ticket, Error> {
        let changed = async {
            change_ticket!(
                "channel_id = $5",
                "state = 'opening' and channel_id is null",
                ticket,
                None,
                TicketEvent::ChannelMade { channel },
                column(channel),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await;
        match changed {
            Ok(Some(row)) => row.into_ticket(),
            Ok(None) => self.existing(ticket).await,
            Err(error) if broke(&error, "tickets_channel") => Err(Error::ChannelTaken { ticket, channel }),
            Err(error) => Err(error).attempt("set the channel of ticket", ticket),
        }
    }

    /// `opening → open`: its channel is noted, and its welcome stands or was refused. An open ticket is left as it is.
    ///
    /// # Errors
    ///
    /// [`Error::State`] when the ticket was abandoned or closed meanwhile, or has no channel; [`Error::NoTicket`],
    /// [`Error::Query`].
    pub async fn set_open(
        &mut self,
        ticket: TicketKey,
        welcome_message: Option<Id<MessageMarker>>,
    ) -> Result<Ticket, Error> {
        let changed = async {
            change_ticket!(
                "state = 'open', welcome_message_id = $5, leased_until = null",
                "state = 'opening' and channel_id is not null",
                ticket,
                None,
                TicketEvent::Welcomed { message: welcome_message },
                column_opt(welcome_message),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set open ticket", ticket)?;
        if let Some(row) = changed {
            return row.into_ticket();
        }
        let found = self.existing(ticket).await?;
        match found.state {
            TicketState::Open => Ok(found),
            found => Err(Error::State { ticket, wanted: TicketState::Opening, found }),
        }
    }

    /// `opening → abandoned`: its channel cannot be made; the slot is free again, the number stays used.
    ///
    /// # Errors
    ///
    /// [`Error::State`], [`Error::NoTicket`], [`Error::Query`].
    pub async fn set_abandoned(&mut self, ticket: TicketKey, reason: &str) -> Result<Ticket, Error> {
        let event = TicketEvent::Abandoned { reason: text(reason).into_owned() };
        let changed = async {
            change_ticket!(
                "state = 'abandoned', closed_at = clock_timestamp(), leased_until = null",
                "state = 'opening'",
                ticket,
                None,
                event,
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("abandon ticket", ticket)?;
        match changed {
            Some(row) => row.into_ticket(),
            None => Err(self.refusal(ticket, TicketState::Opening).await),
        }
    }
}

const OPEN: &str = "open a ticket in guild";

/// The opening's transaction, except for its end.
async fn take_slot(tx: &mut PgConnection, new: &NewTicket) -> Result<OpenOutcome, Error> {
    lock_counter(tx, new.guild).await.attempt(OPEN, new.guild)?;
    let cause = Cause::click(new.bot, new.interaction);
    if let Some(row) = by_cause(tx, new.guild, &cause).await.attempt(OPEN, new.guild)? {
        return Ok(OpenOutcome::Existing(row.into_ticket()?));
    }
    let rows = query_tickets!(
        [""],
        "from tickets
        where guild_id = $1 and opener_id = $2
            and (state in ('opening', 'open') or (state = 'closing' and close_step = 'begun'))
        order by number",
        column(new.guild),
        column(new.opener),
    )
    .fetch_all(&mut *tx)
    .await
    .attempt(OPEN, new.guild)?;
    let open = TicketRow::into_tickets(rows)?;
    if open.len() >= usize::from(new.limit) {
        return Ok(OpenOutcome::LimitReached { open });
    }
    match (insert(tx, new, &cause).await, new.panel) {
        (Err(error), Some(panel)) if broke(&error, "tickets_panel_of_guild") => {
            Err(Error::NoPanel { guild: new.guild, panel })
        }
        (Err(error), _) if broke(&error, SPENT) => Err(Error::Spent { cause }),
        (inserted, _) => {
            let row = inserted.attempt(OPEN, new.guild)?;
            Ok(OpenOutcome::Begun(row.into_ticket()?))
        }
    }
}

/// Counts up and inserts the ticket of that number with its event.
async fn insert(tx: &mut PgConnection, new: &NewTicket, cause: &Cause) -> Result<TicketRow, sqlx::Error> {
    let event =
        TicketEvent::Opened { bot: new.bot, opener: new.opener, panel: new.panel, interaction: new.interaction };
    let subject = new.subject.as_deref().map(text);
    query_tickets!(
        ["with counted as (
            update ticket_counters set last_number = last_number + 1 where guild_id = $1 returning last_number
        ), opened as (
            insert into tickets (guild_id, number, bot_id, panel_id, opener_id, leased_until, subject)
            select $1, last_number, $2, $3, $4, clock_timestamp() + make_interval(secs => $6), $8 from counted
            returning *
        ), recorded as (
            insert into ticket_events (guild_id, number, version, actor_id, payload)
            select guild_id, number, version, $4, $7 from opened
        ), noted as (
            insert into inbox (bot_id, cause, guild_id, number, version)
            select bot_id, $5, guild_id, number, version from opened
        )"],
        "from opened",
        column(new.guild),
        column(new.bot),
        new.panel.map(|panel| panel.0),
        column(new.opener),
        cause.name,
        new.lease.as_secs_f64(),
        payload(event) as _,
        subject.as_deref(),
    )
    .fetch_one(tx)
    .await
}

/// Locks the guild's counter until the end of the transaction; makes it for the guild's first ticket.
async fn lock_counter(tx: &mut PgConnection, guild: Id<GuildMarker>) -> Result<(), sqlx::Error> {
    loop {
        let locked = sqlx::query_scalar!(
            "select last_number from ticket_counters where guild_id = $1 for update",
            column(guild),
        )
        .fetch_optional(&mut *tx)
        .await?;
        if locked.is_some() {
            return Ok(());
        }
        sqlx::query!(
            "insert into ticket_counters (guild_id) values ($1) on conflict (guild_id) do nothing",
            column(guild),
        )
        .execute(&mut *tx)
        .await?;
    }
}
