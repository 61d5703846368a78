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
    /// Whether it is about the server and says nothing against the call: it is away, full, busy, read-only or does not know
    /// us just now. The same call is right as soon as the server is.
    ///
    /// Not a statement that took too long (57014): the next attempt may take as long, so it must not be tried for ever.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let (Error::Query { source, .. } | Error::Connect(source)) = self else {
            return false;
        };
        is_transient(source)
    }

    /// Whether no repetition of the same call can cure it: what it says, or what a row holds, is wrong. A race that
    /// somebody else won is none of these, for the next attempt finds what the winner left.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        match self {
            Error::Corrupt { .. }
            | Error::NoTicket(_)
            | Error::NoPanel { .. }
            | Error::ChannelTaken { .. }
            | Error::Spent { .. } => true,
            Error::Query { source, .. } => is_for_good(source),
            _ => false,
        }
    }
}

/// Whether a failure of Postgres is about the server and says nothing against the statement; see [`Error::is_transient`].
#[must_use]
pub fn is_transient(source: &sqlx::Error) -> bool {
    match source {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| about_the_server(&code)),
        _ => false,
    }
}

/// Whether Postgres refuses what the statement says: data that no column takes (class 22), or a constraint (23).
#[must_use]
pub fn is_for_good(source: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = source else { return false };
    error.code().is_some_and(|code| ["22", "23"].iter().any(|class| code.starts_with(class)))
}

/// Whether a code of Postgres is about the server and not about the statement.
/// See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn about_the_server(code: &str) -> bool {
    // 08 connection, 28 authorization (a password is changed), 40 rollback (deadlock), 53 resources, 55 the object is locked or
    // not ready, 57 intervention (restart), 58 system.
    const CLASSES: [&str; 7] = ["08", "28", "40", "53", "55", "57", "58"];
    // Read-only (a primary that was demoted), the database or the prepared statement is not there (a failover, a pooler),
    // internal error.
    const CODES: [&str; 4] = ["25006", "3D000", "26000", "XX000"];
    const CANCELED: &str = "57014";
    code != CANCELED && (CODES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class)))
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

#[cfg(test)]
mod tests {
    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// What Postgres says under a code.
    #[derive(Debug, thiserror::Error)]
    #[error("refused with {0}")]
    struct Refusal(&'static str);

    impl DatabaseError for Refusal {
        fn message(&self) -> &str {
            "refused"
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn refused(code: &'static str) -> Error {
        Error::Query { attempt: "note", subject: "a ticket".to_owned(), source: Refusal(code).into() }
    }

    #[track_caller]
    fn check(error: &Error, is_transient: bool, is_for_good: bool) {
        assert_eq!((error.is_transient(), error.is_for_good()), (is_transient, is_for_good), "{error:?}");
    }

    #[test]
    fn what_is_about_the_server_is_waited_for() {
        for code in ["08006", "25006", "26000", "28P01", "28000", "3D000", "40001", "53300", "55P03", "57P01", "58030"]
        {
            check(&refused(code), true, false);
        }
        check(&refused("XX000"), true, false);
        check(&Error::Connect(Refusal("28P01").into()), true, false);
        check(&Error::Connect(sqlx::Error::PoolTimedOut), true, false);
    }

    #[test]
    fn a_statement_that_took_too_long_is_neither_waited_for_nor_hopeless() {
        for code in ["57014", "42703", "42501", "25P02", "XX001", "0A000"] {
            check(&refused(code), false, false);
        }
        check(&Error::Query { attempt: "", subject: String::new(), source: sqlx::Error::RowNotFound }, false, false);
    }

    #[test]
    fn what_a_record_says_wrong_is_hopeless() {
        for code in ["22001", "22P05", "23503", "23514"] {
            check(&refused(code), false, true);
        }
        let ticket = TicketKey { guild: Id::new(5), number: model::TicketNumber(1) };
        check(&Error::Corrupt { subject: String::new(), column: "state", found: String::new() }, false, true);
        check(&Error::ChannelTaken { ticket, channel: Id::new(6) }, false, true);
        // Somebody else was faster: the next attempt goes on from there.
        check(&Error::State { ticket, wanted: TicketState::Opening, found: TicketState::Open }, false, false);
    }
}
