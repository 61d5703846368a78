//! Tickets whose channel is gone, though no event told us.

use std::collections::HashSet;

use model::{Ticket, TicketState};
use twilight_model::id::{Id, marker::ChannelMarker};

use crate::{
    context::Context,
    tickets::{channel, close},
};

/// Closes those of the tickets whose channel is not among `listed`, and says how many those were.
///
/// The list may be older than the ticket, or leave out what the bot does not see: Discord is asked for each channel that
/// is not in it.
///
/// # Errors
///
/// As the database fails.
pub async fn close_all(
    cx: &Context,
    tickets: &[Ticket],
    listed: &HashSet<Id<ChannelMarker>>,
) -> Result<usize, database::Error> {
    let mut closed = 0;
    for ticket in tickets {
        let Some(channel) = standing(cx, ticket).filter(|channel| !listed.contains(channel)) else {
            continue;
        };
        if channel::is_gone(cx, channel).await && close::close_deleted(cx, ticket, None).await? {
            closed += 1;
        }
    }
    Ok(closed)
}

/// The channel that a ticket should have. One that opens or closes is the reconciler's.
#[must_use]
pub fn standing(cx: &Context, ticket: &Ticket) -> Option<Id<ChannelMarker>> {
    ticket.channel.filter(|_| ticket.bot == cx.bot && ticket.state == TicketState::Open)
}
