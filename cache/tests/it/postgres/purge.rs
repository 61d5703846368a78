//! Forgetting.

use cache::{
    change::{Change, Position, Update},
    store::{Memory, Purged, Store},
};
use twilight_model::id::{Id, marker::UserMarker};

use crate::support::{
    BOT, DAY_MS, GUILD, NOON_MS, OPENER, OTHER_GUILD, apply, at, fresh, held, raw, told_member, told_whole, update,
};

const OTHER: Id<UserMarker> = Id::new(302);

fn later(days: i64, sequence: u64, change: Change) -> Update {
    let position = Position { received_ms: NOON_MS + days * DAY_MS, ..at("a", sequence) };
    update(position, [change])
}

async fn members<S: Store>(store: &S) -> Vec<u64> {
    held(store).await.whole.members.iter().map(|member| member.id().unwrap().get()).collect()
}

#[tokio::test]
async fn members_whom_nobody_uses_go_and_the_bot_itself_stays() {
    let (_scratch, db) = fresh().await;
    let memory = Memory::new();
    for update in [later(0, 2, told_whole(GUILD)), later(10, 3, told_member(OTHER, "newer"))] {
        apply(&db, update.clone()).await;
        apply(&memory, update).await;
    }
    let since_ms = NOON_MS + 5 * DAY_MS;
    let purged = db.purge(since_ms, 100).await.unwrap();
    assert_eq!(purged, Purged { members: 1, users: 1, places: 0 });
    assert_eq!(memory.purge(since_ms), (1, 1));
    assert_eq!(members(&db).await, [BOT.get(), OTHER.get()]);
    assert_eq!(members(&memory).await, [BOT.get(), OTHER.get()]);
    assert_eq!(db.purge(since_ms, 100).await.unwrap(), Purged::default());
}

#[tokio::test]
async fn a_member_that_was_asked_for_stays() {
    let (_scratch, db) = fresh().await;
    apply(&db, later(0, 2, told_whole(GUILD))).await;
    db.note_uses(&[(BOT, GUILD, OPENER)], NOON_MS + 9 * DAY_MS).await.unwrap();
    // An older note does not undo it.
    db.note_uses(&[(BOT, GUILD, OPENER)], NOON_MS + DAY_MS).await.unwrap();
    db.purge(NOON_MS + 5 * DAY_MS, 100).await.unwrap();
    assert_eq!(members(&db).await, [BOT.get(), OPENER.get()]);
    db.purge(NOON_MS + 10 * DAY_MS, 100).await.unwrap();
    assert_eq!(members(&db).await, [BOT.get()]);
}

#[tokio::test]
async fn no_statement_deletes_more_than_it_may() {
    let (scratch, db) = fresh().await;
    apply(&db, later(0, 2, told_whole(GUILD))).await;
    let many: Vec<Change> = (1_000..1_010).map(|id| told_member(Id::new(id), "one of many")).collect();
    apply(&db, Update { changes: many, ..later(0, 3, Change::Left) }).await;
    let since_ms = NOON_MS + 5 * DAY_MS;
    let mut gone = 0;
    for _ in 0..3 {
        let purged = db.purge(since_ms, 4).await.unwrap();
        assert!(purged.members <= 4 && purged.users <= 4);
        gone += purged.members;
    }
    assert_eq!(gone, 11);
    let left: i64 =
        sqlx::query_scalar("select count(*) from cache.users").fetch_one(&mut raw(&scratch).await).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_guild_that_was_left_long_ago_loses_its_place_and_no_other_does() {
    let (scratch, db) = fresh().await;
    let other = Update { guild: OTHER_GUILD, ..later(0, 2, told_whole(OTHER_GUILD)) };
    for update in [later(0, 2, told_whole(GUILD)), later(1, 3, Change::Left), other] {
        apply(&db, update).await;
    }
    assert_eq!(db.purge(NOON_MS + DAY_MS, 100).await.unwrap().places, 0, "it was left on that day");
    assert_eq!(db.purge(NOON_MS + 2 * DAY_MS, 100).await.unwrap().places, 1);
    let places: Vec<i64> =
        sqlx::query_scalar("select guild_id from cache.places").fetch_all(&mut raw(&scratch).await).await.unwrap();
    assert_eq!(places, [OTHER_GUILD.get().cast_signed()]);
    // Joined again it begins anew.
    assert_eq!(apply(&db, later(30, 9, told_whole(GUILD))).await.version, 1);
}
