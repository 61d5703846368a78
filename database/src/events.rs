//! Table `ticket_events`. Its rows are written by the changes of `tickets` alone.

use model::{RecordedEvent, TicketEvent, TicketKey};
use sqlx::types::Json;

use crate::{
    Error,
    connection::Source,
    convert::{column, id_opt},
    error::Attempt,
};

/// The log of tickets' changes.
#[derive(Debug)]
pub struct Events<'a>(pub(crate) Source<'a>);

impl Events<'_> {
    /// All that happened to a ticket, oldest first; empty where the guild has no such ticket.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn list(&mut self, ticket: TicketKey) -> Result<Vec<RecordedEvent>, Error> {
        async {
            sqlx::query!(
                r#"
                select version, actor_id, at, payload as "payload: Json<TicketEvent>"
                from ticket_events
                where guild_id = $1 and number = $2
                order by version
                "#,
                column(ticket.guild),
                ticket.number.0,
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the events of ticket", ticket)?
        .into_iter()
        .map(|row| {
            Ok(RecordedEvent {
                ticket,
                version: row.version,
                actor: id_opt(row.actor_id, "actor_id", format_args!("an event of ticket {ticket}"))?,
                at: row.at,
                event: row.payload.0,
            })
        })
        .collect()
    }
}
