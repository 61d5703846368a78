//! The service on a real Kafka and a real Postgres.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::time::Duration;

use bytes::Bytes;
use cache::{
    news::News,
    store::{CacheDatabase, Held, Postgres, Store},
};
use cache_sync_service::Config;
use common::service::Service;
use database::scratch::Scratch;
use event_stream::{GatewayEvents, KafkaConfig, Producer, ensure_topics, testing as topics};
use model::topics::GatewayEvent;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testing::{Door, wait::until};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

const BOT: Id<ApplicationMarker> = Id::new(900);
const GUILD: Id<GuildMarker> = Id::new(100);
const PATIENCE: Duration = Duration::from_secs(30);

struct House {
    db: Postgres,
    kafka: KafkaConfig,
    producer: Producer,
    service: Service,
    /// Behind it stands Postgres, for the service.
    postgres: Door,
    _scratch: Scratch,
}

impl House {
    async fn new() -> House {
        common::tls::install_provider();
        let scratch = Scratch::empty().await.unwrap();
        let database = CacheDatabase { uri: scratch.uri.clone(), threads: 4 };
        let db = Postgres::connect(&database).await.unwrap();
        let (postgres, uri) = Door::shut_before_postgres(scratch.uri.expose_secret()).await;
        postgres.open();
        let database = CacheDatabase { uri: uri.into(), ..database };
        let kafka = topics::config();
        ensure_topics(&kafka).await.unwrap();
        let producer = topics::producer(&kafka).await.unwrap();
        let service = Service::unattended("cache-sync-service");
        let keep_unused = Duration::from_hours(24 * 365 * 100);
        let config = Config { metrics_addr: None, keep_unused, database, kafka: kafka.clone() };
        tokio::spawn(cache_sync_service::run(config, service.clone()));
        House { db, kafka, producer, service, postgres, _scratch: scratch }
    }

    async fn dispatch(&self, session: &str, sequence: u64, kind: &str, guild: Option<Id<GuildMarker>>, d: Value) {
        let payload = json!({ "op": 0, "s": sequence, "t": kind, "d": d }).to_string();
        self.dispatch_raw(session, sequence, kind, guild, payload).await;
    }

    async fn dispatch_raw(
        &self,
        session: &str,
        sequence: u64,
        kind: &str,
        guild: Option<Id<GuildMarker>>,
        payload: String,
    ) {
        let event = GatewayEvent {
            bot: BOT,
            shard: 0,
            session: session.to_owned(),
            sequence,
            kind: kind.to_owned(),
            guild,
            received_at: OffsetDateTime::now_utc(),
            trace: None,
            payload: Bytes::from(payload),
        };
        self.producer.send::<GatewayEvents>(&event).await.unwrap();
    }

    /// Waits until the guild is so.
    async fn becomes(&self, what: &str, so: impl Fn(Option<&Held>) -> bool) {
        // Before the service made the schema there is none.
        self.until(what, async || self.db.guild(BOT, GUILD).await.is_ok_and(|found| so(found.as_ref()))).await;
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let waiting = until(what, PATIENCE, async || so().await.then_some(())).await;
        assert!(waiting.is_ok(), "{waiting:?}; {:?}", self.service.not_ready());
    }
}

fn guild(name: &str) -> Value {
    json!({ "id": "100", "name": name, "owner_id": "1", "roles": [], "emojis": [], "channels": [], "members": [] })
}

