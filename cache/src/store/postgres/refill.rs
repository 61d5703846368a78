//! What Discord was asked for, because the cache did not know it.

use sqlx::Connection;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use super::{
    Postgres,
    apply::{lock, move_places, put_users, write},
    batch::{Batch, Users, of_member},
    column, day,
};
use crate::{
    change::{Change, Position, Update},
    entity::Whole,
    store::{Error, Refill, error::Attempt, kind::Kind},
};

/// How much younger an answer of Discord must be than what an event told, in milliseconds: clocks are not the same everywhere.
const CLEARLY_MS: i64 = 5_000;

impl Postgres {
    /// Takes a member. False where the guild went on in between, is not known, or the member is known by something younger.
    ///
    /// # Errors
    ///
    /// As the database fails.
    pub async fn refill(
        &self,
        bot: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
        refill: &Refill,
    ) -> Result<bool, Error> {
        let Some(user) = refill.member.user.as_deref() else { return Ok(false) };
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        let mut tx = connection.begin().await.attempt("begin a transaction")?;
        let written = sqlx::query!(
            r#"
            insert into cache.entities (bot_id, guild_id, kind, id, version, seen_ms, used_day, data)
            select bot_id, guild_id, $3, $4, places.version, $5, $6, $7
            from cache.places
            join cache.guilds using (bot_id, guild_id)
            where bot_id = $1 and guild_id = $2 and epoch = $8 and known
            for share of places
            on conflict (bot_id, guild_id, kind, id) do update
            set seen_ms = excluded.seen_ms, used_day = excluded.used_day, data = excluded.data
            where entities.seen_ms + $9 <= excluded.seen_ms
            "#,
            column(bot),
            column(guild),
            Kind::Member.number(),
            column(user.id),
            refill.read_ms,
            day(refill.read_ms),
            of_member(&refill.member)?,
            refill.epoch.cast_signed(),
            CLEARLY_MS,
        )
        .execute(&mut *tx)
        .await
        .attempt("refill a member")?;
        if written.rows_affected() == 0 {
            return Ok(false);
        }
        let mut users = Users::default();
        users.tell(user, refill.read_ms)?;
        put_users(&mut tx, users).await?;
        tx.commit().await.attempt("commit")?;
        Ok(true)
    }

    /// Takes a guild of which nothing was known: its version now, or `None` where the guild went on in between, or is known.
    ///
    /// # Errors
    ///
    /// As the database fails.
    pub async fn refill_guild(
        &self,
        bot: Id<ApplicationMarker>,
        whole: Whole,
        epoch: u64,
        read_ms: i64,
    ) -> Result<Option<u64>, Error> {
        let guild = whole.guild.id;
        let key = (column(bot), column(guild));
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        let mut tx = connection.begin().await.attempt("begin a transaction")?;
        let mut place = lock(&mut tx, &[key]).await?.remove(&key).unwrap_or_default();
        let known = sqlx::query_scalar!(
            r#"select exists (select from cache.guilds where bot_id = $1 and guild_id = $2 and known) as "known!""#,
            key.0,
            key.1,
        )
        .fetch_one(&mut *tx)
        .await
        .attempt("look for a guild")?;
        if known || place.epoch != epoch {
            return Ok(None);
        }
        // Not an event: the place stays where it is, and what comes next comes after it.
        place.count(true);
        let position = Position { session: String::new(), sequence: 0, received_ms: read_ms };
        let update = Update { bot, guild, position, changes: vec![Change::Whole(Box::new(whole))] };
        let mut batch = Batch::default();
        batch.add(&update, place.version)?;
        write(&mut tx, batch).await?;
        let version = place.version;
        move_places(&mut tx, &[(key, place)]).await?;
        tx.commit().await.attempt("commit")?;
        Ok(Some(version))
    }

    /// Takes what was told of users outside of any guild.
    ///
    /// # Errors
    ///
    /// As the database fails.
    pub async fn tell_user(&self, user: &crate::entity::User, told_ms: i64) -> Result<(), Error> {
        let mut users = Users::default();
        users.tell(user, told_ms)?;
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        put_users(&mut connection, users).await
    }
}
