//! Table `tickets`: every change of a ticket, and how tickets are found.

mod change;
mod claiming;
mod closing;
mod leases;
mod opening;
mod reading;
mod row;

pub use self::{
    claiming::ClaimOutcome,
    closing::CloseOutcome,
    opening::{NewTicket, OpenOutcome},
};

use crate::connection::Source;

/// Tickets. A ticket is named by guild and number: another guild's ticket is not found and not changed.
#[derive(Debug)]
pub struct Tickets<'a>(pub(crate) Source<'a>);
