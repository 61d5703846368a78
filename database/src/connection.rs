//! The pool, transactions, and how a table's handle comes to a connection.

use std::{
    ops::{Deref, DerefMut},
    str::FromStr,
    time::Duration,
};

use secrecy::ExposeSecret;
use sqlx::{
    Connection, PgConnection, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    DatabaseConfig, Error, Events, Inbox, Messages, Panels, Settings, Tickets, WhitelabelBots, error::Attempt,
};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long a caller waits for a connection. An interaction has 3 s in all, so waiting longer helps nobody.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that lay idle for longer is tried before it is given out: the server may have gone in between.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// The ticket database: a pool of connections and a handle for each table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Connects, so that a wrong address or password shows at once.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] when the URI is malformed or the server cannot be reached in 3 s.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, Error> {
        let pool = pool(config, &[]).await.map_err(Error::Connect)?;
        Ok(Self { pool })
    }

    /// Brings the schema up to date. Any number of processes may call it at once: they take turns by an advisory lock.
    ///
    /// # Errors
    ///
    /// [`Error::Migrate`], also when the database is newer than this program.
    pub async fn migrate(&self) -> Result<(), Error> {
        MIGRATIONS.run(&self.pool).await.map_err(Error::Migrate)
    }

    /// Asks the server for an answer, for readiness.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] when there is none.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = async { self.pool.acquire().await?.ping().await }.await;
        answer.attempt("ping", "the database")
    }

    /// Begins a transaction. Dropping it undoes it.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] when there is no connection.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let inner = self.pool.begin().await;
        Ok(Transaction { inner: inner.attempt("begin", "a transaction")? })
    }

    /// Waits until connections in use are given back, and closes all.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Tickets.
    #[must_use]
    pub fn tickets(&self) -> Tickets<'_> {
        Tickets(Source::Pool(&self.pool))
    }

    /// Panels.
    #[must_use]
    pub fn panels(&self) -> Panels<'_> {
        Panels(Source::Pool(&self.pool))
    }

    /// Guilds' settings.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings(Source::Pool(&self.pool))
    }

    /// Captured messages.
    #[must_use]
    pub fn messages(&self) -> Messages<'_> {
        Messages(Source::Pool(&self.pool))
    }

    /// The log of tickets' changes.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        Events(Source::Pool(&self.pool))
    }

    /// Clicks and events that had their effect.
    #[must_use]
    pub fn inbox(&self) -> Inbox<'_> {
        Inbox(Source::Pool(&self.pool))
    }

    /// Customers' own bots.
    #[must_use]
    pub fn whitelabel_bots(&self) -> WhitelabelBots<'_> {
        WhitelabelBots(Source::Pool(&self.pool))
    }

    pub(crate) fn migrations_checksum() -> String {
        let bytes = MIGRATIONS.iter().flat_map(|m| m.checksum.iter());
        // FNV-1a: names a template database of the tests, nothing more.
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    }
}

/// A pool of connections with this house's habits, each with these settings of Postgres. It connects, so that a wrong
/// address or password shows at once.
///
/// # Errors
///
/// When the URI is malformed or the server cannot be reached in 3 s.
pub async fn pool(config: &DatabaseConfig, settings: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(config.uri.expose_secret())?
        .application_name("tickets")
        .options(settings.iter().copied());
    PgPoolOptions::new()
        .max_connections(config.threads.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // sqlx would ping before every use, which doubles the round trips of a short query.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// Several changes that happen together or not at all. Dropping it undoes them.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
}

impl Transaction {
    /// Makes the changes last.
    ///
    /// # Errors
    ///
    /// [`Error::Query`]; when the connection broke meanwhile, the changes may or may not have been made.
    pub async fn commit(self) -> Result<(), Error> {
        let done = self.inner.commit().await;
        done.attempt("commit", "a transaction")
    }

    /// Undoes the changes now.
    ///
    /// # Errors
    ///
    /// [`Error::Query`]; the changes are undone all the same.
    pub async fn rollback(self) -> Result<(), Error> {
        let done = self.inner.rollback().await;
        done.attempt("roll back", "a transaction")
    }

    /// Tickets.
    pub fn tickets(&mut self) -> Tickets<'_> {
        Tickets(self.source())
    }

    /// Panels.
    pub fn panels(&mut self) -> Panels<'_> {
        Panels(self.source())
    }

    /// Guilds' settings.
    pub fn settings(&mut self) -> Settings<'_> {
        Settings(self.source())
    }

    /// Captured messages.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages(self.source())
    }

    /// The log of tickets' changes.
    pub fn events(&mut self) -> Events<'_> {
        Events(self.source())
    }

    fn source(&mut self) -> Source<'_> {
        Source::Transaction(&mut self.inner)
    }
}

/// Where a handle takes its connection from. An enum and not sqlx's `Acquire`: that trait in the signature of an async
/// function makes futures that cannot be spawned.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Pool(&'a PgPool),
    Transaction(&'a mut PgConnection),
}

impl Source<'_> {
    pub(crate) async fn connection(&mut self) -> Result<Lent<'_>, sqlx::Error> {
        Ok(match self {
            Source::Pool(pool) => Lent::Pooled(pool.acquire().await?),
            Source::Transaction(connection) => Lent::Borrowed(connection),
        })
    }
}

/// A connection for one call.
pub(crate) enum Lent<'a> {
    Pooled(PoolConnection<Postgres>),
    Borrowed(&'a mut PgConnection),
}

impl Deref for Lent<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Lent::Pooled(connection) => connection,
            Lent::Borrowed(connection) => connection,
        }
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Lent::Pooled(connection) => connection,
            Lent::Borrowed(connection) => connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database that has a migration refuses to start with another of the same number: changes go into a new one.
    #[test]
    fn a_migration_stays_as_it_is() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = |migration: &sqlx::migrate::Migration| {
            let name = migration.description.replace(' ', "_");
            format!("{:04}_{name} {}\n", migration.version, hex(&migration.checksum[..16]))
        };
        let found: String = MIGRATIONS.iter().map(line).collect();
        assert_eq!(found, include_str!("../../migrations/CHECKSUMS"), "add a migration, and its line to CHECKSUMS");
    }
}
