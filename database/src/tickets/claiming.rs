//! Who takes care of a ticket.

use model::{Ticket, TicketEvent, TicketKey};
use twilight_model::id::{Id, marker::UserMarker};

use crate::{
    Error,
    convert::column,
    error::Attempt,
    inbox::Cause,
    tickets::{
        Tickets,
        change::{change_ticket_for, unless_spent},
    },
};

/// What [`Tickets::claim`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// It is theirs now.
    Claimed(Ticket),
    /// This click claimed it before.
    Repeated(Ticket),
    /// Somebody has it already, as `claimed_by` says: perhaps themselves.
    Taken(Ticket),
    /// It is not open (any more).
    NotOpen(Ticket),
}

impl Tickets<'_> {
    /// Gives an open ticket that nobody has to `user`, who asks for it by the click `cause`. Of two who race, one gets it.
    ///
    /// # Errors
    ///
    /// [`Error::NoTicket`], [`Error::Query`].
    pub async fn claim(
        &mut self,
        ticket: TicketKey,
        user: Id<UserMarker>,
        cause: &Cause,
    ) -> Result<ClaimOutcome, Error> {
        let changed = async {
            change_ticket_for!(
                Some(cause),
                "claimed_by = $7",
                "state = 'open' and claimed_by is null",
                ticket,
                Some(user),
                TicketEvent::Claimed { by: user },
                column(user),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await;
        if let Some(row) = unless_spent(changed).attempt("claim ticket", ticket)? {
            return Ok(ClaimOutcome::Claimed(row.into_ticket()?));
        }
        if let Some(ticket) = self.changed_by(ticket, cause).await? {
            return Ok(ClaimOutcome::Repeated(ticket));
        }
        let found = self.existing(ticket).await?;
        Ok(if found.state == model::TicketState::Open {
            ClaimOutcome::Taken(found)
        } else {
            ClaimOutcome::NotOpen(found)
        })
    }
}
