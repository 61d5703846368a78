//! The one way to change a ticket: the change, its new version and its event are one statement.

use model::{Ticket, TicketEvent, TicketKey, TicketState};
use sqlx::types::Json;

use crate::{Error, tickets::Tickets};

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

pub(super) fn payload(event: TicketEvent) -> Json<TicketEvent> {
    Json(event)
}

impl Tickets<'_> {
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
