//! Interactions that http-gateway answered by "the answer comes later".

use event_stream::Failure;
use model::topics::LateInteraction;
use time::Duration;
use tracing::info;

use super::follow_up::finish;
use crate::{
    context::Context,
    dispatch::dispatch,
    interaction::{Interaction, Kind},
};

/// How long an interaction's token lives.
pub(super) const TOKEN_LIFE: Duration = Duration::minutes(15);

/// Does the work, or finds it done by the first coming of the same click, and edits the answer.
///
/// Idempotent: each verb recognises its own work, by the interaction's id or by the ticket's state.
///
/// # Errors
///
/// To be tried again while Discord does not take the answer.
pub async fn answer(cx: &Context, late: &LateInteraction) -> Result<(), Failure> {
    let interaction = Interaction::parse(&late.payload).map_err(Failure::discard)?;
    let id = interaction.id;
    if late.bot != cx.bot || interaction.application_id != cx.bot {
        return Err(Failure::discard(anyhow::anyhow!("interaction {id} is another bot's")));
    }
    if cx.clock.now() - late.received_at >= TOKEN_LIFE {
        info!(interaction.id = %id, "interaction {id} came too late");
        return Ok(());
    }
    if matches!(interaction.kind(), Kind::Autocomplete(_) | Kind::Ping) {
        return Ok(());
    }
    let reply = dispatch(cx, &interaction, "late").await;
    finish(cx, &interaction, reply).await.map_err(Failure::retry)
}
