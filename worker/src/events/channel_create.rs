//! A channel was made: where it carries the mark of a ticket, the ticket gets it or it is given back.

use event_stream::Failure;
use model::topics::GatewayEvent;
use time::Duration;

use super::{decode, failed};
use crate::{
    context::Context,
    tickets::{channel::Listed, open, snowflake},
};

/// For how long after an opening a channel with its mark is ours: who copies a ticket's channel by hand copies the mark.
const OURS: Duration = Duration::minutes(10);

/// Idempotent: the first channel that is noted stays, whether by this event or by whoever made it.
///
/// This is how a channel is found that Discord made after an unclear answer, and after the reconciler had looked.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let created: Listed = decode(event)?;
    let (Some(guild), Some(mark)) = (created.guild_id, created.mark()) else {
        return Ok(());
    };
    let ticket = cx.db.tickets().by_nonce(guild, mark).await.map_err(failed)?;
    let Some(ticket) = ticket.filter(|ticket| ticket.bot == cx.bot) else {
        return Ok(());
    };
    if created.id > snowflake::first_id(ticket.opened_at + OURS) {
        return Ok(());
    }
    open::note_channel(cx, &ticket, created.id).await.map_err(failed)?;
    Ok(())
}
