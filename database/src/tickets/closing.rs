//! From the decision to close to a closed ticket.

use std::time::Duration;

use model::{CloseStep, Ticket, TicketEvent, TicketKey, TicketState};
use twilight_model::id::{Id, marker::UserMarker};

use crate::{
    Error,
    convert::{column_opt, text},
    error::Attempt,
    inbox::Cause,
    tickets::{
        Tickets,
        change::{change_ticket, change_ticket_for, unless_spent},
        row::TicketRow,
    },
};

/// What [`Tickets::begin_closing`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseOutcome {
    /// The caller does the closing.
    Begun(Ticket),
    /// This click or event began it before.
    Repeated(Ticket),
    /// Another closing is under way or done, or the ticket was abandoned.
    Already(Ticket),
    /// Its channel is still being made.
    StillOpening(Ticket),
}

impl Tickets<'_> {
    /// `open → closing` at step `begun`, leased to the caller for `lease`, for the click or event `cause` where there is one.
    /// Of two who race, one begins.
    ///
    /// # Errors
    ///
    /// [`Error::NoTicket`], [`Error::Query`].
    pub async fn begin_closing(
        &mut self,
        ticket: TicketKey,
        by: Option<Id<UserMarker>>,
        reason: Option<&str>,
        lease: Duration,
        cause: Option<&Cause>,
    ) -> Result<CloseOutcome, Error> {
        let reason = reason.map(text);
        let event = TicketEvent::CloseBegun { by, reason: reason.as_deref().map(str::to_owned) };
        let changed = async {
            change_ticket_for!(
                cause,
                "state = 'closing', close_step = 'begun', closed_by = $7, close_reason = $8,
                leased_until = clock_timestamp() + make_interval(secs => $9)",
                "state = 'open'",
                ticket,
                by,
                event,
                column_opt(by),
                reason.as_deref(),
                lease.as_secs_f64(),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await;
        if let Some(row) = unless_spent(changed).attempt("begin to close ticket", ticket)? {
            return Ok(CloseOutcome::Begun(row.into_ticket()?));
        }
        if let Some(cause) = cause
            && let Some(ticket) = self.changed_by(ticket, cause).await?
        {
            return Ok(CloseOutcome::Repeated(ticket));
        }
        let found = self.existing(ticket).await?;
        Ok(if found.state == TicketState::Opening {
            CloseOutcome::StillOpening(found)
        } else {
            CloseOutcome::Already(found)
        })
    }

    /// Notes that a closing came from step `from` to a later step `to`, and leases it anew.
    ///
    /// `None` when it is not at `from`: another process has taken the closing on, and the caller stops.
    ///
    /// # Errors
    ///
    /// [`Error::StepBack`] unless `to` is later than `from`, [`Error::NoTicket`], [`Error::Query`].
    pub async fn set_close_step(
        &mut self,
        ticket: TicketKey,
        from: CloseStep,
        to: CloseStep,
        lease: Duration,
    ) -> Result<Option<Ticket>, Error> {
        if to <= from {
            return Err(Error::StepBack { ticket, from, to });
        }
        let changed = async {
            change_ticket!(
                "close_step = $5, leased_until = clock_timestamp() + make_interval(secs => $6)",
                "state = 'closing' and close_step = $7",
                ticket,
                None,
                TicketEvent::CloseStepDone { step: to },
                to.as_str(),
                lease.as_secs_f64(),
                from.as_str(),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the close step of ticket", ticket)?;
        match changed {
            Some(row) => Ok(Some(row.into_ticket()?)),
            None => self.existing(ticket).await.map(|_| None),
        }
    }

    /// Notes why Discord refuses a step of the closing that `held` shows, and leases it anew.
    ///
    /// `None` when it is not held any more: another process finishes the ticket.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn hold_up_closing(
        &mut self,
        held: &Ticket,
        reason: &str,
        lease: Duration,
    ) -> Result<Option<Ticket>, Error> {
        let event = TicketEvent::CloseHeldUp { reason: text(reason).into_owned() };
        async {
            change_ticket!(
                "leased_until = clock_timestamp() + make_interval(secs => $5)",
                "state = 'closing' and leased_until = $6",
                held.key,
                None,
                event,
                lease.as_secs_f64(),
                held.leased_until,
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("hold up the closing of ticket", held.key)?
        .map(TicketRow::into_ticket)
        .transpose()
    }

    /// `closing` at its last step `→ closed`.
    ///
    /// `None` when it is closed already or not at its last step.
    ///
    /// # Errors
    ///
    /// [`Error::NoTicket`], [`Error::Query`].
    pub async fn set_closed(&mut self, ticket: TicketKey) -> Result<Option<Ticket>, Error> {
        let changed = async {
            change_ticket!(
                "state = 'closed', closed_at = clock_timestamp(), leased_until = null",
                "state = 'closing' and close_step = 'removed'",
                ticket,
                None,
                TicketEvent::Closed,
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set closed ticket", ticket)?;
        match changed {
            Some(row) => Ok(Some(row.into_ticket()?)),
            None => self.existing(ticket).await.map(|_| None),
        }
    }
}
