//! A simulated Discord with customers who have bots of their own, and processes that hold them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use common::{config::Value, crypto::Vault, discord::DiscordConfig, redis::RedisConfig, service::Service};
use database::{Database, DatabaseConfig, NewWhitelabelBot, WhitelabelRow, scratch::Scratch};
use discord_sim::{
    Sim,
    seed::Seed,
    state::{Message, Principal, State, kind},
};
use event_stream::{GatewayEvents, KafkaConfig, testing};
use model::topics::GatewayEvent;
use secrecy::ExposeSecret;
use sharder::{
    identify::Settings,
    whitelabel::{self, Config, Process, Timing, announce},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
    task::JoinHandle,
};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, UserMarker},
};
use url::Url;

use crate::harness::PATIENCE;

/// Key 1, all zeros.
pub(crate) const KEYS: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What outlives a process.
pub(crate) struct Town {
    pub(crate) sim: Sim,
    /// The public bot and its guild.
    pub(crate) seed: Seed,
    pub(crate) scratch: Scratch,
    pub(crate) kafka: KafkaConfig,
    pub(crate) vault: Vault,
    pub(crate) redis: RedisConfig,
    /// A channel that no other test signals on.
    signal: String,
}

/// A customer with a bot, in a guild of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Customer {
    pub(crate) owner: Id<UserMarker>,
    pub(crate) bot: Id<ApplicationMarker>,
    pub(crate) channel: Id<ChannelMarker>,
}

impl Town {
    pub(crate) async fn build() -> Self {
        common::tls::install_provider();
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        sim.write(|state| state.sessions.identify_interval = Some(Duration::ZERO));
        let addr = std::env::var("REDIS_ADDR").expect("no Redis for this test: run scripts/test, or set REDIS_ADDR");
        Self {
            sim,
            seed,
            scratch: Scratch::create().await.unwrap(),
            kafka: testing::config(),
            vault: Vault::new(&KEYS.into()).unwrap(),
            redis: RedisConfig { addr, password: None, threads: 4 },
            signal: format!("whitelabel:test:{}", rand::random::<u64>()),
        }
    }

    pub(crate) fn db(&self) -> &Database {
        &self.scratch.database
    }

    /// A customer with a bot whose id is odd or even. Not added to Tickets yet.
    pub(crate) fn customer(&self, odd: bool) -> Customer {
        // Random, because sessions lie in a Redis that is shared with other tests.
        let bot = Id::<ApplicationMarker>::new((rand::random::<u64>() >> 2 | 1 << 61) & !1 | u64::from(odd));
        self.sim.write(|state| {
            let owner = state.add_person("cleo", "Cleo", None);
            let made = state.add_application("Cleo's bot");
            let (mut application, mut user) =
                (state.applications.remove(&made).unwrap(), state.users.remove(&made.cast()).unwrap());
            (application.id, user.id) = (bot, bot.cast());
            state.applications.insert(bot, application);
            state.users.insert(bot.cast(), user);
            let guild = state.add_guild("Cleo's", owner);
            let channel = state.add_channel(guild, kind::TEXT, "general", None);
            state.install(guild, bot);
            Customer { owner, bot, channel }
        })
    }

    /// Its token at Discord.
    pub(crate) fn token(&self, customer: Customer) -> String {
        self.sim.read(|state| state.users[&customer.bot.cast()].token.clone())
    }

    /// A row for a customer's bot; nobody is told.
    pub(crate) async fn add_silently(&self, customer: Customer) {
        let Customer { bot, owner, .. } = customer;
        let new = NewWhitelabelBot { bot, owner, token: self.token(customer).into(), message_content: true };
        assert!(self.db().whitelabel_bots().insert(&self.vault, &new).await.unwrap());
    }

    /// A row, and the signal for it.
    pub(crate) async fn add(&self, customer: Customer) {
        self.add_silently(customer).await;
        self.signal(customer).await;
    }

    pub(crate) async fn signal(&self, customer: Customer) {
        announce(&common::redis::connect(&self.redis), &self.signal, customer.bot).await.unwrap();
    }

