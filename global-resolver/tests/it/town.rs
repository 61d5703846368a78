//! Several gates before one Discord, each with its own way to the Redis of all.

use std::{net::SocketAddr, time::Duration};

use axum::http::Method;
use common::{
    redis::{
        RedisConfig, connect,
        deadpool_redis::redis::{AsyncCommands, cmd},
    },
    service::Service,
};
use global_resolver::{
    Config,
    config::Upstream as Discord,
    fleet::{FleetConfig, Settings},
};
use serde_json::Value;
use testing::{Door, wait::wait_for};
use tokio::runtime::Runtime;

use crate::upstream::{Hit, TOKEN, Upstream, header};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What gates are to have in common.
pub(crate) struct Town {
    pub(crate) upstream: Upstream,
    pub(crate) settings: Settings,
    pub(crate) global: u32,
    redis: RedisConfig,
    gates: usize,
}

/// A gate, as in a process of its own.
pub(crate) struct Gate {
    pub(crate) addr: SocketAddr,
    pub(crate) number: usize,
    /// Its way to Redis.
    pub(crate) redis: Door,
    service: Service,
    runtime: Option<Runtime>,
    client: reqwest::Client,
}

/// What a gate answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Why it is not Discord's.
    pub(crate) refused: String,
    pub(crate) body: Value,
}

impl Town {
    /// With the times of production, and with names of its own in the Redis of all tests.
    pub(crate) fn new() -> Self {
        let addr = std::env::var("REDIS_ADDR").expect("no Redis for this test: run scripts/test, or set REDIS_ADDR");
        Self::on_redis(addr)
    }

    pub(crate) fn on_redis(addr: String) -> Self {
        let settings = Settings { prefix: format!("resolver-test:{:x}", rand::random::<u64>()), ..Settings::default() };
        let redis = RedisConfig { addr, password: None, threads: 2 };
        Self { upstream: Upstream::default(), settings, global: 50, redis, gates: 0 }
    }

    /// With leases that end soon.
    pub(crate) fn in_a_hurry() -> Self {
        let mut town = Self::new();
        town.settings = town.hurry();
        town
    }

    /// Its settings with shorter times.
    pub(crate) fn hurry(&self) -> Settings {
        let ms = Duration::from_millis;
        Settings {
            prefix: self.settings.prefix.clone(),
            lease: ms(2_000),
            margin: ms(700),
            renewal: ms(80),
            patience: ms(200),
            idle: self.settings.idle,
            handover: ms(150),
            exchange: ms(50),
        }
    }

    /// Another gate. Redis is known: nobody must wait because it might have forgotten something.
    pub(crate) async fn gate(&mut self) -> Gate {
        self.gate_that_says(None).await
    }

    /// One that has the address of another for its own.
    pub(crate) async fn impostor(&mut self, of: &Gate) -> Gate {
        self.gate_that_says(Some(of.addr)).await
    }

    async fn gate_that_says(&mut self, said: Option<SocketAddr>) -> Gate {
        self.is_known().await;
        let number = self.gates;
        self.gates += 1;
        let discord = self.upstream.serve(number).await;
        let redis = Door::open_to(self.redis.addr.as_str()).await;
        let mut upstream = Discord::at(format!("http://{discord}/api/v10").parse().unwrap());
        upstream.global = self.global;
        let mut fleet = self.config("http://nowhere", redis.addr().to_string());

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let started = runtime.spawn(async move {
            let service = Service::unattended("global-resolver");
            let addr = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = service.listener(addr).await.unwrap();
            let addr = listener.local_addr().unwrap();
            fleet.url = format!("http://{}", said.unwrap_or(addr)).parse().unwrap();
            let config = Config { server_addr: addr, upstream, fleet: Some(fleet) };
            tokio::spawn(global_resolver::run(config, service.clone().with_listener(listener)));
            (addr, service)
        });
        let (addr, service) = started.await.unwrap();
        let client = common::http::client("test").unwrap();
        Gate { addr, number, redis, service, runtime: Some(runtime), client }
    }

    async fn is_known(&self) {
        let pool = connect(&self.redis);
        let mut redis = pool.get().await.unwrap();
        let server: String = cmd("INFO").arg("server").query_async(&mut redis).await.unwrap();
        let run = server.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().trim();
        let _: () = redis.set_ex(format!("{}:run", self.settings.prefix), run, 3600).await.unwrap();
    }

