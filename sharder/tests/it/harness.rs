//! A simulated Discord with its guild, and sharders that come and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use common::{
    config::Value,
    discord::DiscordConfig,
    redis::{RedisConfig, deadpool_redis::Pool},
    service::Service,
};
use discord_sim::{Sim, seed::Seed};
use event_stream::{GatewayEvents, KafkaConfig, testing};
use model::topics::GatewayEvent;
use sharder::{
    Config,
    config::ShardRange,
    identify::Settings,
    sessions::{GatewaySession, Sessions},
    window::Position,
};
use tokio::{net::TcpListener, runtime::Runtime, task::JoinHandle};
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::door::Door;

/// How long a state may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What outlives a sharder.
pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) seed: Seed,
    pub(crate) kafka: KafkaConfig,
    /// Not the application's id but a random one: Redis is shared with other tests.
    pub(crate) bot: Id<ApplicationMarker>,
    redis: RedisConfig,
}

impl House {
    pub(crate) async fn build() -> Self {
        // The simulator's client wants one, and comes before any of ours.
        common::tls::install_provider();
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        sim.write(|state| state.sessions.identify_interval = Some(Duration::ZERO));
        let addr = std::env::var("REDIS_ADDR").expect("no Redis for this test: run scripts/test, or set REDIS_ADDR");
        let redis = RedisConfig { addr, password: None, threads: 2 };
        Self { sim, seed, kafka: testing::config(), bot: Id::new(rand::random::<u64>() >> 1 | 1), redis }
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            token: self.seed.token(&self.sim).into(),
            bot: Some(self.bot),
            shards: ShardRange::new(0, 1, 1).unwrap().into(),
            buckets: None,
            identify: Settings { interval: Duration::ZERO, ..Settings::default() },
            message_content: true,
            members: false,
            redis: self.redis.clone(),
            kafka: self.kafka.clone(),
            discord: DiscordConfig { api_url: Value::parse(&self.sim.api_url()).unwrap() },
            metrics_addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        }
    }

    /// A sharder that is ready, and whose session the next one could resume.
    pub(crate) async fn start(&self) -> Sharder {
        let sharder = Sharder::start(self.config()).await;
        sharder.until("/readyz", "ready").await;
        self.until_position_moves(None).await;
        sharder
    }

    /// A sharder that is ready, and reaches Kafka through a door.
    pub(crate) async fn start_behind_a_door(&self) -> (Sharder, Door) {
        let door = Door::open_to(&self.kafka.brokers).await;
        let mut config = self.config();
        config.kafka.brokers = door.addr();
        let sharder = Sharder::start(config).await;
        sharder.until("/readyz", "ready").await;
        (sharder, door)
    }

    /// A member writes this many messages.
    pub(crate) fn chat(&self, messages: usize) {
        self.sim.write(|state| {
            for number in 0..messages {
                state.say(
                    self.seed.general,
                    self.seed.member,
                    &format!("{number}: \"hé\" \\ 🎫 {{\"guild_id\":\"1\"}}"),
                );
            }
        });
    }

    /// A member writes one message.
    pub(crate) fn say(&self, text: &str) {
        self.sim.write(|state| state.say(self.seed.general, self.seed.member, text));
    }

    /// Every dispatch of the simulator, by session and sequence.
    pub(crate) fn dispatched(&self) -> BTreeMap<(String, u64), String> {
        self.sim.read(|state| {
            let all = state.ledger.dispatches.iter();
            all.map(|sent| ((sent.session_id.clone(), sent.sequence), sent.frame.to_string())).collect()
        })
    }

    /// Waits until Kafka has every dispatch, and returns all that it has, partition after partition.
    pub(crate) async fn all_in_kafka(&self) -> Vec<GatewayEvent> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.in_kafka().await;
            let mut missing = self.dispatched();
            for event in &events {
                missing.remove(&(event.session.clone(), event.sequence));
            }
            if missing.is_empty() {
                return events;
            }
            let lost: Vec<_> = missing.keys().map(|(_, sequence)| sequence).collect();
            assert!(Instant::now() < deadline, "Kafka lacks {lost:?}");
        }
    }

    /// Whether what came first of each event is in the order of its guild.
    pub(crate) fn assert_order(events: &[GatewayEvent]) {
        let (mut seen, mut last) = (BTreeSet::new(), BTreeMap::new());
        for event in events.iter().filter(|event| seen.insert((event.session.clone(), event.sequence))) {
            let before = last.insert((event.session.clone(), event.guild), event.sequence).unwrap_or(0);
            assert!(before < event.sequence, "{before} before {} of one guild", event.sequence);
        }
    }

    pub(crate) async fn in_kafka(&self) -> Vec<GatewayEvent> {
        let records = testing::read_all::<GatewayEvents>(&self.kafka, &self.kafka.events_topic).await.unwrap();
        records.into_iter().map(|(event, _)| event).collect()
    }

    pub(crate) fn pool(&self) -> Pool {
        common::redis::connect(&self.redis)
    }

    /// Where the next sharder would resume.
    pub(crate) async fn position(&self) -> Option<(String, u64)> {
        let sessions = Sessions::new(self.pool(), self.bot, 1);
        let Position { session, sequence } = sessions.load(0).await.unwrap()?;
        let GatewaySession { id, resume_url } = session.as_ref();
        assert_eq!(resume_url, &self.sim.gateway_url());
        Some((id.clone(), sequence))
    }

    /// Waits until everything dispatched may be resumed behind.
    pub(crate) async fn position_is_last(&self) -> (String, u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = self
                .sim
                .read(|state| state.ledger.dispatches.last().map(|sent| (sent.session_id.clone(), sent.sequence)));
            let position = self.position().await;
            match &position {
                Some(reached) if position == last => return reached.clone(),
                _ => {}
            }
            assert!(Instant::now() < deadline, "the position is {position:?} and not {last:?}");
        }
    }

    /// Waits until the position is another than `before`.
    pub(crate) async fn until_position_moves(&self, before: Option<(String, u64)>) {
        let deadline = Instant::now() + PATIENCE;
        while self.position().await == before {
            assert!(Instant::now() < deadline, "the position stays at {before:?}");
        }
    }

    pub(crate) fn identifies(&self) -> usize {
        self.sim.read(|state| state.sessions.identifies.len())
    }

    pub(crate) async fn until_identified(&self, times: usize) {
        self.sim.wait_for("an IDENTIFY", |state| (state.sessions.identifies.len() >= times).then_some(())).await;
    }

    pub(crate) async fn until_resumed(&self, times: u64) {
        self.sim.wait_for("a RESUME", |state| (state.sessions.resumes >= times).then_some(())).await;
    }
}

