//! Interactions that http-gateway forwards.

use std::{sync::Arc, time::Instant};

use time::OffsetDateTime;
use twilight_model::http::interaction::InteractionResponse;

use super::work::work;
use crate::{
    context::Context,
    dispatch::find,
    interaction::{Interaction, Kind},
    reply::pong,
};

/// The answer, for the response's body.
///
/// `None` where the click has to wait: http-gateway keeps it on Kafka and then says "the answer comes later", so that no
/// click lives in this process alone. What is slow without having said so goes on: http-gateway gives up after 2 s, keeps
/// the click likewise, and its second coming finds what the first did.
pub async fn answer(
    cx: &Context,
    interaction: Interaction,
    received_at: OffsetDateTime,
) -> Option<InteractionResponse> {
    let began = Instant::now();
    let before = (cx.clock.now() - received_at).max(time::Duration::ZERO);
    let interaction = Arc::new(interaction);
    let response = respond(cx, &interaction).await?;
    cx.metrics.acknowledged(interaction.kind(), before.unsigned_abs() + began.elapsed());
    Some(response)
}

async fn respond(cx: &Context, interaction: &Arc<Interaction>) -> Option<InteractionResponse> {
    if interaction.kind() == Kind::Ping {
        return Some(pong());
    }
    if find(interaction).is_some_and(|found| found.defers()) {
        return None;
    }
    work(cx, interaction, "http").await.map(crate::reply::Reply::into_response)
}
