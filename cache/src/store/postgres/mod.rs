//! Guilds in Postgres: the truth.

mod apply;
mod batch;
mod config;
mod load;
mod purge;
mod refill;

use sqlx::{Connection, PgPool, migrate::Migrator};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

pub use self::{config::CacheDatabase, load::Page, purge::Purged};
use super::{Error, Held, Outcome, Store, error::Attempt};
use crate::change::Update;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Guilds in the schema `cache` of a database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects, so that a wrong address or password shows at once.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`].
    pub async fn connect(config: &CacheDatabase) -> Result<Self, Error> {
        // Statements take lists of any length, and a plan for ten rows is none for ten thousand.
        let settings = [("plan_cache_mode", "force_custom_plan")];
        let pool = database::pool(&config.database(), &settings).await.map_err(Error::Connect)?;
        Ok(Self { pool })
    }

    /// Brings the schema up to date. Any number of processes may call it at once: they take turns by an advisory lock.
    ///
    /// # Errors
    ///
    /// [`Error::Migrate`], also when the schema is newer than this program.
    pub async fn migrate(&self) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await.attempt("get a connection")?.detach();
        // The list of migrations lies in the schema itself, for the tickets' may be in the same database.
        let quietly = "set client_min_messages to warning";
        for prepare in [quietly, "create schema if not exists cache", "set search_path to cache"] {
            match sqlx::query(prepare).execute(&mut connection).await {
                // Two processes made it at once.
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
                done => {
                    done.attempt("prepare the schema")?;
                }
            }
        }
        let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await.map_err(Error::Migrate);
        connection.close().await.attempt("close the connection")?;
        migrated
    }

    /// Asks the server for an answer, for readiness.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn ping(&self) -> Result<(), Error> {
        async { self.pool.acquire().await?.ping().await }.await.attempt("ping")
    }

    /// The guilds of a bot that are in a shard: number `shard` of `of`.
    ///
    /// # Errors
    ///
    /// As the database fails.
    pub async fn guilds_of_shard(
        &self,
        bot: Id<ApplicationMarker>,
        shard: u64,
        of: u64,
    ) -> Result<Vec<Id<GuildMarker>>, Error> {
        let all = sqlx::query_scalar!("select guild_id from cache.guilds where bot_id = $1", bot.get().cast_signed())
            .fetch_all(&self.pool)
            .await
            .attempt("read the guilds of a bot")?;
        // As Discord counts them (docs, "Sharding").
        let in_shard = |guild: &u64| (guild >> 22) % of == shard;
        Ok(all.into_iter().map(i64::cast_unsigned).filter(in_shard).filter_map(Id::new_checked).collect())
    }
}

impl Store for Postgres {
    async fn apply(&self, updates: &[Update]) -> Result<Vec<Outcome>, Error> {
        apply::apply(&self.pool, updates).await
    }

    async fn guild(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> Result<Option<Held>, Error> {
        self.load(bot, &[guild]).await.map(|mut found| found.pop())
    }

    async fn count(&self, bot: Id<ApplicationMarker>) -> Result<u64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from cache.guilds where bot_id = $1"#,
            bot.get().cast_signed()
        )
        .fetch_one(&self.pool)
        .await
        .attempt("count guilds")?;
        Ok(count.cast_unsigned())
    }
}

/// An id as `bigint`, bit for bit.
fn column<M>(id: Id<M>) -> i64 {
    id.get().cast_signed()
}

/// The day since 1970 of a time in milliseconds.
fn day(ms: i64) -> i32 {
    i32::try_from(ms.div_euclid(24 * 60 * 60 * 1_000)).unwrap_or_default()
}