    /// The token that Discord has now becomes the row's.
    pub(crate) async fn set_token(&self, customer: Customer) {
        let token = self.token(customer).into();
        self.db().whitelabel_bots().set_token(&self.vault, customer.bot, &token).await.unwrap().unwrap();
        self.signal(customer).await;
    }

    pub(crate) async fn row(&self, customer: Customer) -> WhitelabelRow {
        self.db().whitelabel_bots().by_id(customer.bot).await.unwrap().unwrap()
    }

    /// Waits until its row is as wanted.
    pub(crate) async fn until_row(
        &self,
        customer: Customer,
        what: &str,
        wanted: impl Fn(&WhitelabelRow) -> bool,
    ) -> WhitelabelRow {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let row = self.row(customer).await;
            if wanted(&row) {
                return row;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {row:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until its session is connected, and answers the session's id.
    pub(crate) async fn connected(&self, customer: Customer) -> String {
        self.sim
            .wait_for("a connected session of the bot", |state| {
                let mut sessions = state.sessions.by_id.values();
                let session = sessions
                    .find(|session| session.principal == Principal::Bot(customer.bot) && session.connected())?;
                Some(session.id.clone())
            })
            .await
    }

    /// How often it identified, resumed, and how its connections ended.
    pub(crate) fn history(&self, customer: Customer) -> (usize, usize, Vec<Option<u16>>) {
        self.sim.read(|state| {
            let ledger = &state.ledger;
            let identifies = ledger.identifies.iter().filter(|identify| identify.bot == customer.bot).count();
            let resumes = ledger.resumes.iter().filter(|resume| resume.bot == customer.bot).count();
            let closes = ledger.closes.iter().filter(|close| close.bot == customer.bot);
            (identifies, resumes, closes.map(|close| close.code).collect())
        })
    }

    /// How often Discord's REST API refused a token.
    pub(crate) fn refused_requests(&self) -> usize {
        self.sim.read(|state| state.ledger.requests.iter().filter(|request| request.status == 401).count())
    }

    /// Somebody writes so many messages where the bot reads.
    pub(crate) fn chat(&self, customer: Customer, messages: usize) {
        self.sim.write(|state| {
            for number in 0..messages {
                state.say(customer.channel, customer.owner, &format!("message {number}"));
            }
        });
    }

    /// Every dispatch to the bot, by session and sequence.
    fn dispatched(&self, customer: Customer) -> BTreeMap<(String, u64), String> {
        self.sim.read(|state| {
            let all = state.ledger.dispatches.iter().filter(|sent| sent.bot == customer.bot);
            all.map(|sent| ((sent.session_id.clone(), sent.sequence), sent.frame.to_string())).collect()
        })
    }

    /// Waits until Kafka has every dispatch to the bot byte for byte, and answers them as Kafka has them.
    pub(crate) async fn all_in_kafka(&self, customer: Customer) -> Vec<GatewayEvent> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let records = testing::read_all::<GatewayEvents>(&self.kafka, &self.kafka.events_topic).await.unwrap();
            let events: Vec<_> =
                records.into_iter().map(|(event, _)| event).filter(|event| event.bot == customer.bot).collect();
            let mut missing = self.dispatched(customer);
            for event in &events {
                if let Some(frame) = missing.remove(&(event.session.clone(), event.sequence)) {
                    assert_eq!(event.payload, frame);
                }
            }
            if missing.is_empty() {
                return events;
            }
            assert!(Instant::now() < deadline, "Kafka lacks {:?}", missing.keys());
        }
    }

    /// What the public bot wrote to the owner.
    pub(crate) fn told(&self, customer: Customer) -> Vec<Message> {
        self.sim.read(|state| told(state, self.seed.application, customer))
    }

    /// Waits until the public bot has written to the owner.
    pub(crate) async fn until_told(&self, customer: Customer) {
        let public = self.seed.application;
        self.sim
            .wait_for("a message to the owner", |state| (!told(state, public, customer).is_empty()).then_some(()))
            .await;
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            process: Process::new(0, 1).unwrap(),
            vault: self.vault.clone(),
            public_token: Some(self.seed.token(&self.sim).into()),
            identify: Settings { interval: Duration::ZERO, ..Settings::default() },
            database: DatabaseConfig { uri: self.scratch.uri.clone(), threads: 4 },
            redis: self.redis.clone(),
            kafka: self.kafka.clone(),
            discord: DiscordConfig { api_url: Value::parse(&self.sim.api_url()).unwrap() },
            metrics_addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            // Only what is signalled is seen, unless a test wants it otherwise.
            timing: Timing { sweep: Duration::from_secs(600), ..Timing::default() },
            signal: self.signal.clone(),
        }
    }

