//! Applies a batch: one transaction, a few statements, each with the rows of all updates.

use std::collections::HashMap;

use sqlx::{Connection, PgConnection, PgPool};

use super::{
    batch::{Batch, Counts, Entities, Gone, Guilds, Pairs, Sweeps, UserColumns, Users},
    column,
};
use crate::{
    change::{Change, Update},
    store::{Error, Outcome, error::Attempt, place::Place},
};

/// Guilds by bot and guild, as columns name them.
type Key = (i64, i64);

pub(super) async fn apply(pool: &PgPool, updates: &[Update]) -> Result<Vec<Outcome>, Error> {
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = pool.acquire().await.attempt("get a connection")?;
    let mut tx = connection.begin().await.attempt("begin a transaction")?;
    let mut keys: Vec<Key> = updates.iter().map(|update| (column(update.bot), column(update.guild))).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut places = lock(&mut tx, &keys).await?;

    let mut batch = Batch::default();
    let mut outcomes = Vec::with_capacity(updates.len());
    let mut moved = Vec::new();
    for update in updates {
        let key = (column(update.bot), column(update.guild));
        let place = places.entry(key).or_default();
        let applied = place.precedes(&update.position);
        if applied {
            place.advance(&update.position, update.changes.iter().any(Change::outdates));
            batch.add(update, place.version)?;
            moved.push((key, place.clone()));
        }
        outcomes.push(Outcome { version: place.version, applied });
    }
    write(&mut tx, batch).await?;
    move_places(&mut tx, &moved).await?;
    tx.commit().await.attempt("commit")?;
    Ok(outcomes)
}

/// The places of these guilds, each locked until the transaction ends; `keys` are in their order, so that two never wait for
/// each other.
pub(super) async fn lock(tx: &mut PgConnection, keys: &[Key]) -> Result<HashMap<Key, Place>, Error> {
    let mut places = locked(tx, keys).await?;
    if places.len() < keys.len() {
        let missing: Vec<Key> = keys.iter().filter(|key| !places.contains_key(*key)).copied().collect();
        let (bots, guilds): (Vec<i64>, Vec<i64>) = missing.iter().copied().unzip();
        sqlx::query!(
            r#"
            insert into cache.places (bot_id, guild_id, session, sequence, received_ms, superseded, version, epoch)
            select bot_id, guild_id, '', 0, 0, '', 0, 0
            from unnest($1::bigint[], $2::bigint[]) as new (bot_id, guild_id)
            on conflict (bot_id, guild_id) do nothing
            "#,
            &bots,
            &guilds,
        )
        .execute(&mut *tx)
        .await
        .attempt("make places")?;
        places.extend(locked(tx, &missing).await?);
    }
    Ok(places)
}

async fn locked(tx: &mut PgConnection, keys: &[Key]) -> Result<HashMap<Key, Place>, Error> {
    let (bots, guilds): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select places.bot_id, places.guild_id, session, sequence, received_ms, superseded, version, epoch
        from cache.places
        join unnest($1::bigint[], $2::bigint[]) as asked (bot_id, guild_id)
            on places.bot_id = asked.bot_id and places.guild_id = asked.guild_id
        order by places.bot_id, places.guild_id
        for update of places
        "#,
        &bots,
        &guilds,
    )
    .fetch_all(tx)
    .await
    .attempt("lock places")?;
    let place = |row: Row| {
        let Row { bot_id, guild_id, session, sequence, received_ms, superseded, version, epoch } = row;
        let superseded = superseded.split(' ').filter(|session| !session.is_empty()).map(str::to_owned).collect();
        let place = Place {
            session,
            sequence: sequence.cast_unsigned(),
            received_ms,
            superseded,
            version: version.cast_unsigned(),
            epoch: epoch.cast_unsigned(),
        };
        ((bot_id, guild_id), place)
    };
    Ok(rows.into_iter().map(place).collect())
}

struct Row {
    bot_id: i64,
    guild_id: i64,
    session: String,
    sequence: i64,
    received_ms: i64,
    superseded: String,
    version: i64,
    epoch: i64,
}

/// Writes what follows; the places are locked.
pub(super) async fn write(tx: &mut PgConnection, batch: Batch) -> Result<(), Error> {
    let Batch { left, unavailable, guilds, counts, sweeps, gone, entities, users } = batch;
    leave(tx, &left).await?;
    put_guilds(tx, &guilds).await?;
    darken(tx, &unavailable).await?;
    count(tx, &counts).await?;
    sweep(tx, &sweeps, &entities).await?;
    remove(tx, &gone).await?;
    put_entities(tx, &entities).await?;
    put_users(tx, users).await
}

