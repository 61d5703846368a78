//! Interactions that http-gateway forwards.

use std::{sync::Arc, time::Instant};

use time::OffsetDateTime;
use tracing::error;
use twilight_model::http::interaction::InteractionResponse;

use super::follow_up::finish_or_log;
use crate::{
    context::Context,
    dispatch::{dispatch, find},
    interaction::{Interaction, Kind},
    reply::{Reply, deferred, pong},
    text::text,
};

/// The answer, for the response's body.
///
/// The work goes on in a task of its own when the connection breaks: http-gateway gives up after 2 s, hands the click to
/// Kafka, and its second coming finds what this one did.
pub async fn answer(cx: &Context, interaction: Interaction, received_at: OffsetDateTime) -> InteractionResponse {
    let began = Instant::now();
    let before = (cx.clock.now() - received_at).max(time::Duration::ZERO);
    let interaction = Arc::new(interaction);
    let response = respond(cx, &interaction).await;
    let elapsed = before.as_seconds_f64() + began.elapsed().as_secs_f64();
    let kind = interaction.kind().as_str();
    cx.metrics.ack_ms.with_label_values(&[kind]).observe(elapsed * 1_000.0);
    response
}

async fn respond(cx: &Context, interaction: &Arc<Interaction>) -> InteractionResponse {
    if interaction.kind() == Kind::Ping {
        return pong();
    }
    let defers = find(interaction).is_some_and(|found| found.defers());
    let work = {
        let (cx, interaction) = (cx.clone(), Arc::clone(interaction));
        async move {
            let reply = dispatch(&cx, &interaction, "http").await;
            if !defers {
                return Some(reply);
            }
            finish_or_log(&cx, &interaction, reply).await;
            None
        }
    };
    let task = cx.tasks.spawn(work);
    if defers {
        return deferred();
    }
    match task.await {
        Ok(Some(reply)) => reply.into_response(),
        Ok(None) => deferred(),
        Err(panic) => {
            let id = interaction.id;
            error!(interaction.id = %id, "the handler of interaction {id} panicked: {panic}");
            Reply::text(&text("internal-error").with("id", id)).into_response()
        }
    }
}
