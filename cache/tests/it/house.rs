//! A Postgres of one test's own, topics of its own, and cache processes on them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use cache::{
    ClientConfig, Config, Members,
    change::{Change, Position, Update},
    news::{self, News},
    store::{CacheDatabase, Postgres, Store},
};
use common::service::Service;
use database::scratch::Scratch;
use event_stream::{KafkaConfig, Producer, ensure_topics, testing as topics};
use model::topics::CacheChange;
use reqwest::{RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use testing::wait::wait_for;
use tokio::net::TcpListener;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

pub(crate) const BOT: Id<ApplicationMarker> = Id::new(900);
pub(crate) const GUILD: Id<GuildMarker> = Id::new(100);
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What cache processes stand on, and who writes the truth for them.
pub(crate) struct House {
    pub(crate) db: Postgres,
    pub(crate) kafka: KafkaConfig,
    database: CacheDatabase,
    producer: Producer,
    _scratch: Scratch,
}

/// A cache process.
pub(crate) struct Process {
    pub(crate) addr: SocketAddr,
    pub(crate) service: Service,
    http: reqwest::Client,
}

impl House {
    pub(crate) async fn new() -> House {
        common::tls::install_provider();
        let scratch = Scratch::empty().await.unwrap();
        let database = CacheDatabase { uri: scratch.uri.clone(), threads: 4 };
        let db = Postgres::connect(&database).await.unwrap();
        db.migrate().await.unwrap();
        let kafka = topics::config();
        ensure_topics(&kafka).await.unwrap();
        let producer = topics::producer(&kafka).await.unwrap();
        House { db, kafka, database, producer, _scratch: scratch }
    }

    /// Another cache process of this house.
    pub(crate) async fn process(&self) -> Process {
        self.process_with(|_| {}).await
    }

    pub(crate) async fn process_with(&self, change: impl FnOnce(&mut Config)) -> Process {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut config = Config {
            server_addr: addr,
            shared_key: None,
            bot: None,
            members: Members { told: true, ..Members::default() },
            database: self.database.clone(),
            kafka: self.kafka.clone(),
        };
        change(&mut config);
        let service = Service::unattended("cache");
        tokio::spawn(cache::run(config, service.clone().with_listener(listener)));
        Process { addr, service, http: common::http::client("test").unwrap() }
    }

    /// Where the truth is.
    pub(crate) fn database_uri(&self) -> String {
        self.database.uri.expose_secret().to_owned()
    }

    /// What cache-sync-service does with an event.
    pub(crate) async fn happens(&self, bot: Id<ApplicationMarker>, sequence: u64, changes: Vec<Change>) {
        let news = self.happens_untold(bot, sequence, changes).await;
        news::tell(&self.producer, vec![news]).await.unwrap();
    }

    /// The same up to a crash before it is told; what it would have told.
    pub(crate) async fn happens_untold(
        &self,
        bot: Id<ApplicationMarker>,
        sequence: u64,
        changes: Vec<Change>,
    ) -> CacheChange {
        let position =
            Position { session: "s".to_owned(), sequence, received_ms: 1_000 * i64::try_from(sequence).unwrap() };
        let update = Update { bot, guild: GUILD, position, changes };
        let outcomes = self.db.apply(std::slice::from_ref(&update)).await.unwrap();
        News::of(&update, outcomes[0])
    }
}

impl Process {
    pub(crate) async fn ready(&self) {
        let ready = async || self.request("readyz").send().await.is_ok_and(|answer| answer.status().is_success());
        until("a cache that is ready", ready).await;
    }

    pub(crate) fn client(&self) -> ClientConfig {
        ClientConfig { uri: format!("http://{}", self.addr).parse().unwrap(), shared_key: None }
    }

    pub(crate) fn request(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("http://{}/{path}", self.addr))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(path).send().await.unwrap()
    }

    /// What it answers, or `None` where it knows nothing.
    pub(crate) async fn known(&self, path: &str) -> Option<Value> {
        let answer = self.get(path).await;
        match answer.status().as_u16() {
            404 => None,
            _ => Some(answer.error_for_status().unwrap().json().await.unwrap()),
        }
    }

    /// Waits until the guild has this name here.
    pub(crate) async fn names(&self, name: &str) {
        let path = format!("guilds/{GUILD}");
        until(name, async || self.known(&path).await.is_some_and(|guild| guild["name"] == name)).await;
    }
}

/// Waits for a state of which nobody tells.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    wait_for(what, PATIENCE, async || look().await.then_some(())).await;
}

/// A guild with a channel, a thread in it, a role and a member who has it.
pub(crate) fn whole(name: &str) -> Change {
    let whole = serde_json::json!({
        "guild": { "id": "100", "name": name, "owner_id": "1", "member_count": 2 },
        "channels": [{
            "id": "201", "type": 0, "name": "general",
            "permission_overwrites": [
                { "id": "100", "type": 0, "allow": "0", "deny": "1024" },
                { "id": "301", "type": 0, "allow": "1024", "deny": "0" },
            ],
        }],
        "threads": [{ "id": "202", "type": 11, "name": "more", "parent_id": "201", "thread_metadata": { "archived": false } }],
        "roles": [
            { "id": "100", "name": "@everyone", "permissions": "3072" },
            { "id": "301", "name": "Support", "permissions": "8192" },
        ],
        "emojis": [],
        "members": [
            { "user": { "id": "401", "username": "sam" }, "roles": ["301"], "nick": "Sam" },
            { "user": { "id": "402", "username": "mia" }, "roles": [] },
            { "user": { "id": "900", "username": "bot", "bot": true }, "roles": [] },
        ],
    });
    Change::Whole(Box::new(serde_json::from_value(whole).unwrap()))
}

/// The same guild without its lists.
pub(crate) fn renamed(name: &str) -> Change {
    let guild = serde_json::json!({ "id": "100", "name": name, "owner_id": "1" });
    Change::Guild(Box::new(serde_json::from_value(guild).unwrap()))
}
