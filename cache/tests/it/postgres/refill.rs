//! What Discord was asked for, beside what it tells. Both stores take the same and refuse the same.

use cache::{
    change::{Change, Position},
    entity::Member,
    store::{Memory, Postgres, Refill, Store},
};
use twilight_model::id::{Id, marker::UserMarker};

use crate::support::{
    BOT, GUILD, NOON_MS, OPENER, apply, at, channel, fresh, held, member, told_member, told_whole, update, whole,
};

const STRANGER: Id<UserMarker> = Id::new(401);

/// A database and a memory with the same in them.
struct Both {
    db: Postgres,
    memory: Memory,
}

impl Both {
    async fn apply(&self, sequence: u64, change: Change) {
        let update = update(at("a", sequence), [change]);
        apply(&self.db, update.clone()).await;
        apply(&self.memory, update).await;
        assert_eq!(self.epoch().await, self.memory.epoch(BOT, GUILD));
    }

    async fn epoch(&self) -> u64 {
        let page = self.db.look(BOT, GUILD).await.unwrap();
        page.held.first().map_or_else(|| page.absent.first().map_or(0, |absent| absent.3), |held| held.epoch)
    }

    /// Whether both take it.
    async fn refill(&self, member: Member, epoch: u64, read_ms: i64) -> bool {
        let refill = Refill { member, epoch, read_ms };
        let taken = self.db.refill(BOT, GUILD, &refill).await.unwrap();
        assert_eq!(self.memory.refill(BOT, GUILD, refill), taken);
        let (db, memory) = (self.db.guild(BOT, GUILD).await.unwrap(), self.memory.guild(BOT, GUILD).await.unwrap());
        assert_eq!(db, memory);
        taken
    }

    async fn nick(&self, user: Id<UserMarker>) -> Option<String> {
        let whole = held(&self.db).await.whole;
        let found = whole.members.into_iter().find(|member| member.id() == Some(user))?;
        Some(found.nick.as_str().to_owned())
    }
}

#[tokio::test]
async fn a_member_is_taken_unless_the_guild_went_on() {
    let (_scratch, db) = fresh().await;
    let both = Both { db, memory: Memory::new() };
    assert!(!both.refill(member(STRANGER, "asked"), 0, NOON_MS).await, "nothing is known of the guild");
    both.apply(2, told_whole(GUILD)).await;
    let epoch = both.epoch().await;
    // What is told of members outdates no answer.
    both.apply(3, told_member(OPENER, "told")).await;
    assert_eq!(both.epoch().await, epoch);
    assert!(both.refill(member(STRANGER, "asked"), epoch, NOON_MS + 100).await);
    assert_eq!(both.nick(STRANGER).await.as_deref(), Some("asked"));
    for (sequence, change) in (4..).zip([
        Change::MemberGone(STRANGER),
        Change::Channel(channel(11, "renamed")),
        Change::Unavailable,
        told_whole(GUILD),
    ]) {
        let epoch = both.epoch().await;
        both.apply(sequence, change).await;
        assert!(!both.refill(member(STRANGER, "before"), epoch, NOON_MS + 60_000).await);
        assert_eq!(both.nick(STRANGER).await, None);
    }
    both.apply(8, Change::Left).await;
    assert!(!both.refill(member(STRANGER, "after"), both.epoch().await, NOON_MS + 60_000).await);
    both.apply(9, Change::Unavailable).await;
    assert!(!both.refill(member(STRANGER, "after"), both.epoch().await, NOON_MS + 60_000).await);
}

#[tokio::test]
async fn an_answer_never_replaces_what_is_younger() {
    let (_scratch, db) = fresh().await;
    let both = Both { db, memory: Memory::new() };
    both.apply(2, told_whole(GUILD)).await;
    let epoch = both.epoch().await;
    assert!(!both.refill(member(OPENER, "older"), epoch, NOON_MS - 1_000).await);
    assert!(!both.refill(member(OPENER, "about as old"), epoch, NOON_MS + 1_000).await, "clocks differ");
    assert_eq!(both.nick(OPENER).await.as_deref(), Some("opener"));
    assert!(both.refill(member(OPENER, "younger"), epoch, NOON_MS + 30_000).await);
    assert!(!both.refill(member(OPENER, "older again"), epoch, NOON_MS + 20_000).await);
    assert_eq!(both.nick(OPENER).await.as_deref(), Some("younger"));
    // An event is always the truth.
    both.apply(3, told_member(OPENER, "told")).await;
    assert_eq!(both.nick(OPENER).await.as_deref(), Some("told"));
    let nobody = Member { user: None, ..member(OPENER, "nobody") };
    assert!(!both.refill(nobody, epoch, NOON_MS + 90_000).await);
}

#[tokio::test]
async fn a_guild_is_taken_where_nothing_is_known_of_it_and_it_did_not_go_on() {
    let (_scratch, db) = fresh().await;
    assert_eq!(db.refill_guild(BOT, whole(GUILD), 1, NOON_MS).await.unwrap(), None, "another epoch");
    assert_eq!(db.refill_guild(BOT, whole(GUILD), 0, NOON_MS).await.unwrap(), Some(1));
    assert_eq!(held(&db).await.whole, whole(GUILD));
    assert_eq!(db.refill_guild(BOT, whole(GUILD), 1, NOON_MS).await.unwrap(), None, "it is known");
    // It is no event: whatever comes first comes after it.
    let old = Position { received_ms: NOON_MS - 86_400_000, ..at("a", 2) };
    apply(&db, update(old, [Change::Left])).await;
    let epoch = db.look(BOT, GUILD).await.unwrap().absent[0].3;
    apply(&db, update(at("a", 3), [Change::Channel(channel(11, "nothing is known"))])).await;
    assert_eq!(db.refill_guild(BOT, whole(GUILD), epoch, NOON_MS).await.unwrap(), None, "it went on");
    // Nor does one in an outage have lists.
    apply(&db, update(at("a", 4), [Change::Unavailable])).await;
    let version = db.refill_guild(BOT, whole(GUILD), held(&db).await.epoch, NOON_MS).await.unwrap();
    assert_eq!(version, Some(5));
    assert_eq!(held(&db).await.whole.channels.len(), 2);
    assert!(!db.apply(&[update(at("a", 4), [Change::Left])]).await.unwrap()[0].applied, "the place is where it was");
}
