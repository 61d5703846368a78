//! A channel was deleted: where it was an open ticket's, the ticket is closed and its slot free.

use event_stream::Failure;
use model::topics::GatewayEvent;
use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker},
};

use super::{decode, failed};
use crate::{context::Context, tickets::close};

#[derive(Deserialize)]
struct Deleted {
    id: Id<ChannelMarker>,
    guild_id: Option<Id<GuildMarker>>,
}

/// Idempotent: a closing begins once, also where we deleted the channel ourselves.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<bool, Failure> {
    let deleted: Deleted = decode(event)?;
    let Some(guild) = deleted.guild_id else {
        return Ok(false);
    };
    let ticket = cx.db.tickets().by_channel(guild, deleted.id).await.map_err(failed)?;
    match ticket.filter(|ticket| ticket.bot == cx.bot) {
        Some(ticket) => close::close_deleted(cx, &ticket).await.map_err(failed),
        None => Ok(false),
    }
}
