//! Gateway events: which are handled, and how each is read.
//!
//! Every handler is idempotent: an event that comes again leaves what it left the first time.

mod channel_create;
mod channel_delete;
mod guild_create;
mod interaction_create;
mod message_create;
mod message_delete;
mod message_delete_bulk;
mod message_update;

use event_stream::Failure;
use futures_util::{FutureExt, future::BoxFuture};
use model::topics::GatewayEvent;
use serde::Deserialize;

use crate::{context::Context, interaction::Unreadable};

/// All events that are handled; every other is passed over without being decoded.
pub static ALL: &[Handler] = &[
    Handler { kind: "MESSAGE_CREATE", run: |cx, event| message_create::handle(cx, event).boxed() },
    Handler { kind: "MESSAGE_UPDATE", run: |cx, event| message_update::handle(cx, event).boxed() },
    Handler { kind: "MESSAGE_DELETE", run: |cx, event| message_delete::handle(cx, event).boxed() },
    Handler { kind: "MESSAGE_DELETE_BULK", run: |cx, event| message_delete_bulk::handle(cx, event).boxed() },
    Handler { kind: "CHANNEL_CREATE", run: |cx, event| channel_create::handle(cx, event).boxed() },
    Handler { kind: "CHANNEL_DELETE", run: |cx, event| channel_delete::handle(cx, event).boxed() },
    Handler { kind: "GUILD_CREATE", run: |cx, event| guild_create::handle(cx, event).boxed() },
    Handler { kind: "INTERACTION_CREATE", run: |cx, event| interaction_create::handle(cx, event).boxed() },
];

/// What is done with one type of event.
pub struct Handler {
    /// Its type.
    pub kind: &'static str,
    /// What is done. `false` when it is none of ours.
    run: for<'a> fn(&'a Context, &'a GatewayEvent) -> BoxFuture<'a, Result<bool, Failure>>,
}

/// Handles an event.
///
/// # Errors
///
/// As its handler says: to be tried again, or a dead letter.
pub async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let Some(handler) = ALL.iter().find(|handler| handler.kind == event.kind) else {
        cx.metrics.events.with_label_values(&["other", "passed over"]).inc();
        return Ok(());
    };
    let result = if event.bot == cx.bot { (handler.run)(cx, event).await } else { Ok(false) };
    let label = match &result {
        Ok(true) => "handled",
        Ok(false) => "not ours",
        Err(_) => "failed",
    };
    cx.metrics.events.with_label_values(&[handler.kind, label]).inc();
    result.map(drop)
}

/// Reads what the frame `{"op","s","t","d"}` carries.
fn decode<'a, T: Deserialize<'a>>(event: &'a GatewayEvent) -> Result<T, Failure> {
    #[derive(Deserialize)]
    struct Frame<T> {
        d: T,
    }
    serde_json::from_slice::<Frame<T>>(&event.payload)
        .map(|frame| frame.d)
        .map_err(|error| Failure::discard(Unreadable::new(&error)))
}

/// The database may be back soon; what it refuses for good is a dead letter.
fn failed(error: database::Error) -> Failure {
    if error.is_transient() { Failure::wait(error) } else { Failure::discard(error) }
}
