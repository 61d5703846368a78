use std::{num::NonZeroU32, time::Duration};

use common::crypto::Vault;
use model::{Activity, ActivityKind, NoticeState, Presence, PresenceStatus};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use super::{DueNotice, NewWhitelabelBot};
use crate::{Database, WhitelabelRow, scratch::Scratch};

const ONE: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TWO: &str = "2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const BOT: Id<ApplicationMarker> = Id::new(10);
const OTHER: Id<ApplicationMarker> = Id::new(11);
const OWNER: Id<UserMarker> = Id::new(500);
const MINUTE: Duration = Duration::from_secs(60);
const ALL: NonZeroU32 = NonZeroU32::MIN;

fn vault() -> Vault {
    Vault::new(&ONE.into()).unwrap()
}

fn token(bot: Id<ApplicationMarker>) -> SecretString {
    format!("plain-token-of-{bot}").into()
}

async fn add(db: &Database, bot: Id<ApplicationMarker>) -> bool {
    let new = NewWhitelabelBot { bot, owner: OWNER, token: token(bot), message_content: true };
    db.whitelabel_bots().insert(&vault(), &new).await.unwrap()
}

async fn read(db: &Database, bot: Id<ApplicationMarker>) -> WhitelabelRow {
    db.whitelabel_bots().by_id(bot).await.unwrap().unwrap()
}

async fn refuse(db: &Database, bot: Id<ApplicationMarker>, token_version: i32) -> bool {
    db.whitelabel_bots().mark_refused(bot, token_version, 4004, "the token is wrong").await.unwrap()
}

/// As a hand might, or a version that is newer.
async fn spoil(db: &Database, bot: Id<ApplicationMarker>) {
    let mut bots = db.whitelabel_bots();
    let mut connection = bots.0.connection().await.unwrap();
    sqlx::query(
        "update whitelabel_bots set health = 'refused', refused_code = -1, refused_reason = '', refused_at = now(), \
         notice = 'due' where bot_id = $1",
    )
    .bind(bot.get().cast_signed())
    .execute(&mut *connection)
    .await
    .unwrap();
}

async fn lease(db: &Database, lease: Duration) -> Option<DueNotice> {
    db.whitelabel_bots().lease_notice(0, ALL, lease).await.unwrap()
}

/// The whole table as text, bytes as they are.
async fn table(db: &Database) -> String {
    let mut bots = db.whitelabel_bots();
    let mut connection = bots.0.connection().await.unwrap();
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("select row_to_json(bot)::text, token from whitelabel_bots bot order by bot_id")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    rows.iter().map(|(row, token)| format!("{row} {}\n", String::from_utf8_lossy(token))).collect()
}

#[tokio::test]
async fn a_bot_is_added_once_and_its_token_is_read_back() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    assert!(add(db, BOT).await);
    assert!(!add(db, BOT).await, "it is there already");
    let row = read(db, BOT).await;
    assert_eq!((row.bot.bot, row.bot.owner, row.bot.token_version, row.bot.version), (BOT, OWNER, 1, 1));
    assert!(row.bot.enabled && row.bot.message_content && row.bot.refusal.is_none() && row.bot.presence.is_none());
    assert_eq!(row.token.open(&vault()).unwrap().expose_secret(), token(BOT).expose_secret());
    assert!(db.whitelabel_bots().by_id(OTHER).await.unwrap().is_none());
}

#[tokio::test]
async fn no_plain_token_is_in_a_row_or_in_its_debug_text() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    assert!(!table(db).await.contains("plain-token"));
    db.whitelabel_bots().set_token(&vault(), BOT, &"plain-token-anew".into()).await.unwrap();
    assert!(!table(db).await.contains("plain-token"));
    let text = format!("{:?}", read(db, BOT).await);
    assert!(text.contains("SealedToken") && !text.contains("bytes") && !text.contains("plain-token"), "{text}");
}

#[tokio::test]
async fn a_token_that_was_copied_into_another_bots_row_does_not_open() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    add(db, OTHER).await;
    {
        let mut bots = db.whitelabel_bots();
        let mut connection = bots.0.connection().await.unwrap();
        sqlx::query(
            "update whitelabel_bots set token = (select token from whitelabel_bots where bot_id = 10) where bot_id = 11",
        )
        .execute(&mut *connection)
        .await
        .unwrap();
    }
    assert!(read(db, BOT).await.token.open(&vault()).is_ok());
    assert!(read(db, OTHER).await.token.open(&vault()).is_err());
}

