//! Gateway events: which are handled, and how each is read.
//!
//! Every handler is idempotent: an event that comes again leaves what it left the first time. Messages are kept by their
//! ids, marks and channels where there are none yet, and a channel's deletion closes its ticket once, by its row in the
//! inbox; a click is one click by whichever way it comes. `GUILD_CREATE` may close many tickets, each once.

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
    /// What is done.
    run: for<'a> fn(&'a Context, &'a GatewayEvent) -> BoxFuture<'a, Result<(), Failure>>,
}

/// Handles an event.
///
/// # Errors
///
/// As its handler says: to be tried again, or a dead letter.
pub async fn handle(cx: &Context, event: &GatewayEvent) -> Result<(), Failure> {
    let Some(handler) = ALL.iter().find(|handler| handler.kind == event.kind) else {
        return Ok(());
    };
    if event.bot == cx.bot { (handler.run)(cx, event).await } else { Ok(()) }
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

/// What an effect of the event is for: it comes again after a crash, or replayed from the dead letters.
fn cause(event: &GatewayEvent) -> database::Cause {
    database::Cause::event(event.bot, &event.session, event.sequence)
}

/// The database may be back soon; what no repetition cures is a dead letter at once, and all else after some attempts.
fn failed(error: database::Error) -> Failure {
    if error.is_transient() {
        Failure::wait(error)
    } else if error.is_for_good() {
        Failure::discard(error)
    } else {
        Failure::retry(error)
    }
}

#[cfg(test)]
mod tests {
    use event_stream::{Kind, Priority};
    use model::{TicketKey, TicketNumber, TicketState};
    use twilight_model::id::Id;

    use super::*;

    #[track_caller]
    fn check(error: database::Error, then: &str) {
        let failure = format!("{:?}", failed(error));
        assert!(failure.starts_with(&format!("Failure {{ then: {then}")), "{failure}");
    }

    #[tokio::test]
    async fn what_the_database_refuses_is_tried_again_unless_no_repetition_cures_it() {
        let config = database::DatabaseConfig { uri: "postgres://tickets@127.0.0.1:1/tickets".into(), threads: 1 };
        check(database::Database::connect(&config).await.unwrap_err(), "Wait");
        let ticket = TicketKey { guild: Id::new(5), number: TicketNumber(1) };
        check(database::Error::ChannelTaken { ticket, channel: Id::new(6) }, "Discard");
        check(database::Error::State { ticket, wanted: TicketState::Open, found: TicketState::Closing }, "Retry");
    }

    #[test]
    fn what_is_handled_comes_before_what_nobody_handles() {
        for handler in ALL {
            let kind = Kind::of_event(handler.kind);
            assert_eq!(kind.name, handler.kind);
            // Thousands of these come at once.
            assert!(kind.priority > Priority::Bulk || handler.kind == "GUILD_CREATE", "{}", handler.kind);
        }
    }
}
