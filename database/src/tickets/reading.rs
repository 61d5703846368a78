//! How tickets are found.

use model::{Ticket, TicketKey};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, UserMarker},
};
use uuid::Uuid;

use crate::{
    Error,
    convert::{column, text},
    error::Attempt,
    tickets::{
        Tickets,
        row::{TicketRow, query_tickets},
    },
};

/// From how many of a guild's newest tickets the frequent reasons are taken: what was usual years ago is no help, and
/// the query stays short in a guild with a million tickets.
const REASONS_FROM: i64 = 1_000;

/// How many choices Discord shows.
const REASONS: i64 = 25;

impl Tickets<'_> {
    /// The guild's ticket with this number, in any state.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn by_number(&mut self, ticket: TicketKey) -> Result<Option<Ticket>, Error> {
        async {
            query_tickets!(
                [""],
                "from tickets where guild_id = $1 and number = $2",
                column(ticket.guild),
                ticket.number.0,
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("read ticket", ticket)?
        .map(TicketRow::into_ticket)
        .transpose()
    }

    /// The ticket whose channel this is, in any state.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn by_channel(
        &mut self,
        guild: Id<GuildMarker>,
        channel: Id<ChannelMarker>,
    ) -> Result<Option<Ticket>, Error> {
        async {
            query_tickets!(
                [""],
                "from tickets where guild_id = $1 and channel_id = $2",
                column(guild),
                column(channel),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("read the ticket of channel", channel)?
        .map(TicketRow::into_ticket)
        .transpose()
    }

    /// The ticket whose channel carries this nonce, in any state: how a channel without a row finds its ticket.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn by_nonce(&mut self, guild: Id<GuildMarker>, nonce: Uuid) -> Result<Option<Ticket>, Error> {
        async {
            query_tickets!([""], "from tickets where guild_id = $1 and nonce = $2", column(guild), nonce,)
                .fetch_optional(&mut *self.0.connection().await?)
                .await
        }
        .await
        .attempt("read the ticket of nonce", nonce)?
        .map(TicketRow::into_ticket)
        .transpose()
    }

    /// The member's tickets that count against the limit, oldest first: opening, open, and closing while the member can
    /// still write.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn list_open_by_opener(
        &mut self,
        guild: Id<GuildMarker>,
        opener: Id<UserMarker>,
    ) -> Result<Vec<Ticket>, Error> {
        let rows = async {
            query_tickets!(
                [""],
                "from tickets
                where guild_id = $1 and opener_id = $2
                    and (state in ('opening', 'open') or (state = 'closing' and close_step = 'begun'))
                order by number",
                column(guild),
                column(opener),
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the open tickets of member", opener)?;
        TicketRow::into_tickets(rows)
    }

    /// The guild's live tickets (open and closing), oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn list_live(&mut self, guild: Id<GuildMarker>) -> Result<Vec<Ticket>, Error> {
        let rows = async {
            query_tickets!(
                [""],
                "from tickets where guild_id = $1 and state in ('open', 'closing') order by number",
                column(guild),
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the live tickets of guild", guild)?;
        TicketRow::into_tickets(rows)
    }

    /// The reasons that the guild's tickets were closed with, frequent ones first, at most 25, of those that begin with
    /// `prefix` in any case.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn close_reasons(&mut self, guild: Id<GuildMarker>, prefix: &str) -> Result<Vec<String>, Error> {
        async {
            sqlx::query_scalar!(
                r#"
                select close_reason as "close_reason!"
                from (select close_reason, number from tickets where guild_id = $1 order by number desc limit $3) as newest
                where close_reason <> '' and starts_with(lower(close_reason), lower($2))
                group by close_reason
                order by count(*) desc, max(number) desc
                limit $4
                "#,
                column(guild),
                &*text(prefix),
                REASONS_FROM,
                REASONS,
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the close reasons of guild", guild)
    }
}