#[tokio::test]
async fn every_change_counts_the_version_up_and_leaves_other_bots_alone() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    add(db, OTHER).await;
    let untouched = read(db, OTHER).await;
    let presence = Presence {
        status: PresenceStatus::DoNotDisturb,
        activity: Some(Activity { kind: ActivityKind::Watching, text: "tickets".to_owned() }),
    };
    assert!(db.whitelabel_bots().set_presence(BOT, Some(&presence)).await.unwrap());
    assert_eq!(read(db, BOT).await.bot.presence, Some(presence));
    assert!(db.whitelabel_bots().set_presence(BOT, None).await.unwrap());
    assert_eq!(read(db, BOT).await.bot.presence, None);
    assert!(db.whitelabel_bots().disable(BOT).await.unwrap());
    assert!(!read(db, BOT).await.bot.enabled);
    assert!(db.whitelabel_bots().enable(BOT, Some(false)).await.unwrap());
    let version = db.whitelabel_bots().set_token(&vault(), BOT, &token(BOT)).await.unwrap().unwrap();
    assert!(refuse(db, BOT, version).await);
    let bot = read(db, BOT).await.bot;
    assert!(bot.enabled && !bot.message_content);
    assert_eq!((bot.version, bot.token_version), (7, version));
    assert!(db.whitelabel_bots().delete(BOT).await.unwrap());
    assert_eq!(read(db, OTHER).await, untouched);

    assert!(!db.whitelabel_bots().set_presence(BOT, None).await.unwrap(), "it is gone");
    assert!(!db.whitelabel_bots().disable(BOT).await.unwrap());
    assert!(!db.whitelabel_bots().enable(BOT, None).await.unwrap());
    assert!(!db.whitelabel_bots().delete(BOT).await.unwrap());
    assert_eq!(db.whitelabel_bots().set_token(&vault(), BOT, &token(BOT)).await.unwrap(), None);
}

#[tokio::test]
async fn processes_share_out_the_bots_and_none_is_left() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    for id in 10..20 {
        add(db, Id::new(id)).await;
    }
    let three = NonZeroU32::new(3).unwrap();
    let mut all = Vec::new();
    for process in 0..3 {
        let part = db.whitelabel_bots().list_part(process, three).await.unwrap();
        let part: Vec<_> = part.into_iter().map(Result::unwrap).collect();
        assert!(part.iter().all(|row| row.bot.bot.get() % 3 == u64::from(process)));
        all.extend(part.into_iter().map(|row| row.bot.bot.get()));
    }
    all.sort_unstable();
    assert_eq!(all, (10..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refusal_is_noted_once_with_its_reason() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    assert!(refuse(db, BOT, 1).await);
    assert!(!refuse(db, BOT, 1).await, "it is no news");
    let bot = read(db, BOT).await.bot;
    let refusal = bot.refusal.unwrap();
    assert_eq!((refusal.code, refusal.reason.as_str()), (4004, "the token is wrong"));
    assert_eq!((refusal.notice, bot.enabled), (NoticeState::Due, true));
}

#[tokio::test]
async fn the_refusal_of_an_old_token_does_not_touch_the_new_one() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    db.whitelabel_bots().set_token(&vault(), BOT, &token(BOT)).await.unwrap();
    assert!(!refuse(db, BOT, 1).await);
    assert_eq!(read(db, BOT).await.bot.refusal, None);
}

#[tokio::test]
async fn of_a_new_token_and_the_refusal_of_the_old_the_token_wins_in_any_order() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    for _ in 1..30 {
        let version = read(db, BOT).await.bot.token_version;
        let vault = vault();
        let (mut bots, token) = (db.whitelabel_bots(), token(BOT));
        let (set, _) = tokio::join!(bots.set_token(&vault, BOT, &token), refuse(db, BOT, version));
        assert!(set.unwrap() > Some(version));
        assert_eq!(read(db, BOT).await.bot.refusal, None, "version {version}");
        assert_eq!(lease(db, Duration::ZERO).await, None, "nobody is told of it");
    }
}

#[tokio::test]
async fn with_other_intents_a_bot_comes_anew_and_a_refusal_of_the_old_ones_is_of_no_interest() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    let before = read(db, BOT).await.bot.token_version;
    assert!(db.whitelabel_bots().enable(BOT, Some(true)).await.unwrap());
    assert_eq!(read(db, BOT).await.bot.token_version, before, "they are the same");
    assert!(db.whitelabel_bots().enable(BOT, Some(false)).await.unwrap());
    assert_ne!(read(db, BOT).await.bot.token_version, before);
    assert!(!refuse(db, BOT, before).await);
}

#[tokio::test]
async fn a_bot_that_was_removed_and_added_again_is_not_refused_for_its_old_token() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    let before = read(db, BOT).await.bot.token_version;
    assert!(db.whitelabel_bots().delete(BOT).await.unwrap());
    add(db, BOT).await;
    assert_ne!(read(db, BOT).await.bot.token_version, before);
    assert!(!refuse(db, BOT, before).await);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_no_other_back() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    add(db, OTHER).await;
    spoil(db, BOT).await;
    let rows = db.whitelabel_bots().list_part(0, NonZeroU32::MIN).await.unwrap();
    let (good, bad): (Vec<_>, Vec<_>) = rows.into_iter().partition(Result::is_ok);
    assert_eq!(good.into_iter().map(|row| row.unwrap().bot.bot).collect::<Vec<_>>(), [OTHER]);
    let bad: Vec<_> = bad.into_iter().map(Result::unwrap_err).collect();
    assert!(bad.len() == 1 && bad[0].bot == Some(BOT), "{bad:?}");
}

