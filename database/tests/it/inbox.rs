use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_click_is_new_for_one_of_many() {
    let scratch = scratch().await;
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let db = scratch.database.clone();
        racing.spawn(async move { db.inbox().take(BOT, "interaction:1").await.unwrap() });
    }
    let new = racing.join_all().await.into_iter().filter(|new| *new).count();
    assert_eq!(new, 1);
    assert!(scratch.database.inbox().take(OTHER_BOT, "interaction:1").await.unwrap());
}

#[tokio::test]
async fn a_click_whose_effect_was_undone_is_new_again() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let mut tx = db.begin().await.unwrap();
    assert!(tx.inbox().take(BOT, "interaction:1").await.unwrap());
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    assert!(tx.inbox().take(BOT, "interaction:1").await.unwrap());
    tx.commit().await.unwrap();
    assert!(!db.inbox().take(BOT, "interaction:1").await.unwrap());
    assert!(db.inbox().forget(BOT, "interaction:1").await.unwrap());
    assert!(!db.inbox().forget(BOT, "interaction:1").await.unwrap());
    assert!(db.inbox().take(BOT, "interaction:1").await.unwrap());
}

#[tokio::test]
async fn old_keys_are_forgotten() {
    let scratch = scratch().await;
    let mut inbox = scratch.database.inbox();
    inbox.take(BOT, "a").await.unwrap();
    let hour = Duration::hours(1);
    let now = OffsetDateTime::now_utc();
    assert_eq!(inbox.delete_before(now - hour).await.unwrap(), 0);
    assert_eq!(inbox.delete_before(now + hour).await.unwrap(), 1);
}
