//! A message was edited: the last edit is kept.

use event_stream::Failure;
use model::topics::GatewayEvent;

use super::{decode, failed};
use crate::{context::Context, tickets::capture::Edit};

/// Idempotent: the edit carries the whole new text, and an older one changes nothing.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let edit: Edit = decode(event)?;
    let Some(guild) = edit.guild_id else {
        return Ok(());
    };
    let edit = edit.kept(guild);
    cx.db.messages().mark_edited(cx.bot, &edit).await.map(drop).map_err(failed)
}