#[tokio::test]
async fn enabling_a_refused_bot_has_its_token_tried_anew() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    db.whitelabel_bots().enable(BOT, None).await.unwrap();
    assert_eq!(read(db, BOT).await.bot.token_version, 1, "nothing was wrong with it");
    refuse(db, BOT, 1).await;
    db.whitelabel_bots().enable(BOT, None).await.unwrap();
    let bot = read(db, BOT).await.bot;
    assert_eq!((bot.token_version, bot.refusal), (2, None));
    assert!(!refuse(db, BOT, 1).await, "a refusal that was on its way comes too late");
}

#[tokio::test]
async fn a_due_notice_is_given_to_one_until_its_lease_ends() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    assert_eq!(lease(db, MINUTE).await, None);
    refuse(db, BOT, 1).await;
    let notice = lease(db, Duration::ZERO).await.unwrap();
    assert_eq!(notice, DueNotice { bot: BOT, owner: OWNER, token_version: 1, code: 4004 });
    // Whoever had it died: its lease was over at once.
    assert_eq!(lease(db, MINUTE).await.as_ref(), Some(&notice));
    assert_eq!(lease(db, MINUTE).await, None, "it is being told");
    assert!(db.whitelabel_bots().settle_notice(&notice, true).await.unwrap());
    assert!(!db.whitelabel_bots().settle_notice(&notice, true).await.unwrap(), "once");
    assert_eq!(lease(db, Duration::ZERO).await, None);
    let told = read(db, BOT).await.bot.refusal.unwrap().notice;
    assert!(matches!(told, NoticeState::Told(_)), "{told:?}");
}

#[tokio::test]
async fn a_notice_that_cannot_be_delivered_is_not_due_again() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    refuse(db, BOT, 1).await;
    let notice = lease(db, MINUTE).await.unwrap();
    assert!(db.whitelabel_bots().settle_notice(&notice, false).await.unwrap());
    assert_eq!(read(db, BOT).await.bot.refusal.unwrap().notice, NoticeState::Undeliverable);
    assert_eq!(lease(db, Duration::ZERO).await, None);
}

#[tokio::test]
async fn of_many_who_take_notices_each_gets_another() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    for id in 10..20 {
        add(db, Id::new(id)).await;
        let version = read(db, Id::new(id)).await.bot.token_version;
        assert!(refuse(db, Id::new(id), version).await);
    }
    let mut takers = JoinSet::new();
    for _ in 0..15 {
        let db = db.clone();
        takers.spawn(async move { lease(&db, MINUTE).await });
    }
    let taken = takers.join_all().await;
    let mut taken: Vec<_> = taken.into_iter().flatten().map(|notice| notice.bot.get()).collect();
    taken.sort_unstable();
    let mut once = taken.clone();
    once.dedup();
    assert_eq!(taken, once, "nobody is told twice");
    // Who raced with another for the last one may have gone empty-handed.
    while let Some(notice) = lease(db, MINUTE).await {
        taken.push(notice.bot.get());
    }
    taken.sort_unstable();
    assert_eq!(taken, (10..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_notice_is_of_its_own_process() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    refuse(db, BOT, 1).await;
    let two = NonZeroU32::new(2).unwrap();
    assert_eq!(db.whitelabel_bots().lease_notice(1, two, MINUTE).await.unwrap(), None);
    assert!(db.whitelabel_bots().lease_notice(0, two, MINUTE).await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_is_sealed_anew_with_the_newest_key_unless_it_changed() {
    let scratch = Scratch::create().await.unwrap();
    let db = &scratch.database;
    add(db, BOT).await;
    let both = Vault::new(&format!("{TWO},{ONE}").into()).unwrap();
    let old = read(db, BOT).await;
    assert_eq!(old.token.key(), Some(1));
    let opened = old.token.open(&both).unwrap();
    assert!(db.whitelabel_bots().reseal(&both, &old, &opened).await.unwrap());
    let new = read(db, BOT).await;
    assert_eq!((new.token.key(), new.bot.version), (Some(2), old.bot.version), "nobody needs to reconnect");
    assert_eq!(new.token.open(&Vault::new(&TWO.into()).unwrap()).unwrap().expose_secret(), opened.expose_secret());
    assert!(!db.whitelabel_bots().reseal(&both, &old, &opened).await.unwrap(), "it is another one by now");
}