    /// How a gate is configured that others reach there, if its way to Redis is that.
    pub(crate) fn config(&self, url: &str, redis: String) -> FleetConfig {
        let redis = RedisConfig { addr: redis, ..self.redis.clone() };
        FleetConfig { url: url.parse().unwrap(), redis, settings: self.settings.clone() }
    }

    /// Where Redis itself is.
    pub(crate) fn redis(&self) -> String {
        self.redis.addr.clone()
    }

    /// The names of all keys of this town.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let pool = connect(&self.redis);
        let mut redis = pool.get().await.unwrap();
        redis.keys(format!("{}:*", self.settings.prefix)).await.unwrap()
    }

    /// What the next owners of bots find, as text.
    pub(crate) async fn memory(&self) -> Vec<String> {
        let pool = connect(&self.redis);
        let mut redis = pool.get().await.unwrap();
        let mut memory = Vec::new();
        for key in self.keys().await.iter().filter(|key| key.contains(":memory:")) {
            let fields: Vec<String> = redis.hkeys(key).await.unwrap();
            memory.extend(fields);
        }
        memory
    }

    /// What a flush does, on a Redis that others use too.
    pub(crate) async fn forget(&self) {
        let pool = connect(&self.redis);
        let mut redis = pool.get().await.unwrap();
        for key in self.keys().await {
            let _: u32 = redis.del(key).await.unwrap();
        }
    }

    /// The requests of the bot that came to Discord, and by which gate.
    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.upstream.hits()
    }

    /// By which gates requests came, in order, each run once.
    pub(crate) fn senders(&self) -> Vec<usize> {
        let mut senders: Vec<_> = self.hits().into_iter().map(|hit| hit.door).collect();
        senders.dedup();
        senders
    }
}

impl Gate {
    /// A call of the bot with this deadline.
    pub(crate) fn request(&self, method: Method, path: &str, deadline_ms: u64) -> reqwest::RequestBuilder {
        self.plain(method, path, deadline_ms).header("authorization", TOKEN)
    }

    /// The same without the bot's token.
    pub(crate) fn plain(&self, method: Method, path: &str, deadline_ms: u64) -> reqwest::RequestBuilder {
        let url = format!("http://{}/api/v10/{path}", self.addr);
        self.client.request(method, url).header("x-deadline-ms", deadline_ms)
    }

    pub(crate) async fn get(&self, path: &str, deadline_ms: u64) -> Answer {
        answer(self.request(Method::GET, path, deadline_ms)).await
    }

    pub(crate) async fn post(&self, path: &str, deadline_ms: u64) -> Answer {
        answer(self.request(Method::POST, path, deadline_ms)).await
    }

    pub(crate) async fn rename(&self, channel: &str, deadline_ms: u64) -> Answer {
        let request = self.request(Method::PATCH, channel, deadline_ms);
        answer(request.header("content-type", "application/json").body(r#"{"name":"closed"}"#)).await
    }

    /// A click is answered.
    pub(crate) async fn click(&self, id: usize) -> Answer {
        answer(self.plain(Method::POST, &format!("interactions/{id}/token-{id}/callback"), 2_000)).await
    }

    /// A page of the gate's own.
    pub(crate) async fn page(&self, path: &str) -> String {
        self.client.get(format!("http://{}{path}", self.addr)).send().await.unwrap().text().await.unwrap()
    }

    /// The value of a counter without labels of its own.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.page("/metrics").await;
        let line = page.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// How many bots it owns.
    pub(crate) async fn owned(&self) -> usize {
        let health: Value = serde_json::from_str(&self.page("/health").await).unwrap();
        find(&health, "owned").and_then(Value::as_array).unwrap().len()
    }

    /// Tells it to stop; it finishes what it does.
    pub(crate) fn stop(&self) {
        self.service.stop();
    }

    /// Ends it as SIGKILL would.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    match request.send().await {
        Ok(response) => {
            let (status, refused) = (response.status().as_u16(), header(&response, "x-resolver-refused"));
            let body = response.bytes().await.unwrap_or_default();
            Answer { status, refused, body: serde_json::from_slice(&body).unwrap_or_default() }
        }
        Err(_) => Answer { status: 0, refused: String::new(), body: Value::Null },
    }
}

fn find<'value>(value: &'value Value, name: &str) -> Option<&'value Value> {
    let fields = value.as_object()?;
    fields.get(name).or_else(|| fields.values().find_map(|value| find(value, name)))
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    wait_for(what, PATIENCE, async || is_so().await.then_some(())).await;
}
