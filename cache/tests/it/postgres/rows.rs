//! Which rows are written, and whose.

use std::collections::BTreeMap;

use cache::{
    change::{Change, Position, Update},
    store::Store,
};
use sqlx::{AssertSqlSafe, PgConnection};
use twilight_model::id::Id;

use crate::support::{
    BOT, DAY_MS, GUILD, OPENER, OTHER_BOT, OTHER_GUILD, apply, at, channel, fresh, held, member, raw, told_member,
    told_whole, update,
};

/// Each row of a table with its place in the file and the transaction that wrote it.
async fn rows(connection: &mut PgConnection, table: &str) -> BTreeMap<String, String> {
    let key = match table {
        "entities" => "concat_ws(' ', bot_id, guild_id, kind, id)",
        "users" => "user_id::text",
        _ => "concat_ws(' ', bot_id, guild_id)",
    };
    // The row of a guild may be locked, which leaves its mark; those of which there are many may not.
    let lock = if table == "guilds" { "''" } else { "xmax" };
    let sql = format!("select {key}, concat_ws(' ', ctid, xmin, {lock}) from cache.{table}");
    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap().into_iter().collect()
}

/// The keys of rows that are not as they were.
fn written(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    assert!(before.keys().all(|key| after.contains_key(key)), "a row is gone");
    after.iter().filter(|(key, place)| before.get(*key) != Some(place)).map(|(key, _)| key.clone()).collect()
}

#[tokio::test]
async fn a_guild_that_is_told_of_again_as_it_was_writes_no_row_but_its_place() {
    let (scratch, db) = fresh().await;
    let mut connection = raw(&scratch).await;
    apply(&db, update(at("a", 2), [told_whole(GUILD)])).await;
    let (entities, guilds, users, places) = (
        rows(&mut connection, "entities").await,
        rows(&mut connection, "guilds").await,
        rows(&mut connection, "users").await,
        rows(&mut connection, "places").await,
    );
    assert_eq!((entities.len(), guilds.len(), users.len(), places.len()), (8, 1, 2, 1));
    for session in ["b", "c"] {
        apply(&db, update(at(session, 3), [told_whole(GUILD)])).await;
        assert_eq!(rows(&mut connection, "entities").await, entities);
        assert_eq!(rows(&mut connection, "guilds").await, guilds);
        assert_eq!(rows(&mut connection, "users").await, users);
    }
    assert_eq!(written(&places, &rows(&mut connection, "places").await).len(), 1);
    assert_eq!(held(&db).await.version, 3);
}

#[tokio::test]
async fn one_channel_that_is_another_writes_one_row() {
    let (scratch, db) = fresh().await;
    let mut connection = raw(&scratch).await;
    apply(&db, update(at("a", 2), [told_whole(GUILD)])).await;
    let (entities, guilds) = (rows(&mut connection, "entities").await, rows(&mut connection, "guilds").await);
    apply(&db, update(at("a", 3), [Change::Channel(channel(11, "renamed"))])).await;
    let after = rows(&mut connection, "entities").await;
    assert_eq!(written(&entities, &after), [format!("{BOT} {GUILD} 1 11")]);
    // Told of again, it is as it was.
    apply(&db, update(at("a", 4), [Change::Channel(channel(11, "renamed"))])).await;
    assert_eq!(rows(&mut connection, "entities").await, after);
    assert_eq!(rows(&mut connection, "guilds").await, guilds);
}

#[tokio::test]
async fn on_another_day_only_members_and_users_are_noted() {
    let (scratch, db) = fresh().await;
    let mut connection = raw(&scratch).await;
    apply(&db, update(at("a", 2), [told_whole(GUILD)])).await;
    let (entities, guilds) = (rows(&mut connection, "entities").await, rows(&mut connection, "guilds").await);
    let users = rows(&mut connection, "users").await;
    let tomorrow = Position { received_ms: at("b", 2).received_ms + DAY_MS, ..at("b", 2) };
    apply(&db, update(tomorrow, [told_whole(GUILD)])).await;
    let after = rows(&mut connection, "entities").await;
    assert_eq!(written(&entities, &after), [format!("{BOT} {GUILD} 5 {OPENER}"), format!("{BOT} {GUILD} 5 {BOT}")]);
    assert_eq!(written(&users, &rows(&mut connection, "users").await).len(), 2);
    assert_eq!(rows(&mut connection, "guilds").await, guilds);
}

