//! Guilds for tests that know what is in them.

use cache::{
    change::{Change, Position, Update},
    entity::{Channel, Member, User, Whole},
    store::{CacheDatabase, Held, Outcome, Postgres, Store},
};
use database::scratch::Scratch;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

pub(crate) const BOT: Id<ApplicationMarker> = Id::new(77);
pub(crate) const OTHER_BOT: Id<ApplicationMarker> = Id::new(78);
pub(crate) const GUILD: Id<GuildMarker> = Id::new(1 << 22);
pub(crate) const OTHER_GUILD: Id<GuildMarker> = Id::new(2 << 22);
pub(crate) const OPENER: Id<UserMarker> = Id::new(301);

/// Noon of 2024-05-01.
pub(crate) const NOON_MS: i64 = 1_714_564_800_000;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A database with the schema.
pub(crate) async fn fresh() -> (Scratch, Postgres) {
    let scratch = Scratch::empty().await.unwrap();
    let db = another(&scratch, 8).await;
    db.migrate().await.unwrap();
    (scratch, db)
}

/// Connections to it, as another process has them.
pub(crate) async fn another(scratch: &Scratch, threads: u32) -> Postgres {
    Postgres::connect(&CacheDatabase { uri: scratch.uri.clone(), threads }).await.unwrap()
}

/// A connection for what the crate does not offer.
pub(crate) async fn raw(scratch: &Scratch) -> PgConnection {
    PgConnection::connect(scratch.uri.expose_secret()).await.unwrap()
}

/// At noon, and a millisecond later with each number.
pub(crate) fn at(session: &str, sequence: u64) -> Position {
    Position { session: session.to_owned(), sequence, received_ms: NOON_MS + sequence.cast_signed() }
}

pub(crate) fn update(position: Position, changes: impl Into<Vec<Change>>) -> Update {
    Update { bot: BOT, guild: GUILD, position, changes: changes.into() }
}

/// Applies one, which must be applied.
#[track_caller]
pub(crate) fn apply<S: Store>(store: &S, update: Update) -> impl Future<Output = Outcome> {
    let at = std::panic::Location::caller();
    async move {
        let outcome = store.apply(&[update]).await.unwrap()[0];
        assert!(outcome.applied, "{at}: it was refused");
        outcome
    }
}

pub(crate) async fn held<S: Store>(store: &S) -> Held {
    store.guild(BOT, GUILD).await.unwrap().unwrap()
}

/// Two channels, a thread in the first, two roles, an emoji and two members: the bot and the opener.
pub(crate) fn whole(guild: Id<GuildMarker>) -> Whole {
    let everyone = json!({ "id": guild, "permissions": "1024", "name": "@everyone" });
    let whole = json!({
        "guild": { "id": guild, "name": "A guild", "owner_id": "300", "member_count": 5 },
        "channels": [{ "id": "11", "name": "general" }, { "id": "12", "type": 4, "name": "tickets" }],
        "threads": [{ "id": "21", "type": 11, "parent_id": "11", "name": "ticket-1" }],
        "roles": [everyone, { "id": "31", "permissions": "8", "name": "staff" }],
        "emojis": [{ "id": "41", "name": "ticket" }],
        "members": [member(BOT.cast(), "the bot"), member(OPENER, "opener")],
    });
    let whole: Whole = serde_json::from_value(whole).unwrap();
    whole.sorted()
}

pub(crate) fn told_whole(guild: Id<GuildMarker>) -> Change {
    Change::Whole(Box::new(whole(guild)))
}

pub(crate) fn channel(id: u64, name: &str) -> Channel {
    serde_json::from_value(json!({ "id": id.to_string(), "name": name })).unwrap()
}

pub(crate) fn user(id: Id<UserMarker>) -> User {
    serde_json::from_value(json!({ "id": id, "username": format!("user-{id}") })).unwrap()
}

pub(crate) fn member(id: Id<UserMarker>, nick: &str) -> Member {
    let mut member: Member = serde_json::from_value(json!({ "nick": nick, "roles": ["31"] })).unwrap();
    member.user = Some(Box::new(user(id)));
    member
}

pub(crate) fn told_member(id: Id<UserMarker>, nick: &str) -> Change {
    Change::Member(Box::new(member(id, nick)))
}
