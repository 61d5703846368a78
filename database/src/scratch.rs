//! Databases that live as long as one test.
//!
//! For tests of this and of other crates, never for a service. The server is the one of `DATABASE_URI`, whose user must be
//! allowed to create databases; the database that the URI names is left alone.

use std::{env, str::FromStr, thread};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{Database, DatabaseConfig, Error};

/// How many connections a scratch database's pool holds at most: with fewer, tests would not race.
const CONNECTIONS: u32 = 10;

/// Locks the making of the template, by a number that is nobody else's.
const TEMPLATE_LOCK: i64 = 0x7469_636b_6574_7301;

/// A database of a test's own, gone when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    /// Connected to it.
    pub database: Database,
    /// Its address, for a service's `DATABASE_URI`.
    pub uri: SecretString,
    server: SecretString,
    name: String,
}

impl Scratch {
    /// Makes a database with the current schema.
    ///
    /// Copies a template that the first test on a server makes, which is faster than migrating each time.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] with what is missing, [`Error::Migrate`].
    pub async fn create() -> Result<Self, Error> {
        let server = server()?;
        let mut admin = connect(&server).await?;
        let template = template(&mut admin, &server).await?;
        Self::copy_of(admin, server, &template).await
    }

    /// Makes a database without tables.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] with what is missing.
    pub async fn empty() -> Result<Self, Error> {
        let server = server()?;
        let admin = connect(&server).await?;
        Self::copy_of(admin, server, "template1").await
    }

    /// Drops the database. Dropping `self` does the same, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] when the server does not do it.
    pub async fn close(mut self) -> Result<(), Error> {
        self.database.close().await;
        let name = std::mem::take(&mut self.name);
        drop_database(&self.server, &name).await
    }

    async fn copy_of(mut admin: PgConnection, server: SecretString, template: &str) -> Result<Self, Error> {
        let name = format!("tickets_scratch_{}", Uuid::new_v4().simple());
        execute(&mut admin, format!("create database {name} template {template}")).await?;
        let uri = uri_of(&server, &name)?;
        let config = DatabaseConfig { uri: uri.clone(), threads: CONNECTIONS };
        Ok(Self { database: Database::connect(&config).await?, uri, server, name })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        // A runtime cannot be entered from within a runtime, so the work goes to a thread. A failure leaves a database
        // behind on a server for tests: not worth a second panic.
        let worker = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(drop_database(&server, &name)))
        });
        drop(worker.join());
    }
}

/// The migrated template for this set of migrations, made if need be.
async fn template(admin: &mut PgConnection, server: &SecretString) -> Result<String, Error> {
    let name = format!("tickets_template_{}", Database::migrations_checksum());
    if exists(admin, &name).await? {
        return Ok(name);
    }
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.map_err(failed)?;
    if !exists(admin, &name).await? {
        // Under another name until it is complete: whoever finds the template's name can rely on it.
        let raw = format!("{name}_raw");
        execute(admin, format!("drop database if exists {raw} with (force)")).await?;
        execute(admin, format!("create database {raw}")).await?;
        let config = DatabaseConfig { uri: uri_of(server, &raw)?, threads: 1 };
        let database = Database::connect(&config).await?;
        database.migrate().await?;
        database.close().await;
        execute(admin, format!("alter database {raw} rename to {name}")).await?;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.map(drop).map_err(failed)?;
    Ok(name)
}

async fn exists(admin: &mut PgConnection, database: &str) -> Result<bool, Error> {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(database)
        .fetch_one(admin)
        .await
        .map_err(failed)
}

async fn drop_database(server: &SecretString, name: &str) -> Result<(), Error> {
    let mut admin = connect(server).await?;
    execute(&mut admin, format!("drop database if exists {name} with (force)")).await?;
    admin.close().await.map_err(failed)
}

fn server() -> Result<SecretString, Error> {
    match env::var("DATABASE_URI") {
        Ok(uri) if !uri.is_empty() => Ok(uri.into()),
        _ => Err(Error::Scratch(
            "run scripts/test, or set DATABASE_URI to a Postgres server where databases may be created".to_owned(),
        )),
    }
}

fn uri_of(server: &SecretString, database: &str) -> Result<SecretString, Error> {
    let options = PgConnectOptions::from_str(server.expose_secret()).map_err(failed)?;
    Ok(options.database(database).to_url_lossy().to_string().into())
}

async fn connect(server: &SecretString) -> Result<PgConnection, Error> {
    let options = PgConnectOptions::from_str(server.expose_secret()).map_err(failed)?;
    PgConnection::connect_with(&options).await.map_err(failed)
}

/// Runs a statement whose names are made here, of letters, digits and underscores.
async fn execute(admin: &mut PgConnection, sql: String) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(sql)).execute(admin).await.map(drop).map_err(failed)
}

fn failed(error: sqlx::Error) -> Error {
    Error::Scratch(error.to_string())
}
