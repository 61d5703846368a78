//! A row of `tickets` and the ticket that it is.

use model::{PanelId, Ticket, TicketKey, TicketNumber};
use sqlx::types::{Uuid, time::OffsetDateTime};

use crate::{
    Error,
    convert::{id, id_opt, name},
};

/// `query_as!` of tickets: `$before` (literals with `+` between them), then `select` with every column, then `$from` (that begins with `from`).
///
/// A macro because `query_as!` takes only literals, and Postgres cannot tell which columns of a `with` query are never
/// null, so that each of a dozen statements would spell all of this out.
macro_rules! query_tickets {
    ([$($before:tt)+], $from:tt $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::tickets::row::TicketRow,
            $($before)+
                + r#"
                select guild_id as "guild_id!", number as "number!", version as "version!", bot_id as "bot_id!", panel_id,
                    opener_id as "opener_id!", subject, state as "state!", nonce as "nonce!",
                    channel_id, welcome_message_id, claimed_by,
                    opened_at as "opened_at!", close_step, closed_by, close_reason, closed_at, leased_until
                "#
                + $from
            $(, $arg)*
        )
    };
}
pub(super) use query_tickets;

pub(super) struct TicketRow {
    pub(super) guild_id: i64,
    pub(super) number: i32,
    pub(super) version: i32,
    pub(super) bot_id: i64,
    pub(super) panel_id: Option<i64>,
    pub(super) opener_id: i64,
    pub(super) subject: Option<String>,
    pub(super) state: String,
    pub(super) nonce: Uuid,
    pub(super) channel_id: Option<i64>,
    pub(super) welcome_message_id: Option<i64>,
    pub(super) claimed_by: Option<i64>,
    pub(super) opened_at: OffsetDateTime,
    pub(super) close_step: Option<String>,
    pub(super) closed_by: Option<i64>,
    pub(super) close_reason: Option<String>,
    pub(super) closed_at: Option<OffsetDateTime>,
    pub(super) leased_until: Option<OffsetDateTime>,
}

impl TicketRow {
    pub(super) fn into_ticket(self) -> Result<Ticket, Error> {
        let subject = format_args!("ticket {}/{}", self.guild_id, self.number);
        let step = self.close_step.as_deref();
        Ok(Ticket {
            key: TicketKey { guild: id(self.guild_id, "guild_id", subject)?, number: TicketNumber(self.number) },
            version: self.version,
            bot: id(self.bot_id, "bot_id", subject)?,
            panel: self.panel_id.map(PanelId),
            opener: id(self.opener_id, "opener_id", subject)?,
            subject: self.subject,
            state: name(&self.state, "state", subject)?,
            nonce: self.nonce,
            channel: id_opt(self.channel_id, "channel_id", subject)?,
            welcome_message: id_opt(self.welcome_message_id, "welcome_message_id", subject)?,
            claimed_by: id_opt(self.claimed_by, "claimed_by", subject)?,
            opened_at: self.opened_at,
            close_step: step.map(|step| name(step, "close_step", subject)).transpose()?,
            closed_by: id_opt(self.closed_by, "closed_by", subject)?,
            close_reason: self.close_reason,
            closed_at: self.closed_at,
            leased_until: self.leased_until,
        })
    }

    pub(super) fn into_tickets(rows: Vec<TicketRow>) -> Result<Vec<Ticket>, Error> {
        rows.into_iter().map(TicketRow::into_ticket).collect()
    }
}
