use crate::wire::Malformed;

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URI is malformed, or the server does not answer or refuses us.
    #[error("connect to the cache's database")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or the schema is not ours.
    #[error("bring the cache's schema up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("{attempt} in the cache's database")]
    Query {
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// A row holds what this version cannot read.
    #[error("a {what} in the cache's database does not read")]
    Corrupt {
        /// What the row is.
        what: &'static str,
        /// Why.
        source: Malformed,
    },
    /// Something has no compact form.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Error {
    /// Whether it is about the server and says nothing against the call, which is right again as soon as the server is.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Connect(source) | Error::Query { source, .. } if database::is_transient(source))
    }

    /// Whether no repetition cures it.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        match self {
            Error::Query { source, .. } => database::is_for_good(source),
            Error::Malformed(_) => true,
            _ => false,
        }
    }
}

/// Says what was tried when a statement fails.
pub(super) trait Attempt<T> {
    fn attempt(self, attempt: &'static str) -> Result<T, Error>;
}

impl<T> Attempt<T> for Result<T, sqlx::Error> {
    fn attempt(self, attempt: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Query { attempt, source })
    }
}