#[tokio::test]
async fn what_is_refused_writes_nothing() {
    let (scratch, db) = fresh().await;
    let mut connection = raw(&scratch).await;
    apply(&db, update(at("a", 5), [told_whole(GUILD)])).await;
    let before = rows(&mut connection, "places").await;
    let late = update(at("a", 4), [told_member(Id::new(999), "late"), Change::Left]);
    assert!(!db.apply(&[late]).await.unwrap()[0].applied);
    let (places, users) = (rows(&mut connection, "places").await, rows(&mut connection, "users").await);
    // The lock is noted in the row; nothing else is.
    assert_eq!(places.len(), before.len());
    assert!(!users.contains_key("999"));
    assert_eq!(held(&db).await.whole.members.len(), 2);
}

#[tokio::test]
async fn a_guild_that_is_left_takes_its_lists_along_and_no_others() {
    let (scratch, db) = fresh().await;
    let mut connection = raw(&scratch).await;
    let of = |bot, guild, sequence, change| Update { bot, guild, position: at("a", sequence), changes: vec![change] };
    let told =
        [(BOT, GUILD), (BOT, OTHER_GUILD), (OTHER_BOT, GUILD)].map(|(bot, guild)| of(bot, guild, 2, told_whole(guild)));
    assert!(db.apply(&told).await.unwrap().iter().all(|outcome| outcome.applied));
    apply(&db, of(BOT, GUILD, 3, Change::Left)).await;
    let left = rows(&mut connection, "entities").await;
    assert_eq!(left.len(), 16);
    assert!(!left.keys().any(|key| key.starts_with(&format!("{BOT} {GUILD} "))));
    assert_eq!((db.count(BOT).await.unwrap(), db.count(OTHER_BOT).await.unwrap()), (1, 1));
    // Joined again, it knows nothing of before.
    apply(&db, of(BOT, GUILD, 4, Change::Unavailable)).await;
    let whole = held(&db).await.whole;
    assert!(!whole.guild.is_known() && whole.channels.is_empty());
}

#[tokio::test]
async fn two_bots_in_one_guild_are_kept_apart() {
    let (_scratch, db) = fresh().await;
    let of = |bot, sequence, change| Update { bot, guild: GUILD, position: at("a", sequence), changes: vec![change] };
    for bot in [BOT, OTHER_BOT] {
        apply(&db, of(bot, 2, told_whole(GUILD))).await;
    }
    let untouched = db.guild(OTHER_BOT, GUILD).await.unwrap().unwrap();
    let changes = [
        Change::ChannelGone(Id::new(11)),
        Change::Roles(vec![]),
        Change::Emojis(vec![]),
        Change::Channel(channel(12, "mine alone")),
        Change::MemberGone(OPENER),
        Change::Count(-1),
        Change::Unavailable,
        told_whole(GUILD),
        Change::Left,
    ];
    for (sequence, change) in (3..).zip(changes) {
        apply(&db, of(BOT, sequence, change)).await;
        assert_eq!(db.guild(OTHER_BOT, GUILD).await.unwrap().unwrap(), untouched);
    }
    assert_eq!(db.guild(BOT, GUILD).await.unwrap(), None);
    assert_eq!(db.guilds_of_shard(OTHER_BOT, 0, 1).await.unwrap(), [GUILD]);
    // Their sessions are their own, too.
    let again = of(OTHER_BOT, 3, Change::Member(Box::new(member(OPENER, "another nick"))));
    apply(&db, again).await;
    assert_eq!(db.guild(BOT, GUILD).await.unwrap(), None);
}

#[tokio::test]
async fn a_shards_guilds_are_those_of_discords_rule() {
    let (_scratch, db) = fresh().await;
    for guild in [GUILD, OTHER_GUILD] {
        let update = Update { bot: BOT, guild, position: at("a", 2), changes: vec![told_whole(guild)] };
        apply(&db, update).await;
    }
    assert_eq!(db.guilds_of_shard(BOT, 1, 2).await.unwrap(), [GUILD]);
    assert_eq!(db.guilds_of_shard(BOT, 0, 2).await.unwrap(), [OTHER_GUILD]);
    assert_eq!(db.guilds_of_shard(BOT, 0, 1).await.unwrap().len(), 2);
}
