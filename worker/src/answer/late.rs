//! Interactions that were answered by "the answer comes later".

use common::discord;
use event_stream::Failure;
use model::topics::LateInteraction;
use time::Duration;
use tracing::info;

use super::follow_up::finish;
use crate::{
    context::Context,
    dispatch::attempt,
    interaction::{Interaction, Kind},
    refused::{self, failure},
};

/// How long an interaction's token lives.
pub(super) const TOKEN_LIFE: Duration = Duration::minutes(15);

/// While the database is away a click waits until so long after its receipt; then its person is told. The consumer pauses for
/// 30 s at most, so a try falls into the last minute.
const LAST_TRY: Duration = Duration::minutes(14);

/// Does the work, or finds it done by the first coming of the same click, and edits the answer.
///
/// Idempotent: each verb recognises its own work, by the interaction's id or by the ticket's state.
///
/// # Errors
///
/// To be tried again while the database is away, until the token's last minute, and while Discord does not take the answer.
/// Not again where Discord refuses it for good.
pub async fn answer(cx: &Context, late: &LateInteraction) -> Result<(), Failure> {
    // Its own worker answers it.
    if late.bot != cx.bot {
        return Ok(());
    }
    let interaction = Interaction::parse(&late.payload).map_err(Failure::discard)?;
    let id = interaction.id;
    if interaction.application_id != cx.bot {
        return Err(Failure::discard(anyhow::anyhow!("interaction {id} is another bot's")));
    }
    let age = cx.clock.now() - late.received_at;
    if age >= TOKEN_LIFE {
        info!(interaction.id = %id, "interaction {id} came too late");
        return Ok(());
    }
    if matches!(interaction.kind(), Kind::Autocomplete(_) | Kind::Ping) {
        return Ok(());
    }
    let reply = match attempt(cx, &interaction, "late").await {
        Ok(reply) => reply,
        Err(failed) if failed.is_transient() && age < LAST_TRY => return Err(Failure::wait(failed)),
        Err(failed) => failed.apology(),
    };
    finish(cx, &interaction, reply).await.map_err(not_taken)
}

fn not_taken(error: discord::Error) -> Failure {
    match failure(&error) {
        refused::Failure::Refused | refused::Failure::Forbidden => Failure::discard(error),
        _ => Failure::retry(error),
    }
}
