//! A seeded simulator with HTTP clients, and its end: a test in which Discord's description was broken has failed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use discord_sim::{
    Sim,
    seed::Seed,
    state::{State, kind},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, UserMarker},
    },
};

/// A running Discord with the demo's guild.
pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) seed: Seed,
    provoked: AtomicBool,
    /// Shared by all callers: making one takes longer than most tests.
    http: reqwest::Client,
}

/// An answer of the REST API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) json: Value,
}

/// Calls the REST API as somebody.
#[derive(Clone)]
pub(crate) struct Rest {
    base: String,
    token: String,
    agent: &'static str,
    http: reqwest::Client,
}

impl House {
    pub(crate) async fn build() -> Self {
        install_tls();
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        sim.write(|state| state.sessions.identify_interval = Some(Duration::ZERO));
        Self { sim, seed, provoked: AtomicBool::new(false), http: reqwest::Client::new() }
    }

    /// This test breaks Discord's description on purpose.
    pub(crate) fn provokes(&self) {
        self.provoked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn bot_token(&self) -> String {
        self.seed.token(&self.sim)
    }

    pub(crate) fn token(&self, user: Id<UserMarker>) -> String {
        self.sim.read(|state| state.users[&user].token.clone())
    }

    pub(crate) fn bot(&self) -> Rest {
        self.rest(format!("Bot {}", self.bot_token()))
    }

    pub(crate) fn person(&self, user: Id<UserMarker>) -> Rest {
        self.rest(self.token(user))
    }

    pub(crate) fn rest(&self, token: String) -> Rest {
        let agent = "DiscordBot (https://example.com, 1)";
        Rest { base: self.sim.api_url(), token, agent, http: self.http.clone() }
    }

    pub(crate) fn me(&self) -> Id<UserMarker> {
        self.seed.application.cast()
    }

    /// The bot's role stands below this one, and it grants nothing to anybody.
    pub(crate) fn revoke(&self, permissions: Permissions) {
        self.sim.write(|state| {
            for role in state.guilds.get_mut(&self.seed.guild).unwrap().roles.values_mut() {
                role.permissions.remove(permissions);
            }
        });
    }

    /// A channel that everybody sees.
    pub(crate) fn channel(&self, name: &str) -> Id<ChannelMarker> {
        self.sim.write(|state| state.add_channel(self.seed.guild, kind::TEXT, name, None))
    }

    pub(crate) fn state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.sim.read(look)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.sim.stop();
        if std::thread::panicking() || self.provoked.load(Ordering::Relaxed) {
            return;
        }
        let violations = self.sim.read(|state| state.ledger.violations.clone());
        assert!(violations.is_empty(), "against Discord's description: {violations:#?}");
    }
}

impl Rest {
    pub(crate) fn with_agent(mut self, agent: &'static str) -> Self {
        self.agent = agent;
        self
    }

    pub(crate) async fn get(&self, path: impl AsRef<str>) -> Answer {
        self.send(Method::GET, path.as_ref(), None).await
    }

    pub(crate) async fn post(&self, path: impl AsRef<str>, body: Value) -> Answer {
        self.send(Method::POST, path.as_ref(), Some(body)).await
    }

    pub(crate) async fn patch(&self, path: impl AsRef<str>, body: Value) -> Answer {
        self.send(Method::PATCH, path.as_ref(), Some(body)).await
    }

    pub(crate) async fn put(&self, path: impl AsRef<str>, body: Option<Value>) -> Answer {
        self.send(Method::PUT, path.as_ref(), body).await
    }

    pub(crate) async fn delete(&self, path: impl AsRef<str>) -> Answer {
        self.send(Method::DELETE, path.as_ref(), None).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// A request to fill further.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("user-agent", self.agent);
        if self.token.is_empty() { request } else { request.header("authorization", &self.token) }
    }
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Self { status, headers, json: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.json);
        self.json
    }

    /// Asserts a refusal with this status and Discord code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: u64) -> Value {
        assert_eq!((self.status, &self.json["code"]), (status, &json!(code)), "{}", self.json);
        self.json
    }

    /// Asserts a form error with this code at a dotted path.
    #[track_caller]
    pub(crate) fn form_error(self, path: &str, code: &str) {
        let body = self.refused(400, 50035);
        let found = path.split('.').fold(&body["errors"], |node, part| &node[part]);
        assert_eq!(found["_errors"][0]["code"], code, "{body}");
    }
}

/// Reads an id out of JSON.
#[track_caller]
pub(crate) fn id<T>(json: &Value) -> Id<T> {
    json.as_str().unwrap().parse().unwrap()
}

fn install_tls() {
    // Every test of this process wants to be the first.
    drop(rustls::crypto::ring::default_provider().install_default());
}
