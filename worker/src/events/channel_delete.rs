//! A channel was deleted: where it was a ticket's, the ticket is closed or given up and its slot free.

use event_stream::Failure;
use model::{TicketState, topics::GatewayEvent};
use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker},
};

use super::{cause, decode, failed};
use crate::{
    context::Context,
    tickets::{
        close,
        open::{self, Cause, Unfinished},
    },
};

#[derive(Deserialize)]
struct Deleted {
    id: Id<ChannelMarker>,
    guild_id: Option<Id<GuildMarker>>,
}

/// Idempotent: a closing begins once, also where we deleted the channel ourselves.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let deleted: Deleted = decode(event)?;
    let Some(guild) = deleted.guild_id else {
        return Ok(());
    };
    let ticket = cx.db.tickets().by_channel(guild, deleted.id).await.map_err(failed)?;
    let Some(ticket) = ticket.filter(|ticket| ticket.bot == cx.bot) else {
        return Ok(());
    };
    if ticket.state != TicketState::Opening {
        return close::close_deleted(cx, &ticket, Some(&cause(event))).await.map(drop).map_err(failed);
    }
    match open::abandon(cx, &ticket, Cause::ChannelDeleted).await {
        // The welcome was faster: it is an open ticket now.
        Ok(ticket) => close::close_deleted(cx, &ticket, Some(&cause(event))).await.map(drop).map_err(failed),
        Err(Unfinished::Database(error)) => Err(failed(error)),
        Err(_) => Ok(()),
    }
}
