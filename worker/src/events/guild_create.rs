//! The bot sees a guild (again): tickets whose channel was deleted in between are closed.

use std::collections::HashSet;

use event_stream::Failure;
use model::topics::GatewayEvent;
use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker},
};

use super::{decode, failed};
use crate::{context::Context, tickets::vanished};

#[derive(Deserialize)]
struct Created {
    id: Id<GuildMarker>,
    #[serde(default)]
    unavailable: bool,
    /// Of an unavailable guild Discord tells none.
    #[serde(default)]
    channels: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: Id<ChannelMarker>,
}

/// Idempotent: a closing begins once.
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let created: Created = decode(event)?;
    if created.unavailable {
        return Ok(());
    }
    let live = cx.db.tickets().list_live(created.id).await.map_err(failed)?;
    let listed: HashSet<_> = created.channels.into_iter().map(|channel| channel.id).collect();
    vanished::close_all(cx, &live, &listed).await.map(drop).map_err(failed)
}
