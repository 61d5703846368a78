//! What B9 is held against: the same rows of `cache.entities`, by statements that do nothing else.

use std::{fmt::Write as _, time::Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, prelude::FromRow};

use super::{
    database::{Scratch, checkpoint},
    guilds::BATCH,
};
use crate::events::count;

/// Of a batch: a reference guild has 90.
const ROWS: usize = 90 * BATCH;
const INTO: &str =
    "insert into cache.entities (bot_id, guild_id, kind, id, parent_id, version, seen_ms, used_day, data)";
/// Whatever is there is overwritten.
const UPSERT: &str = "on conflict (bot_id, guild_id, kind, id) do update set parent_id = excluded.parent_id, \
                      version = excluded.version, seen_ms = excluded.seen_ms, used_day = excluded.used_day, data = excluded.data";

/// How rows are written.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// `insert … values (…), (…)`, all in the text.
    Literal,
    /// `insert … select … from unnest`, a column an argument.
    Unnest,
}

#[derive(FromRow)]
struct Row {
    bot_id: i64,
    guild_id: i64,
    kind: i16,
    id: i64,
    parent_id: Option<i64>,
    version: i64,
    seen_ms: i64,
    used_day: i32,
    data: Vec<u8>,
}

/// Rows a second: those of a filled database, once more into an empty one.
pub(super) async fn measure(filled: &Scratch, way: Way) -> anyhow::Result<f64> {
    let rows: Vec<Row> =
        sqlx::query_as("select * from cache.entities order by ctid").fetch_all(&mut filled.connect().await?).await?;
    let empty = Scratch::with_schema().await?;
    let mut connection = empty.connect().await?;
    checkpoint(&mut connection).await?;
    let begin = Instant::now();
    for batch in rows.chunks(ROWS) {
        let mut tx = connection.begin().await?;
        match way {
            Way::Literal => literal(&mut tx, batch).await?,
            Way::Unnest => unnest(&mut tx, batch).await?,
        }
        tx.commit().await?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    connection.close().await?;
    empty.remove().await?;
    Ok(count(rows.len() as u64) / seconds)
}

async fn literal(connection: &mut PgConnection, rows: &[Row]) -> anyhow::Result<()> {
    let mut sql = format!("{INTO} values ");
    for (number, row) in rows.iter().enumerate() {
        let Row { bot_id, guild_id, kind, id, parent_id, version, seen_ms, used_day, data } = row;
        let parent = parent_id.map_or("null".to_owned(), |parent| parent.to_string());
        let comma = if number == 0 { "" } else { "," };
        write!(sql, "{comma}({bot_id},{guild_id},{kind},{id},{parent},{version},{seen_ms},{used_day},'\\x")?;
        for byte in data {
            write!(sql, "{byte:02x}")?;
        }
        sql.push_str("')");
    }
    write!(sql, " {UPSERT}")?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

async fn unnest(connection: &mut PgConnection, rows: &[Row]) -> anyhow::Result<()> {
    let sql = format!(
        "{INTO} select * from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], \
         $6::bigint[], $7::bigint[], $8::integer[], $9::bytea[]) {UPSERT}"
    );
    fn column<T>(rows: &[Row], of: impl Fn(&Row) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let data: Vec<&[u8]> = rows.iter().map(|row| row.data.as_slice()).collect();
    sqlx::query(AssertSqlSafe(sql))
        .bind(column(rows, |row| row.bot_id))
        .bind(column(rows, |row| row.guild_id))
        .bind(column(rows, |row| row.kind))
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.parent_id))
        .bind(column(rows, |row| row.version))
        .bind(column(rows, |row| row.seen_ms))
        .bind(column(rows, |row| row.used_day))
        .bind(data)
        .execute(connection)
        .await?;
    Ok(())
}