fn is_named(found: Option<&Held>, name: &str) -> bool {
    found.is_some_and(|held| *held.whole.guild.name == *name)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_does_not_parse_dies_alone_and_one_that_comes_again_changes_nothing() {
    let house = House::new().await;
    house.dispatch("s", 1, "GUILD_CREATE", Some(GUILD), guild("one")).await;
    house.dispatch_raw("s", 2, "CHANNEL_CREATE", Some(GUILD), r#"{"d":{"id":"none"}}"#.to_owned()).await;
    house.dispatch("s", 3, "GUILD_UPDATE", Some(GUILD), guild("two")).await;
    house.becomes("the second name", |found| is_named(found, "two")).await;
    // As after a crash of the sharder: Discord says it once more.
    house.dispatch("s", 1, "GUILD_CREATE", Some(GUILD), guild("one")).await;
    house.dispatch("s", 4, "CHANNEL_CREATE", Some(GUILD), json!({ "id": "201", "type": 0, "name": "general" })).await;
    house.becomes("the channel", |found| found.is_some_and(|held| held.whole.channels.len() == 1)).await;
    house.becomes("the second name still", |found| is_named(found, "two")).await;
    let dead = topics::read_raw(&house.kafka, &topics::dead_letters_of(&house.kafka.events_topic)).await.unwrap();
    assert_eq!(dead.len(), 1);

    // All of it is told, the repetition as something to read anew.
    let told = topics::read_raw(&house.kafka, &house.kafka.cache_topic).await.unwrap();
    let mut news: Vec<News> =
        told.iter().map(|record| cache::decode(record.payload.as_ref().unwrap()).unwrap()).collect();
    assert_eq!(news.len(), 4, "{news:?}");
    news.retain(|news| *news == News::Reread);
    assert_eq!(news.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_begins_takes_out_the_guilds_that_it_does_not_name() {
    let house = House::new().await;
    let user = json!({ "id": "900", "username": "bot" });
    house.dispatch("a", 1, "GUILD_CREATE", Some(GUILD), guild("one")).await;
    house.becomes("the guild", |found| found.is_some()).await;
    // Another shard's guilds are not this one's business.
    house.dispatch("b", 1, "READY", None, json!({ "user": user, "guilds": [], "shard": [1, 2] })).await;
    house.dispatch("a", 2, "GUILD_UPDATE", Some(GUILD), guild("two")).await;
    house.becomes("the second name", |found| is_named(found, "two")).await;
    house.dispatch("c", 1, "READY", None, json!({ "user": user, "guilds": [], "shard": [0, 2] })).await;
    house.becomes("no guild", |found| found.is_none()).await;
    // Late news of the session before do not bring it back; the bot's return does.
    house.dispatch("a", 3, "GUILD_CREATE", Some(GUILD), guild("old")).await;
    house.dispatch("c", 2, "GUILD_CREATE", Some(GUILD), guild("new")).await;
    house.becomes("the guild again", |found| is_named(found, "new")).await;
    assert_eq!(house.db.guild(BOT, GUILD).await.unwrap().unwrap().version, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_events_wait_and_nothing_is_told() {
    let house = House::new().await;
    house.dispatch("s", 1, "GUILD_CREATE", Some(GUILD), guild("one")).await;
    house.becomes("the guild", |found| is_named(found, "one")).await;
    house.postgres.shut();
    for sequence in 2..=20 {
        house.dispatch("s", sequence, "GUILD_UPDATE", Some(GUILD), guild(&format!("number {sequence}"))).await;
    }
    house
        .until("to say that Postgres is away", async || {
            house.service.not_ready().iter().any(|why| why.contains("postgres"))
        })
        .await;
    assert!(is_named(house.db.guild(BOT, GUILD).await.unwrap().as_ref(), "one"));
    house.postgres.open();
    house.becomes("the last name", |found| is_named(found, "number 20")).await;
    house.until("to be ready", async || house.service.not_ready().is_empty()).await;
    // Each was folded once, in order, and none was given up.
    assert_eq!(house.db.guild(BOT, GUILD).await.unwrap().unwrap().version, 20);
    let dead = topics::read_raw(&house.kafka, &topics::dead_letters_of(&house.kafka.events_topic)).await.unwrap();
    assert!(dead.is_empty(), "{dead:?}");
    house
        .until("all to be told", async || {
            topics::read_raw(&house.kafka, &house.kafka.cache_topic).await.unwrap().len() == 20
        })
        .await;
}