/// The trigger takes all that the guild had.
async fn leave(tx: &mut PgConnection, left: &Pairs) -> Result<(), Error> {
    if left.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        delete from cache.guilds
        using unnest($1::bigint[], $2::bigint[]) as gone (bot_id, guild_id)
        where guilds.bot_id = gone.bot_id and guilds.guild_id = gone.guild_id
        "#,
        &left.bots,
        &left.guilds,
    )
    .execute(tx)
    .await
    .attempt("delete guilds")
    .map(drop)
}

/// A guild that is not told of as a whole must be known.
async fn put_guilds(tx: &mut PgConnection, guilds: &Guilds) -> Result<(), Error> {
    if guilds.of.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into cache.guilds (
            bot_id, guild_id, version, known, unavailable, member_count, joined_us, data
        )
        select new.bot_id, new.guild_id, new.version, true, coalesce(old.unavailable and not new.whole, false),
            coalesce(new.member_count, old.member_count), coalesce(new.joined_us, old.joined_us), new.data
        from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[], $5::integer[], $6::bigint[], $7::bytea[])
            as new (bot_id, guild_id, version, whole, member_count, joined_us, data)
        left join cache.guilds as old on old.bot_id = new.bot_id and old.guild_id = new.guild_id and not new.whole
        where new.whole or old.known
        on conflict (bot_id, guild_id) do update
        set version = excluded.version,
            known = true,
            unavailable = excluded.unavailable,
            member_count = excluded.member_count,
            joined_us = excluded.joined_us,
            data = excluded.data
        where guilds.version < excluded.version
            and (not guilds.known, guilds.unavailable, guilds.member_count, guilds.joined_us, guilds.data)
                is distinct from
                (false, excluded.unavailable, excluded.member_count, excluded.joined_us, excluded.data)
        "#,
        &guilds.of.bots,
        &guilds.of.guilds,
        &guilds.versions,
        &guilds.whole,
        &guilds.member_counts as &[Option<i32>],
        &guilds.joined_us as &[Option<i64>],
        &guilds.data,
    )
    .execute(tx)
    .await
    .attempt("write guilds")
    .map(drop)
}

async fn darken(tx: &mut PgConnection, guilds: &Guilds) -> Result<(), Error> {
    if guilds.of.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into cache.guilds (bot_id, guild_id, version, known, unavailable, data)
        select bot_id, guild_id, version, false, true, data
        from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[]) as new (bot_id, guild_id, version, data)
        on conflict (bot_id, guild_id) do update
        set version = excluded.version, unavailable = true
        where guilds.version < excluded.version and not guilds.unavailable
        "#,
        &guilds.of.bots,
        &guilds.of.guilds,
        &guilds.versions,
        &guilds.data,
    )
    .execute(tx)
    .await
    .attempt("write outages")
    .map(drop)
}

async fn count(tx: &mut PgConnection, counts: &Counts) -> Result<(), Error> {
    if counts.of.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        update cache.guilds
        set member_count = greatest(member_count + more.by, 0)
        from unnest($1::bigint[], $2::bigint[], $3::integer[]) as more (bot_id, guild_id, by)
        where guilds.bot_id = more.bot_id and guilds.guild_id = more.guild_id and member_count is not null
        "#,
        &counts.of.bots,
        &counts.of.guilds,
        &counts.by,
    )
    .execute(tx)
    .await
    .attempt("count members")
    .map(drop)
}

/// Deletes what is not listed of the lists that are told of whole.
///
/// `not in` is looked up in a hash table. `not exists` is a join, and where statistics lack (after many guilds came at once, for one)
/// Postgres compared each row with all that are listed: 14 s for a batch of 64 guilds.
async fn sweep(tx: &mut PgConnection, sweeps: &Sweeps, listed: &Entities) -> Result<(), Error> {
    if sweeps.of.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        delete from cache.entities
        using unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[]) as list (bot_id, guild_id, kind, parent_id)
        where entities.bot_id = list.bot_id
            and entities.guild_id = list.guild_id
            and entities.kind = list.kind
            and (list.parent_id is null or entities.parent_id = list.parent_id)
            and (entities.bot_id, entities.guild_id, entities.kind, entities.id) not in (
                select * from unnest($5::bigint[], $6::bigint[], $7::smallint[], $8::bigint[])
            )
        "#,
        &sweeps.of.bots,
        &sweeps.of.guilds,
        &sweeps.kinds,
        &sweeps.parents as &[Option<i64>],
        &listed.of.bots,
        &listed.of.guilds,
        &listed.kinds,
        &listed.ids,
    )
    .execute(tx)
    .await
    .attempt("sweep lists")
    .map(drop)
}

