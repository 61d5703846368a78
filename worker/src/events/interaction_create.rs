//! Somebody used a command, pressed a button or submitted a form, and no HTTP endpoint is set for the bot.

use event_stream::Failure;
use model::topics::GatewayEvent;

use super::decode;
use crate::{answer, context::Context, interaction::Interaction};

/// Idempotent: see [`answer::gateway::answer`].
pub(super) async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let interaction: Interaction = decode(event)?;
    answer::gateway::answer(cx, interaction, event).await
}
