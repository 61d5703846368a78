//! A message was deleted: marked, its text stays.

use event_stream::Failure;
use model::topics::GatewayEvent;
use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, MessageMarker},
};

use super::{decode, failed};
use crate::context::Context;

#[derive(Deserialize)]
struct Deleted {
    id: Id<MessageMarker>,
    channel_id: Id<ChannelMarker>,
    guild_id: Option<Id<GuildMarker>>,
}

/// Idempotent: the first mark stays.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let deleted: Deleted = decode(event)?;
    let Some(guild) = deleted.guild_id else {
        return Ok(());
    };
    let marked =
        cx.db.messages().mark_deleted(cx.bot, guild, deleted.channel_id, &[deleted.id], event.received_at).await;
    marked.map(drop).map_err(failed)
}