async fn remove(tx: &mut PgConnection, gone: &Gone) -> Result<(), Error> {
    if gone.of.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        delete from cache.entities
        using unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[]) as gone (bot_id, guild_id, kind, id)
        where entities.bot_id = gone.bot_id
            and entities.guild_id = gone.guild_id
            and entities.kind = gone.kind
            and entities.id = gone.id
        "#,
        &gone.of.bots,
        &gone.of.guilds,
        &gone.kinds,
        &gone.ids,
    )
    .execute(tx)
    .await
    .attempt("delete entities")
    .map(drop)
}

/// Rows that are as they were are not written; nor are those of a guild that was never told of as a whole.
///
/// It is looked before: a row that conflicts is locked, which is written too, even where nothing is updated then. A guild's first
/// version has no rows yet.
async fn put_entities(tx: &mut PgConnection, entities: &Entities) -> Result<(), Error> {
    if entities.of.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into cache.entities (bot_id, guild_id, kind, id, parent_id, version, seen_ms, used_day, data)
        select new.bot_id, new.guild_id, new.kind, new.id, new.parent_id, new.version, new.seen_ms, new.used_day, new.data
        from unnest(
            $1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::integer[], $9::bytea[]
        ) as new (bot_id, guild_id, kind, id, parent_id, version, seen_ms, used_day, data)
        join cache.guilds on guilds.bot_id = new.bot_id and guilds.guild_id = new.guild_id and guilds.known
        where new.version = 1 or (
            select old.data = new.data and old.parent_id is not distinct from new.parent_id and old.used_day >= new.used_day
            from cache.entities as old
            where old.bot_id = new.bot_id and old.guild_id = new.guild_id and old.kind = new.kind and old.id = new.id
        ) is not true
        on conflict (bot_id, guild_id, kind, id) do update
        set parent_id = excluded.parent_id,
            version = excluded.version,
            seen_ms = excluded.seen_ms,
            used_day = greatest(entities.used_day, excluded.used_day),
            data = excluded.data
        where entities.version < excluded.version
            and (
                entities.data <> excluded.data
                or entities.parent_id is distinct from excluded.parent_id
                or entities.used_day < excluded.used_day
            )
        "#,
        &entities.of.bots,
        &entities.of.guilds,
        &entities.kinds,
        &entities.ids,
        &entities.parents as &[Option<i64>],
        &entities.versions,
        &entities.seen_ms,
        &entities.days,
        &entities.data,
    )
    .execute(tx)
    .await
    .attempt("write entities")
    .map(drop)
}

/// What was told last counts, whichever guild told it. Who is as before is not locked: the bot itself is in every guild.
pub(super) async fn put_users(tx: &mut PgConnection, users: Users) -> Result<(), Error> {
    let UserColumns { ids, seen_ms, days, data } = users.columns();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into cache.users (user_id, seen_ms, used_day, data)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bytea[]) as new (user_id, seen_ms, used_day, data)
        where (
            select old.seen_ms >= new.seen_ms or (old.data = new.data and old.used_day >= new.used_day)
            from cache.users as old
            where old.user_id = new.user_id
        ) is not true
        on conflict (user_id) do update
        set seen_ms = excluded.seen_ms,
            used_day = greatest(users.used_day, excluded.used_day),
            data = excluded.data
        where users.seen_ms < excluded.seen_ms
            and (users.data <> excluded.data or users.used_day < excluded.used_day)
        "#,
        &ids,
        &seen_ms,
        &days,
        &data,
    )
    .execute(tx)
    .await
    .attempt("write users")
    .map(drop)
}

pub(super) async fn move_places(tx: &mut PgConnection, moved: &[(Key, Place)]) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    // A guild that comes twice in a batch stands where the last update brought it.
    let moved: HashMap<Key, &Place> = moved.iter().map(|(key, place)| (*key, place)).collect();
    let column = |of: fn(&Place) -> i64| moved.values().map(|place| of(place)).collect::<Vec<i64>>();
    let (bots, guilds): (Vec<i64>, Vec<i64>) = moved.keys().copied().unzip();
    let sessions: Vec<String> = moved.values().map(|place| place.session.clone()).collect();
    let superseded: Vec<String> = moved.values().map(|place| place.superseded.join(" ")).collect();
    sqlx::query!(
        r#"
        update cache.places
        set session = new.session,
            sequence = new.sequence,
            received_ms = new.received_ms,
            superseded = new.superseded,
            version = new.version,
            epoch = new.epoch
        from unnest(
            $1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[]
        ) as new (bot_id, guild_id, session, sequence, received_ms, superseded, version, epoch)
        where places.bot_id = new.bot_id and places.guild_id = new.guild_id
        "#,
        &bots,
        &guilds,
        &sessions,
        &column(|place| place.sequence.cast_signed()),
        &column(|place| place.received_ms),
        &superseded,
        &column(|place| place.version.cast_signed()),
        &column(|place| place.epoch.cast_signed()),
    )
    .execute(tx)
    .await
    .attempt("move places")
    .map(drop)
}
