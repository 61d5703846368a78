//! Many messages were deleted at once: marked, their texts stay.

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
    ids: Vec<Id<MessageMarker>>,
    channel_id: Id<ChannelMarker>,
    guild_id: Option<Id<GuildMarker>>,
}

/// Idempotent: the first marks stay.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let deleted: Deleted = decode(event)?;
    let Some(guild) = deleted.guild_id else {
        return Ok(());
    };
    let marked =
        cx.db.messages().mark_deleted(cx.bot, guild, deleted.channel_id, &deleted.ids, event.received_at).await;
    marked.map(drop).map_err(failed)
}
