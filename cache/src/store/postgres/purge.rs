//! Forgets what nobody uses.

use super::{Postgres, column, day};
use crate::{
    news::Use,
    store::{Error, error::Attempt},
};

/// So many rows of each table went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Members.
    pub members: u64,
    /// Users.
    pub users: u64,
    /// Places of guilds that were left.
    pub places: u64,
}

impl Purged {
    /// All of them.
    #[must_use]
    pub fn all(self) -> u64 {
        self.members + self.users + self.places
    }
}

impl Postgres {
    /// Forgets members and users whom nobody told of or asked for since `since_ms`, and how far guilds were folded that were left
    /// before, but not bots; at most `most` rows of each, so that no statement holds others up.
    ///
    /// # Errors
    ///
    /// As the database fails.
    pub async fn purge(&self, since_ms: i64, most: i64) -> Result<Purged, Error> {
        let before = day(since_ms);
        let members = sqlx::query!(
            r#"
            delete from cache.entities
            where ctid = any (array(
                select ctid from cache.entities
                where kind = 5 and used_day < $1 and id <> bot_id
                limit $2
                for update skip locked
            ))
            "#,
            before,
            most,
        )
        .execute(&self.pool)
        .await
        .attempt("purge members")?;
        let users = sqlx::query!(
            r#"
            delete from cache.users
            where ctid = any (array(
                select ctid from cache.users
                where used_day < $1 and not exists (select from cache.guilds where guilds.bot_id = user_id)
                limit $2
                for update of users skip locked
            ))
            "#,
            before,
            most,
        )
        .execute(&self.pool)
        .await
        .attempt("purge users")?;
        let places = sqlx::query!(
            r#"
            delete from cache.places
            where ctid = any (array(
                select places.ctid from cache.places
                where received_ms < $1
                    and not exists (
                        select from cache.guilds
                        where guilds.bot_id = places.bot_id and guilds.guild_id = places.guild_id
                    )
                limit $2
                for update of places skip locked
            ))
            "#,
            since_ms,
            most,
        )
        .execute(&self.pool)
        .await
        .attempt("purge places")?;
        Ok(Purged { members: members.rows_affected(), users: users.rows_affected(), places: places.rows_affected() })
    }

    /// Notes that members were asked for on the day of `now_ms`, and the users with them. Who is being written at the moment is in
    /// use anyway: nobody waits for anybody.
    ///
    /// # Errors
    ///
    /// As the database fails.
    pub async fn note_uses(&self, uses: &[Use], now_ms: i64) -> Result<(), Error> {
        let bots: Vec<i64> = uses.iter().map(|(bot, ..)| column(*bot)).collect();
        let guilds: Vec<i64> = uses.iter().map(|(_, guild, _)| column(*guild)).collect();
        let users: Vec<i64> = uses.iter().map(|(.., user)| column(*user)).collect();
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        sqlx::query!(
            r#"
            update cache.entities
            set used_day = $4
            from (
                select entities.bot_id, entities.guild_id, entities.id
                from cache.entities
                join unnest($1::bigint[], $2::bigint[], $3::bigint[]) as asked (bot_id, guild_id, id)
                    on entities.bot_id = asked.bot_id and entities.guild_id = asked.guild_id and entities.id = asked.id
                where kind = 5 and used_day < $4
                for update of entities skip locked
            ) as free
            where entities.bot_id = free.bot_id and entities.guild_id = free.guild_id
                and kind = 5 and entities.id = free.id
            "#,
            &bots,
            &guilds,
            &users,
            day(now_ms),
        )
        .execute(&mut *connection)
        .await
        .attempt("note uses of members")?;
        sqlx::query!(
            r#"
            update cache.users
            set used_day = $2
            from (
                select user_id from cache.users where user_id = any ($1) and used_day < $2 for update skip locked
            ) as free
            where users.user_id = free.user_id
            "#,
            &users,
            day(now_ms),
        )
        .execute(&mut *connection)
        .await
        .attempt("note uses of users")
        .map(drop)
    }
}