/// A sharder on threads of its own, so that it can die without a word.
pub(crate) struct Sharder {
    service: Service,
    addr: SocketAddr,
    runtime: Option<Runtime>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Sharder {
    pub(crate) async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = Service::unattended("sharder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // A socket belongs to the runtime that made it.
        let (listener, inside) = (listener.into_std().unwrap(), service.clone());
        let running = runtime.spawn(async move {
            let listener = TcpListener::from_std(listener)?;
            sharder::run(config, inside.with_listener(listener)).await
        });
        Self { service, addr, runtime: Some(runtime), running }
    }

    /// Ends as by SIGTERM.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.service.stop();
        self.ended().await
    }

    /// Ends as by SIGKILL: nothing is finished, nothing is stored, no close frame is sent.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, &mut self.running).await.expect("the sharder ends").unwrap()
    }

    /// Waits until `path` of its own HTTP says this, and returns all that it says.
    pub(crate) async fn until(&self, path: &str, said: &str) -> String {
        let http = common::http::client("test").unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut text = String::new();
        while Instant::now() < deadline {
            if let Ok(response) = http.get(format!("http://{}{path}", self.addr)).send().await {
                text = response.text().await.unwrap();
                if text.contains(said) {
                    return text;
                }
            }
            tokio::task::yield_now().await;
        }
        panic!("{path} does not say {said:?} but {text}");
    }

    /// The value of a metric without labels of its own.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.until("/metrics", name).await;
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Sharder {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
