//! The one way to change a ticket: the change, its new version and its event are one statement.

use model::{Ticket, TicketEvent, TicketKey, TicketState};
use sqlx::{PgConnection, types::Json};
use twilight_model::id::{Id, marker::GuildMarker};

use crate::{
    Error,
    convert::column,
    error::{Attempt, broke},
    inbox::{Cause, SPENT},
    tickets::{
        Tickets,
        row::{TicketRow, query_tickets},
    },
};

/// `query_as!` of the ticket `$1`/`$2` that sets `$set` where `$only_if` holds, and records event `$4` of actor `$3`.
/// Further arguments are `$5` onwards. No row comes back where nothing was changed.
///
/// Two that race take the row's lock in turn, and the second sees the condition as the first left it.
macro_rules! change_ticket {
    ($set:tt, $only_if:tt, $key:expr, $actor:expr, $event:expr $(, $arg:expr)* $(,)?) => {
        $crate::tickets::row::query_tickets!(
            ["with changed as (
                update tickets
                set version = version + 1, " + $set + "
                where guild_id = $1 and number = $2 and " + $only_if + "
                returning *
            ), recorded as (
                insert into ticket_events (guild_id, number, version, actor_id, payload)
                select guild_id, number, version, $3::bigint, $4::jsonb from changed
            )"],
            "from changed",
            $crate::convert::column($key.guild),
            $key.number.0,
            $crate::convert::column_opt::<twilight_model::id::marker::UserMarker>($actor),
            $crate::tickets::change::payload($event) as _
            $(, $arg)*
        )
    };
}
pub(super) use change_ticket;

/// As [`change_ticket`], for `$cause`: an optional click or event, which has no second effect and whose bot must be the
/// ticket's. Further arguments are `$7` onwards. A cause that had another effect breaks [`SPENT`](crate::inbox::SPENT).
macro_rules! change_ticket_for {
    ($cause:expr, $set:tt, $only_if:tt, $key:expr, $actor:expr, $event:expr $(, $arg:expr)* $(,)?) => {
        $crate::tickets::row::query_tickets!(
            ["with changed as (
                update tickets
                set version = version + 1, " + $set + "
                where guild_id = $1 and number = $2 and " + $only_if + " and ($5::bigint is null or bot_id = $5)
                returning *
            ), recorded as (
                insert into ticket_events (guild_id, number, version, actor_id, payload)
                select guild_id, number, version, $3::bigint, $4::jsonb from changed
            ), noted as (
                insert into inbox (bot_id, cause, guild_id, number, version)
                select bot_id, $6, guild_id, number, version from changed where $6::text is not null
            )"],
            "from changed",
            $crate::convert::column($key.guild),
            $key.number.0,
            $crate::convert::column_opt::<twilight_model::id::marker::UserMarker>($actor),
            $crate::tickets::change::payload($event) as _,
            $cause.map(|cause| $crate::convert::column(cause.bot)),
            $cause.map(|cause| cause.name.as_str())
            $(, $arg)*
        )
    };
}
pub(super) use change_ticket_for;

pub(super) fn payload(event: TicketEvent) -> Json<TicketEvent> {
    Json(event)
}

/// A change that was made, or was not because the ticket is not as it must be, or because of its cause.
pub(super) fn unless_spent(changed: Result<Option<TicketRow>, sqlx::Error>) -> Result<Option<TicketRow>, sqlx::Error> {
    match changed {
        Err(error) if broke(&error, SPENT) => Ok(None),
        changed => changed,
    }
}

impl Tickets<'_> {
    /// The ticket, where this very click or event has changed it before.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn changed_by(&mut self, ticket: TicketKey, cause: &Cause) -> Result<Option<Ticket>, Error> {
        let changed = self.by_cause(ticket.guild, cause).await?;
        Ok(changed.filter(|changed| changed.key == ticket))
    }

    /// The ticket of the guild that this click or event has opened or changed.
    pub(super) async fn by_cause(&mut self, guild: Id<GuildMarker>, cause: &Cause) -> Result<Option<Ticket>, Error> {
        let found = async { by_cause(&mut *self.0.connection().await?, guild, cause).await }.await;
        found.attempt("read the ticket of", cause)?.map(TicketRow::into_ticket).transpose()
    }

    /// The ticket, or the error that it does not exist.
    pub(super) async fn existing(&mut self, ticket: TicketKey) -> Result<Ticket, Error> {
        self.by_number(ticket).await?.ok_or(Error::NoTicket(ticket))
    }

    /// Why a change found no row to change.
    pub(super) async fn refusal(&mut self, ticket: TicketKey, wanted: TicketState) -> Error {
        match self.existing(ticket).await {
            Ok(Ticket { state: found, .. }) => Error::State { ticket, wanted, found },
            Err(error) => error,
        }
    }
}

/// The ticket of the guild that this click or event has opened or changed.
pub(super) async fn by_cause(
    connection: &mut PgConnection,
    guild: Id<GuildMarker>,
    cause: &Cause,
) -> Result<Option<TicketRow>, sqlx::Error> {
    query_tickets!(
        [""],
        "from tickets
        where guild_id = $1
            and number = (select number from inbox where bot_id = $2 and cause = $3 and guild_id = $1)",
        column(guild),
        column(cause.bot),
        cause.name,
    )
    .fetch_optional(connection)
    .await
}
