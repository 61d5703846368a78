//! Processes that do nothing but connect the shards of one bot.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    config::Value,
    discord::{Discord, DiscordConfig},
    redis::{
        RedisConfig,
        deadpool_redis::{Pool, redis::AsyncCommands},
    },
};
use discord_sim::{Sim, ledger::Identify, seed::Seed};
use prometheus::Registry;
use sharder::{
    envelope::scan,
    identify::{Bot, Gate, Line, Passed, Settings},
    metrics::Metrics,
};
use tokio::{net::TcpListener, task::JoinSet};
use twilight_gateway::{ConfigBuilder, Intents, Message, Shard, ShardId};
use twilight_model::id::{Id, marker::ApplicationMarker};

/// Discord's interval in these tests, and ours.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);

/// As in production, but for the times.
pub(super) const SETTINGS: Settings = Settings {
    interval: INTERVAL,
    // This machine may be slow to hand on the first of two IDENTIFYs.
    margin: Duration::from_millis(150),
    lease: Duration::from_millis(600),
    patience: Duration::from_millis(1_500),
    reserve: 10,
    fresh: Duration::from_millis(500),
};

/// A Discord with one bot, and the Redis of its processes.
pub(super) struct Fleet {
    pub(super) sim: Sim,
    pub(super) seed: Seed,
    /// Not the application's id but a random one: Redis is shared with other tests.
    pub(super) bot: Id<ApplicationMarker>,
    pub(super) redis: RedisConfig,
    pub(super) settings: Settings,
    buckets: u32,
}

impl Fleet {
    pub(super) async fn with_buckets(buckets: u32) -> Self {
        let addr = std::env::var("REDIS_ADDR").expect("no Redis for this test: run scripts/test, or set REDIS_ADDR");
        Self::on_redis(buckets, addr).await
    }

    pub(super) async fn on_redis(buckets: u32, addr: String) -> Self {
        common::tls::install_provider();
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        sim.write(|state| {
            state.sessions.identify_interval = Some(INTERVAL);
            state.applications.get_mut(&seed.application).unwrap().max_concurrency = buckets;
        });
        let bot = Id::new(rand::random::<u64>() >> 1 | 1);
        Self { sim, seed, bot, redis: RedisConfig { addr, password: None, threads: 2 }, settings: SETTINGS, buckets }
    }

    /// A process with a Redis pool and a memory of its own.
    pub(super) fn process(&self) -> Process {
        self.process_that_is(false)
    }

    /// A process; `sole` where it believes to be the only one.
    pub(super) fn process_that_is(&self, sole: bool) -> Process {
        let config = DiscordConfig { api_url: Value::parse(&self.sim.api_url()).unwrap() };
        let discord = Discord::new(&config, self.seed.token(&self.sim).into()).unwrap();
        let registry = Registry::new();
        let bot = Bot { id: self.bot, discord, buckets: None, sole, alone: true };
        let line = Line::new(common::redis::connect(&self.redis), bot, self.settings, Metrics::new(&registry).unwrap());
        let config = ConfigBuilder::new(self.seed.token(&self.sim), Intents::GUILDS)
            .proxy_url(self.sim.gateway_url().trim_end_matches('/').to_owned())
            .build();
        Process { line, registry, config: Arc::new(config) }
    }

    pub(super) fn pool(&self) -> Pool {
        common::redis::connect(&self.redis)
    }

    /// What a flush does to this bot, on a Redis that others use too.
    pub(super) async fn forget(&self) {
        let mut redis = self.pool().get().await.unwrap();
        let bot = format!("sharder:identify:{{{}}}", self.bot);
        let buckets =
            (0..self.buckets).flat_map(|bucket| ["", ":queue", ":seen"].map(|part| format!("{bot}:{bucket}{part}")));
        let keys: Vec<_> = buckets.chain([bot.clone()]).collect();
        let _: u32 = redis.del(keys).await.unwrap();
    }

    /// How many wait for a bucket.
    pub(super) async fn waiting(&self, bucket: u32) -> usize {
        let mut redis = self.pool().get().await.unwrap();
        redis.zcard(format!("sharder:identify:{{{}}}:{bucket}:queue", self.bot)).await.unwrap()
    }

    /// Tells, without any runtime, whether somebody holds a slot of the bucket.
    pub(super) fn holder(&self, bucket: u32) -> impl FnMut() -> bool + Send + 'static {
        let mut redis = TcpStream::connect(&self.redis.addr).unwrap();
        let question = format!("HGET sharder:identify:{{{}}}:{bucket} holder\r\n", self.bot);
        move || {
            redis.write_all(question.as_bytes()).unwrap();
            let mut answer = [0; 64];
            let read = redis.read(&mut answer).unwrap();
            // The length of a text: "$-1" without a field, "$0" for nobody.
            answer[..read].starts_with(b"$32")
        }
    }

    /// What Discord accepted, in order.
    pub(super) fn identifies(&self) -> Vec<Identify> {
        self.sim.read(|state| state.ledger.identifies.clone())
    }

    /// Nobody was too fast, and every one of these shards identified once.
    pub(super) fn finish(&self, shards: u32) {
        let violations = self.sim.read(|state| state.ledger.violations.clone());
        assert!(violations.is_empty(), "{violations:#?}");
        let mut identified: Vec<_> = self.identifies().into_iter().map(|identify| identify.shard[0]).collect();
        identified.sort_unstable();
        assert_eq!(identified, (0..shards).collect::<Vec<_>>());
    }
}

/// What shards of one process share.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) line: Line,
    pub(super) registry: Registry,
    config: Arc<twilight_gateway::Config>,
}

impl Process {
    /// Connects these shards of `total`, all at once. The number of IDENTIFYs that Discord refused.
    pub(super) async fn connect(&self, shards: impl IntoIterator<Item = u32>, total: u32) -> u32 {
        let mut connecting = JoinSet::new();
        for number in shards {
            connecting.spawn(self.clone().connect_one(number, total));
        }
        connecting.join_all().await.into_iter().sum()
    }

    async fn connect_one(self, number: u32, total: u32) -> u32 {
        let gate = self.line.gate(number);
        self.ready(self.shard(number, total, &gate), &gate).await
    }

    /// A shard that has yet to connect.
    pub(super) fn shard(&self, number: u32, total: u32, gate: &Gate) -> Shard<Gate> {
        let config = ConfigBuilder::from(twilight_gateway::Config::clone(&self.config)).queue(gate.clone());
        Shard::with_config(ShardId::new(number, total), config.build())
    }

    /// Goes on until the shard is ready.
    pub(super) async fn ready(&self, mut shard: Shard<Gate>, gate: &Gate) -> u32 {
        let (id, mut refused) = (shard.id(), 0);
        loop {
            match gate.next(&mut shard).await {
                Passed::Item(Some(Ok(Message::Text(text)))) => {
                    let envelope = scan(&text).unwrap();
                    match (envelope.op, envelope.kind.as_deref()) {
                        (0, Some("READY")) => return refused,
                        (9, _) => refused += 1,
                        _ => {}
                    }
                }
                Passed::Item(Some(_)) => {}
                Passed::Item(None) => panic!("shard {id} was closed for good"),
                Passed::Refused(error) => panic!("{error}"),
            }
        }
    }

    /// The value of a gauge without labels.
    pub(super) fn gauge(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        families.iter().find(|family| family.name() == name).unwrap().get_metric()[0].get_gauge().get_value()
    }
}

/// How long it takes.
pub(super) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    (future.await, begun.elapsed())
}
