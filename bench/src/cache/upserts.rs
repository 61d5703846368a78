//! B9: rows of guilds into Postgres with everything on the disk, and the same again when nothing changed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use cache::{
    change::Update,
    store::{Postgres, Store as _},
};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use twilight_model::id::Id;

use super::{
    database::{Scratch, checkpoint, logged},
    guilds::{self, BATCH, Session},
    servers::since,
    yardstick::{self, Way},
};
use crate::{Options, events::count, program::Times, report::median};

/// Guilds of a round.
const GUILDS: u64 = 2_560;
/// Transactions side by side.
const WRITERS: [u32; 3] = [1, 2, 4];

/// All of it.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) guilds: u64,
    /// Rows of `cache.entities`.
    pub(super) rows: u64,
    pub(super) writers: Vec<Writers>,
    /// Rows a second of a literal `insert … values`, of each round.
    pub(super) literal: Vec<f64>,
    /// The same of an `insert … select … from unnest` and nothing else.
    pub(super) unnest: Vec<f64>,
}

/// So many writers at once.
#[derive(Default, Serialize)]
pub(crate) struct Writers {
    pub(super) writers: u32,
    /// Rows of `cache.entities` a second by the wall, of each round.
    pub(super) rows_per_second: Vec<f64>,
    /// CPU microseconds of this process for a row.
    pub(super) own_us: Vec<f64>,
    /// CPU microseconds of Postgres for a row.
    pub(super) postgres_us: Vec<f64>,
    /// Bytes of the write-ahead log for a guild.
    pub(super) log_bytes: Vec<f64>,
    /// The same when a guild comes again as it was.
    pub(super) again_log_bytes: Vec<f64>,
    /// Guilds a second then.
    pub(super) again_per_second: Vec<f64>,
    /// Rows of entities, guilds and users that were written then.
    pub(super) again_written: Vec<i64>,
}

pub(super) fn measure(options: &Options) -> anyhow::Result<Measured> {
    let (rounds, guilds) = if options.quick { (1, GUILDS / 8) } else { (options.rounds, GUILDS) };
    let (began, bot) = (OffsetDateTime::now_utc(), Id::new(rand::random_range(1 << 40..1 << 60)));
    let updates = |name, began| {
        let session = Session { bot, name, began };
        (0..guilds).map(|number| session.update(number)).collect::<anyhow::Result<Arc<[Update]>>>()
    };
    let first = updates("4d9a1c1e5f0b4b1f8f0f6a7a4e6f2c11", began)?;
    // On the same day: once a day it is noted who was seen.
    let second = updates("9f3c5b7d1e2a4f608b1c3d5e7f901234", began + Duration::from_millis(1))?;
    let writers = WRITERS.map(|writers| Writers { writers, ..Writers::default() }).into();
    let mut measured = Measured { guilds, rows: 0, writers, literal: Vec::new(), unnest: Vec::new() };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for _ in 0..rounds {
            for number in 0..WRITERS.len() {
                let scratch = Scratch::with_schema().await?;
                measured.rows = measured.writers[number].round(&scratch, [first.clone(), second.clone()]).await?;
                if number == 0 {
                    measured.literal.push(yardstick::measure(&scratch, Way::Literal).await?);
                    measured.unnest.push(yardstick::measure(&scratch, Way::Unnest).await?);
                }
                scratch.remove().await?;
            }
        }
        anyhow::Ok(())
    })?;
    let best = measured.writers.iter().map(|writers| median(&writers.rows_per_second)).fold(0.0, f64::max);
    let unnest = median(&measured.unnest);
    eprintln!("B9: {best:.0} rows/s, unnest alone {unnest:.0}");
    Ok(measured)
}

impl Writers {
    async fn round(&mut self, scratch: &Scratch, sessions: [Arc<[Update]>; 2]) -> anyhow::Result<u64> {
        let store = scratch.store(self.writers).await?;
        let mut beside = scratch.connect().await?;
        let [first, second] = sessions;
        let guilds = count(first.len() as u64);
        checkpoint(&mut beside).await?;
        let (log, own, theirs) = (logged(&mut beside).await?, Times::of("self")?.own, scratch.server().cpu());
        let seconds = write(&store, first, self.writers).await?.as_secs_f64();
        let (own, theirs) =
            ((Times::of("self")?.own.saturating_sub(own)).as_secs_f64(), since(scratch.server().cpu(), theirs));
        self.log_bytes.push(bytes(logged(&mut beside).await? - log) / guilds);
        let rows: i64 = sqlx::query_scalar("select count(*) from cache.entities").fetch_one(&mut beside).await?;
        self.rows_per_second.push(bytes(rows) / seconds);
        self.own_us.push(1e6 * own / bytes(rows));
        self.postgres_us.extend(theirs.map(|theirs| 1e6 * theirs / bytes(rows)));

        let since: String = sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&mut beside).await?;
        checkpoint(&mut beside).await?;
        let log = logged(&mut beside).await?;
        let seconds = write(&store, second, self.writers).await?.as_secs_f64();
        self.again_log_bytes.push(bytes(logged(&mut beside).await? - log) / guilds);
        self.again_per_second.push(guilds / seconds);
        self.again_written.push(written_since(&mut beside, &since).await?);
        Ok(rows.unsigned_abs())
    }
}

/// Applies all updates in batches, and tells how long it took.
pub(super) async fn write(store: &Postgres, updates: Arc<[Update]>, writers: u32) -> anyhow::Result<Duration> {
    let (begin, next, mut all) = (Instant::now(), Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..writers {
        let (store, updates, next) = (store.clone(), updates.clone(), next.clone());
        all.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = updates.chunks(BATCH).nth(number) else { return anyhow::Ok(()) };
                let outcomes = store.apply(batch).await?;
                ensure!(outcomes.iter().all(|outcome| outcome.applied), "an update came too late");
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(begin.elapsed())
}

/// Rows that were written by transactions after this one. How far each guild is folded is a row that is written at each event, and is
/// not among them.
async fn written_since(connection: &mut PgConnection, transaction: &str) -> anyhow::Result<i64> {
    let written = sqlx::query_scalar(
        "select (select count(*) from cache.entities where age(xmin) < age($1::xid))
            + (select count(*) from cache.guilds where age(xmin) < age($1::xid))
            + (select count(*) from cache.users where age(xmin) < age($1::xid))",
    );
    Ok(written.bind(transaction).fetch_one(connection).await?)
}

/// Counts of a run are far below 2^52.
fn bytes(number: i64) -> f64 {
    number as f64
}

/// Fills a database with guilds.
pub(super) async fn fill(store: &Postgres, session: Session<'_>, guilds: u64) -> anyhow::Result<Vec<Update>> {
    let updates = (0..guilds).map(|number| session.update(number)).collect::<anyhow::Result<Vec<_>>>()?;
    for batch in updates.chunks(BATCH) {
        store.apply(batch).await?;
    }
    ensure!(guilds::whole(&updates[0]).is_ok(), "the first guild is not told of as a whole");
    Ok(updates)
}
