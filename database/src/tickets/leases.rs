//! Who finishes an opening or closing. A lease is bookkeeping, not a change of the ticket: it has no event.

use std::time::Duration;

use model::Ticket;
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::{
    Error,
    convert::column,
    error::Attempt,
    tickets::{
        Tickets,
        row::{TicketRow, query_tickets},
    },
};

impl Tickets<'_> {
    /// Takes over up to `limit` openings and closings of a bot whose lease ended, longest ended first.
    ///
    /// Reads all guilds of the bot, as nothing else here does: it is for the reconciler. Rows that another reconciler is
    /// just taking are passed over, so two never get the same one.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn lease_stuck(
        &mut self,
        bot: Id<ApplicationMarker>,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Ticket>, Error> {
        let rows = async {
            query_tickets!(
                ["with stuck as (
                    select guild_id, number
                    from tickets
                    where bot_id = $1 and leased_until <= statement_timestamp()
                    order by leased_until
                    limit $2
                    for update skip locked
                ), leased as (
                    update tickets
                    set leased_until = clock_timestamp() + make_interval(secs => $3)
                    from stuck
                    where tickets.guild_id = stuck.guild_id and tickets.number = stuck.number
                    returning tickets.*
                )"],
                "from leased order by leased_until, guild_id, number",
                column(bot),
                i64::from(limit),
                lease.as_secs_f64(),
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("lease the stuck tickets of bot", bot)?;
        TicketRow::into_tickets(rows)
    }

    /// Extends the lease that `held` shows. `None` when it is not held any more: another process finishes the ticket.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn extend_lease(&mut self, held: &Ticket, lease: Duration) -> Result<Option<Ticket>, Error> {
        async {
            query_tickets!(
                ["with leased as (
                    update tickets
                    set leased_until = clock_timestamp() + make_interval(secs => $4)
                    where guild_id = $1 and number = $2 and leased_until = $3
                    returning *
                )"],
                "from leased",
                column(held.key.guild),
                held.key.number.0,
                held.leased_until,
                lease.as_secs_f64(),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("extend the lease of ticket", held.key)?
        .map(TicketRow::into_ticket)
        .transpose()
    }

    /// Ends the lease that `held` shows, so that a reconciler takes the ticket on at once. `false` when it is not held any
    /// more.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn release_lease(&mut self, held: &Ticket) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                update tickets
                set leased_until = clock_timestamp()
                where guild_id = $1 and number = $2 and leased_until = $3
                "#,
                column(held.key.guild),
                held.key.number.0,
                held.leased_until,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("release the lease of ticket", held.key)?;
        Ok(done.rows_affected() == 1)
    }
}
