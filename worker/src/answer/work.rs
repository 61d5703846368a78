//! The work on a click.

use std::sync::Arc;

use tracing::{Instrument, error, warn};

use crate::{context::Context, dispatch::attempt, interaction::Interaction, reply::Reply, text::text};

/// Does it in a task of its own, which goes on when nobody waits any more: a second coming of the click finds what this one did.
///
/// `None` where the database is away for a moment: the click is to come again as a late one.
pub(super) async fn work(cx: &Context, interaction: &Arc<Interaction>, way: &'static str) -> Option<Reply> {
    let id = interaction.id;
    let task = {
        let (cx, interaction) = (cx.clone(), Arc::clone(interaction));
        cx.tasks.clone().spawn(async move { attempt(&cx, &interaction, way).await }.in_current_span())
    };
    match task.await {
        Ok(Ok(reply)) => Some(reply),
        Ok(Err(failed)) if failed.is_transient() => {
            warn!(interaction.id = %id, "interaction {id} is put off: {:#}", anyhow::Error::from(failed));
            None
        }
        Ok(Err(failed)) => Some(failed.apology()),
        Err(panic) => {
            error!(interaction.id = %id, "the handler of interaction {id} panicked: {panic}");
            Some(Reply::text(&text("internal-error").with("id", id)))
        }
    }
}
