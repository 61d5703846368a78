//! Reads guilds with all that is known of them.

use std::collections::HashMap;

use sqlx::{Acquire, PgConnection};
use twilight_model::{
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker, UserMarker},
    },
    util::Timestamp,
};

use super::{Postgres, column};
use crate::{
    entity::{Guild, Member, User, Whole},
    store::{Error, Held, error::Attempt, kind::Kind},
    wire,
};

/// What a page of the truth holds.
#[derive(Debug, Default)]
pub struct Page {
    /// Guilds that the bot is in.
    pub held: Vec<Held>,
    /// Guilds that it is not in, or of which nothing is known: version and epoch.
    pub absent: Vec<(Id<ApplicationMarker>, Id<GuildMarker>, u64, u64)>,
    /// When the members' users were told of, in milliseconds since 1970, or before that.
    pub told: HashMap<Id<UserMarker>, i64>,
    /// From where the next page begins; `None` behind the last.
    pub next: Option<(i64, i64)>,
}

impl Postgres {
    /// Some of a bot's guilds; those that are not there are left out.
    ///
    /// # Errors
    ///
    /// As the database fails, or a row does not read.
    pub async fn load(&self, bot: Id<ApplicationMarker>, guilds: &[Id<GuildMarker>]) -> Result<Vec<Held>, Error> {
        let keys: Vec<(i64, i64)> = guilds.iter().map(|guild| (column(bot), column(*guild))).collect();
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        let mut tx = snapshot(&mut connection).await?;
        let held = read(&mut tx, &keys).await?.held;
        tx.rollback().await.attempt("end a transaction")?;
        Ok(held)
    }

    /// One guild, as a page.
    ///
    /// # Errors
    ///
    /// As the database fails, or a row does not read.
    pub async fn look(&self, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> Result<Page, Error> {
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        let mut tx = snapshot(&mut connection).await?;
        let page = read(&mut tx, &[(column(bot), column(guild))]).await?;
        tx.rollback().await.attempt("end a transaction")?;
        Ok(page)
    }

    /// All guilds of all bots, page by page, each page as it is at one moment. The first begins with `None`.
    ///
    /// # Errors
    ///
    /// As the database fails, or a row does not read.
    pub async fn page(&self, from: Option<(i64, i64)>, guilds: u32) -> Result<Page, Error> {
        let mut connection = self.pool.acquire().await.attempt("get a connection")?;
        let mut tx = snapshot(&mut connection).await?;
        let (bot, guild) = from.unwrap_or((i64::MIN, i64::MIN));
        let keys = sqlx::query!(
            r#"
            select bot_id, guild_id from cache.places
            where (bot_id, guild_id) > ($1, $2)
            order by bot_id, guild_id
            limit $3
            "#,
            bot,
            guild,
            i64::from(guilds),
        )
        .fetch_all(&mut *tx)
        .await
        .attempt("list guilds")?;
        let keys: Vec<(i64, i64)> = keys.into_iter().map(|row| (row.bot_id, row.guild_id)).collect();
        let page = Page { next: keys.last().copied(), ..read(&mut tx, &keys).await? };
        tx.rollback().await.attempt("end a transaction")?;
        Ok(page)
    }
}

/// All statements of it see the same moment.
async fn snapshot(connection: &mut PgConnection) -> Result<sqlx::Transaction<'_, sqlx::Postgres>, Error> {
    let mut tx = connection.begin().await.attempt("begin a transaction")?;
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await
        .attempt("read at one moment")?;
    Ok(tx)
}

