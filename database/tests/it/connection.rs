use database::{Database, DatabaseConfig, Error, scratch::Scratch};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;

use crate::support::*;

async fn exists(server: &Scratch, name: &str) -> bool {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut raw(server).await)
        .await
        .unwrap()
}

fn name_of(scratch: &Scratch) -> String {
    let uri = scratch.uri.expose_secret();
    let name = uri.rsplit('/').next().unwrap();
    name.split('?').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_migrate_once() {
    let scratch = Scratch::empty().await.unwrap();
    let mut racing = JoinSet::new();
    for _ in 0..4 {
        let db = another(&scratch, 2).await;
        racing.spawn(async move { db.migrate().await });
    }
    for result in racing.join_all().await {
        result.unwrap();
    }
    scratch.database.migrate().await.unwrap();
    open_ticket(&scratch.database).await;
}

#[tokio::test]
async fn a_scratch_database_is_gone_after_its_test() {
    let server = scratch().await;
    let (dropped, closed) = (scratch().await, scratch().await);
    let names = [name_of(&dropped), name_of(&closed)];
    assert!(exists(&server, &names[0]).await);
    drop(dropped);
    closed.close().await.unwrap();
    for name in &names {
        assert!(!exists(&server, name).await, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_a_transient_error_without_the_password() {
    let config = DatabaseConfig { uri: "postgres://tickets:hush@127.0.0.1:1/tickets".into(), threads: 1 };
    let error = Database::connect(&config).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)));
    assert!(error.is_transient());
    assert!(!format!("{error:?} {config:?}").contains("hush"));
}

#[tokio::test]
async fn a_connection_that_the_server_dropped_is_replaced() {
    let scratch = scratch().await;
    let db = another(&scratch, 1).await;
    db.ping().await.unwrap();
    let killed: i64 = sqlx::query_scalar(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()",
    )
    .fetch_one(&mut raw(&scratch).await)
    .await
    .unwrap();
    assert!(killed >= 1);
    // The first use may find out the hard way; that error says that it is worth another try.
    if let Err(error) = db.settings().by_guild(GUILD).await {
        assert!(error.is_transient(), "{error:?}");
    }
    db.settings().by_guild(GUILD).await.unwrap();
}

#[tokio::test]
async fn a_server_that_became_read_only_is_waited_for_and_takes_writes_again() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let name = name_of(&scratch);
    let set = async |read_only: &str| {
        // Its own transaction must be allowed to write again.
        let mut admin = raw(&scratch).await;
        sqlx::query("set default_transaction_read_only = off").execute(&mut admin).await.unwrap();
        let change = format!("alter database {name} set default_transaction_read_only = {read_only}");
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&mut admin).await.unwrap();
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
        )
        .bind(&name)
        .execute(&mut admin)
        .await
        .unwrap();
    };
    let write = async || {
        let mut tx = db.begin().await?;
        tx.settings().set_category(GUILD, Some(fresh())).await?;
        tx.commit().await
    };
    write().await.unwrap();
    set("on").await;
    let read_only = loop {
        let error = write().await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        // A connection that was terminated fails by itself.
        if format!("{error:?}").contains("25006") {
            break error;
        }
    };
    assert!(!read_only.is_for_good());
    set("off").await;
    while let Err(error) = write().await {
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn what_a_transaction_changed_is_seen_after_its_commit() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let mut tx = db.begin().await.unwrap();
    let category = Some(fresh());
    tx.settings().set_category(GUILD, category).await.unwrap();
    assert_eq!(tx.settings().by_guild(GUILD).await.unwrap().category, category);
    assert_eq!(db.settings().by_guild(GUILD).await.unwrap().category, None);
    tx.commit().await.unwrap();
    assert_eq!(db.settings().by_guild(GUILD).await.unwrap().category, category);
}