    /// A process that is ready.
    pub(crate) async fn start(&self) -> Holder {
        self.start_with(self.config()).await
    }

    pub(crate) async fn start_with(&self, config: Config) -> Holder {
        let holder = Holder::start(config).await;
        holder.until("/readyz", "ready").await;
        holder
    }

    /// Nothing was said to Discord that it does not know.
    pub(crate) fn assert_well_behaved(&self) {
        let violations = self.sim.read(|state| state.ledger.violations.clone());
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

fn told(state: &State, public: Id<ApplicationMarker>, customer: Customer) -> Vec<Message> {
    let direct = state.channels.values().filter(|channel| {
        channel.kind == kind::DM
            && channel.recipients.contains(&customer.owner)
            && channel.recipients.contains(&public.cast())
    });
    direct
        .filter_map(|channel| state.messages.get(&channel.id))
        .flat_map(|messages| messages.values().cloned())
        .collect()
}

/// A door before Postgres. While it is shut, connections end at once.
pub(crate) struct Door(watch::Sender<bool>);

impl Door {
    /// An open door, and the way to the town's database through it.
    pub(crate) async fn before_postgres(town: &Town) -> (Self, DatabaseConfig) {
        let uri = Url::parse(town.scratch.uri.expose_secret()).unwrap();
        let inside = (uri.host_str().unwrap().to_owned(), uri.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut outside = uri;
        outside.set_host(Some("127.0.0.1")).unwrap();
        outside.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let open = watch::Sender::new(true);
        let seen = open.subscribe();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut seen, inside) = (seen.clone(), inside.clone());
                if !*seen.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(inside).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = seen.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        (Self(open), DatabaseConfig { uri: outside.to_string().into(), threads: 4 })
    }

    /// Cuts every connection and lets none through.
    pub(crate) fn shut(&self) {
        self.0.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }
}

/// A process of the whitelabel sharder, on threads of its own, so that it can die without a word.
pub(crate) struct Holder {
    service: Service,
    addr: SocketAddr,
    runtime: Option<Runtime>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Holder {
    pub(crate) async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = Service::unattended("whitelabel-sharder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // A socket belongs to the runtime that made it.
        let (listener, inside) = (listener.into_std().unwrap(), service.clone());
        let running = runtime.spawn(async move {
            let listener = TcpListener::from_std(listener)?;
            whitelabel::run(config, inside.with_listener(listener)).await
        });
        Self { service, addr, runtime: Some(runtime), running }
    }

    /// Ends as by SIGTERM.
    pub(crate) async fn stop(mut self) {
        self.service.stop();
        tokio::time::timeout(PATIENCE, &mut self.running).await.expect("the process ends").unwrap().unwrap();
    }

    /// Ends as by SIGKILL.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// What `path` of its own HTTP says now.
    pub(crate) async fn get(&self, path: &str) -> String {
        let http = common::http::client("test").unwrap();
        http.get(format!("http://{}{path}", self.addr)).send().await.unwrap().text().await.unwrap()
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

    /// Waits until a metric has this value; `name` as it is written, labels and all, but for the service's.
    pub(crate) async fn until_metric(&self, name: &str, value: u64) {
        let (bare, labels) = name.split_once('{').map_or((name, ""), |(bare, labels)| (bare, labels));
        let labels = labels.trim_end_matches('}');
        let comma = if labels.is_empty() { "" } else { "," };
        self.until("/metrics", &format!("{bare}{{{labels}{comma}service=\"whitelabel-sharder\"}} {value}\n")).await;
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