/// What is found under these keys, as a page.
async fn read(tx: &mut PgConnection, keys: &[(i64, i64)]) -> Result<Page, Error> {
    let (bots, guilds): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
    let rows = sqlx::query!(
        r#"
        select places.bot_id, places.guild_id, places.version, places.epoch,
            guilds.unavailable as "unavailable?", guilds.member_count, guilds.joined_us, guilds.data as "data?"
        from cache.places
        join unnest($1::bigint[], $2::bigint[]) as asked (bot_id, guild_id)
            on places.bot_id = asked.bot_id and places.guild_id = asked.guild_id
        left join cache.guilds on guilds.bot_id = places.bot_id and guilds.guild_id = places.guild_id
        "#,
        &bots,
        &guilds,
    )
    .fetch_all(&mut *tx)
    .await
    .attempt("read guilds")?;
    let mut page = Page::default();
    let mut lists = lists(tx, &bots, &guilds, &mut page.told).await?;
    for row in rows {
        // Zero is no id, and no row has it.
        let (Some(bot), Some(guild_id)) =
            (Id::new_checked(row.bot_id.cast_unsigned()), Id::new_checked(row.guild_id.cast_unsigned()))
        else {
            continue;
        };
        let (version, epoch) = (row.version.cast_unsigned(), row.epoch.cast_unsigned());
        let Some(data) = row.data else {
            page.absent.push((bot, guild_id, version, epoch));
            continue;
        };
        let mut guild: Guild = decode("guild", &data)?;
        guild.unavailable = row.unavailable.unwrap_or_default();
        guild.member_count = row.member_count.and_then(|count| u32::try_from(count).ok());
        guild.joined_at = row.joined_us.and_then(|micros| Timestamp::from_micros(micros).ok());
        let whole = lists.remove(&(row.bot_id, row.guild_id)).unwrap_or_default().whole(guild);
        page.held.push(Held { bot, version, epoch, whole });
    }
    Ok(page)
}

/// The rows of each guild's lists.
async fn lists(
    tx: &mut PgConnection,
    bots: &[i64],
    guilds: &[i64],
    told: &mut HashMap<Id<UserMarker>, i64>,
) -> Result<HashMap<(i64, i64), Lists>, Error> {
    let rows = sqlx::query!(
        r#"
        select entities.bot_id, entities.guild_id, kind, entities.data, users.data as "user?", users.seen_ms as "told_ms?"
        from unnest($1::bigint[], $2::bigint[]) as asked (bot_id, guild_id)
        join cache.entities on entities.bot_id = asked.bot_id and entities.guild_id = asked.guild_id
        left join cache.users on kind = 5 and users.user_id = entities.id
        order by entities.bot_id, entities.guild_id, kind, id
        "#,
        bots,
        guilds,
    )
    .fetch_all(tx)
    .await
    .attempt("read lists")?;
    let mut lists: HashMap<(i64, i64), Lists> = HashMap::new();
    for row in rows {
        let of = lists.entry((row.bot_id, row.guild_id)).or_default();
        match Kind::of(row.kind) {
            Some(Kind::Channel) => of.channels.push(decode("channel", &row.data)?),
            Some(Kind::Thread) => of.threads.push(decode("thread", &row.data)?),
            Some(Kind::Role) => of.roles.push(decode("role", &row.data)?),
            Some(Kind::Emoji) => of.emojis.push(decode("emoji", &row.data)?),
            Some(Kind::Member) => {
                // A member whose user was forgotten is as good as one who was.
                let Some(user) = row.user else { continue };
                let user: User = decode("user", &user)?;
                told.extend(row.told_ms.map(|told_ms| (user.id, told_ms)));
                let member: Member = decode("member", &row.data)?;
                of.members.push(Member { user: Some(Box::new(user)), ..member });
            }
            // Of a version that knows more.
            None => {}
        }
    }
    Ok(lists)
}

#[derive(Default)]
struct Lists {
    channels: Vec<crate::entity::Channel>,
    threads: Vec<crate::entity::Channel>,
    roles: Vec<crate::entity::Role>,
    emojis: Vec<crate::entity::Emoji>,
    members: Vec<Member>,
}

impl Lists {
    fn whole(self, guild: Guild) -> Whole {
        let Lists { channels, threads, roles, emojis, members } = self;
        // Postgres compares ids as signed numbers.
        Whole { guild, channels, threads, roles, emojis, members }.sorted()
    }
}

fn decode<T: serde::de::DeserializeOwned>(what: &'static str, data: &[u8]) -> Result<T, Error> {
    wire::decode(data).map_err(|source| Error::Corrupt { what, source })
}
