//! A message was written: kept where its channel is a ticket's.

use event_stream::Failure;
use model::topics::GatewayEvent;

use super::{decode, failed};
use crate::{context::Context, tickets::capture::Incoming};

/// Idempotent: a message is stored once, and an older one does not replace a newer.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let message: Incoming = decode(event)?;
    let Some(guild) = message.guild_id else {
        return Ok(());
    };
    let message = message.captured(guild);
    cx.db.messages().upsert(cx.bot, &message).await.map(drop).map_err(failed)
}
