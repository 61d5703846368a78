//! What can go wrong.

use std::fmt::Display;

use model::{CloseStep, PanelId, TicketKey, TicketState};
use sqlx::migrate::MigrateError;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker},
};

use crate::Cause;

/// Why a call of this crate failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URI is malformed, or the server does not answer or refuses us.
    #[error("connect to the ticket database")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or the schema is not ours.
    #[error("bring the ticket database's schema up to date")]
    Migrate(#[source] MigrateError),
    /// A statement failed.
    #[error("{attempt} {subject}")]
    Query {
        /// What was tried.
        attempt: &'static str,
        /// With what: a ticket, panel, guild or channel.
        subject: String,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// A row holds what this version cannot read.
    #[error("{subject} holds {found} as {column}")]
    Corrupt {
        /// The row.
        subject: String,
        /// The column.
        column: &'static str,
        /// Its value.
        found: String,
    },
    /// The guild has no such ticket.
    #[error("there is no ticket {0}")]
    NoTicket(TicketKey),
    /// The guild has no such panel.
    #[error("there is no panel {panel} in guild {guild}")]
    NoPanel {
        /// The guild that was asked.
        guild: Id<GuildMarker>,
        /// The panel that it does not have.
        panel: PanelId,
    },
    /// The ticket is not in the state that the change starts from: another process was faster.
    #[error("ticket {ticket} is {found}, not {wanted}")]
    State {
        /// The ticket.
        ticket: TicketKey,
        /// From which state the change starts.
        wanted: TicketState,
        /// In which state the ticket is.
        found: TicketState,
    },
    /// The channel belongs to another ticket.
    #[error("channel {channel} belongs to another ticket than {ticket}")]
    ChannelTaken {
        /// The ticket that was to get it.
        ticket: TicketKey,
        /// The channel.
        channel: Id<ChannelMarker>,
    },
    /// A closing goes forward only.
    #[error("the closing of ticket {ticket} cannot go from {from} to {to}")]
    StepBack {
        /// The ticket.
        ticket: TicketKey,
        /// The step it was to come from.
        from: CloseStep,
        /// The step it was to go to.
        to: CloseStep,
    },
    /// A click or an event had another effect before.
    #[error("{cause} had its effect already, and it was another one")]
    Spent {
        /// The click or event.
        cause: Cause,
    },
    /// A scratch database of a test could not be made.
    #[error("make a scratch database: {0}")]
    Scratch(String),
}

impl Error {
    /// Whether the same call may succeed later: the server is away, full or busy, and the call itself is right.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let (Error::Query { source, .. } | Error::Connect(source)) = self else {
            return false;
        };
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Classes: 08 connection, 40 rollback (deadlock), 53 resources, 57 intervention (restart), 58 system.
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| ["08", "40", "53", "57", "58"].iter().any(|c| code.starts_with(c)))
            }
            _ => false,
        }
    }
}

/// Says what was tried and with what when a statement fails.
pub(crate) trait Attempt<T> {
    fn attempt(self, attempt: &'static str, subject: impl Display) -> Result<T, Error>;
}

impl<T> Attempt<T> for Result<T, sqlx::Error> {
    fn attempt(self, attempt: &'static str, subject: impl Display) -> Result<T, Error> {
        self.map_err(|source| Error::Query { attempt, subject: subject.to_string(), source })
    }
}

/// Whether a statement failed on this constraint.
pub(crate) fn broke(error: &sqlx::Error, constraint: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.constraint() == Some(constraint))
}
