//! The schema, and its place beside the tickets'.

use cache::store::Store;
use database::scratch::Scratch;
use sqlx::PgConnection;
use tokio::task::JoinSet;

use crate::support::{BOT, GUILD, another, apply, at, raw, told_whole, update};

async fn tables(connection: &mut PgConnection, schema: &str) -> Vec<String> {
    let sql = "select tablename::text from pg_tables where schemaname = $1 order by 1";
    sqlx::query_scalar(sql).bind(schema).fetch_all(connection).await.unwrap()
}

const OURS: [&str; 5] = ["_sqlx_migrations", "entities", "guilds", "places", "users"];

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_that_migrate_at_once_take_turns() {
    let scratch = Scratch::empty().await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let db = another(&scratch, 1).await;
        tasks.spawn(async move { db.migrate().await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let mut connection = raw(&scratch).await;
    assert_eq!(tables(&mut connection, "cache").await, OURS);
    assert!(tables(&mut connection, "public").await.is_empty());
}

#[tokio::test]
async fn it_lies_beside_the_tickets_in_one_database() {
    let scratch = Scratch::create().await.unwrap();
    let mut connection = raw(&scratch).await;
    let tickets = tables(&mut connection, "public").await;
    let db = another(&scratch, 2).await;
    for _ in 0..2 {
        db.migrate().await.unwrap();
        scratch.database.migrate().await.unwrap();
    }
    assert_eq!(tables(&mut connection, "cache").await, OURS);
    assert_eq!(tables(&mut connection, "public").await, tickets);
    // A connection that migrated would look into the cache's schema first: it is not given back.
    apply(&db, update(at("a", 2), [told_whole(GUILD)])).await;
    assert_eq!(db.count(BOT).await.unwrap(), 1);
    db.ping().await.unwrap();
}
