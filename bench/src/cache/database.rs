//! A database of a measure's own.

use anyhow::Context;
use cache::store::{CacheDatabase, Postgres};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::servers::Server;
use crate::program::server;

/// Goes with [`Scratch::remove`]; what a failed run leaves, its private server takes along.
pub(super) struct Scratch {
    server: String,
    name: String,
}

impl Scratch {
    pub(super) async fn create() -> anyhow::Result<Self> {
        let scratch = Self { server: server("DATABASE_URI")?, name: format!("bench_{}", rand::random::<u64>()) };
        scratch.order(&format!("create database {}", scratch.name)).await?;
        Ok(scratch)
    }

    /// With the cache's schema.
    pub(super) async fn with_schema() -> anyhow::Result<Self> {
        let scratch = Self::create().await?;
        scratch.store(1).await?.migrate().await?;
        Ok(scratch)
    }

    pub(super) async fn remove(self) -> anyhow::Result<()> {
        self.order(&format!("drop database {} with (force)", self.name)).await
    }

    /// Where it is.
    pub(super) fn uri(&self) -> anyhow::Result<String> {
        let (server, _) = self.server.rsplit_once('/').context("DATABASE_URI names no database")?;
        Ok(format!("{server}/{}", self.name))
    }

    /// The cache's store in it.
    pub(super) async fn store(&self, connections: u32) -> anyhow::Result<Postgres> {
        Ok(Postgres::connect(&CacheDatabase { uri: self.uri()?.into(), threads: connections }).await?)
    }

    pub(super) async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.uri()?).await?)
    }

    /// Its server's process.
    pub(super) fn server(&self) -> Server {
        let address = self.server.rsplit_once('@').map_or(self.server.as_str(), |(_, address)| address);
        Server::at(address.split('/').next().unwrap_or_default())
    }

    async fn order(&self, sql: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.server).await.context("connect to Postgres")?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

/// What is written behind is written before the measure, not in it.
pub(super) async fn checkpoint(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("checkpoint").execute(connection).await?;
    Ok(())
}

/// Bytes of the write-ahead log so far, of the whole server.
pub(super) async fn logged(connection: &mut PgConnection) -> anyhow::Result<i64> {
    let logged = sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0')::bigint");
    Ok(logged.fetch_one(connection).await?)
}
