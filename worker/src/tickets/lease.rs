//! How long a ticket that Discord left undecided rests.

use std::time::Duration;

use model::Ticket;
use tracing::warn;

use crate::context::Context;

/// Lets the reconciler go on after `pause`, where there is one, and not at the lease's end.
pub(super) async fn shorten(cx: &Context, held: &Ticket, pause: Option<Duration>) {
    let Some(pause) = pause else { return };
    let id = held.key;
    if let Err(error) = cx.db.tickets().extend_lease(held, pause).await {
        warn!(ticket.id = %id, "the lease of ticket {id} stays long: {error}");
    }
}
