use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use cache::{ClientConfig, store::CacheDatabase};
use common::discord::DiscordConfig;
use secrecy::ExposeSecret;
use standalone::Config;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Child,
};

use super::node::{bound_to_us, free_ports, signal};
use crate::wait;

/// How long a service may take to be ready after a start.
const START: Duration = Duration::from_secs(60);
/// A service stops in 25 s, or is stopped.
const STOP: Duration = Duration::from_secs(40);

/// A service in a process of its own. Dropping it kills the process, and the kernel does when the test's process is killed.
pub struct Process {
    service: &'static str,
    environment: Vec<(&'static str, String)>,
    ops: SocketAddr,
    child: Child,
}

impl Process {
    /// The gate to Discord.
    pub(crate) fn resolver(config: &Config) -> Self {
        let ops = free_address();
        let own = [
            ("DISCORD_API_URL", config.discord.api_url.to_string()),
            ("GLOBAL_RATE_LIMIT", config.discord.global.to_string()),
            ("SERVER_ADDR", ops.to_string()),
        ];
        Self::start("global-resolver", ops, config, own)
    }

    /// For services that ask Discord through this gate.
    pub(crate) fn gate(&self) -> DiscordConfig {
        let api_url = format!("http://{}/api/v10", self.ops).parse().expect("an address");
        DiscordConfig { api_url }
    }

    pub(crate) fn sharder(config: &Config, gate: &DiscordConfig) -> Self {
        let ops = free_address();
        let shards = config.shards.total();
        let own = [
            ("SHARDER_TOKEN", config.token.expose_secret().to_owned()),
            ("SHARDER_CLUSTER_SIZE", shards.to_string()),
            ("GATEWAY_MEMBERS", config.cached_members.told.to_string()),
            ("GLOBAL_RESOLVER_URL", gate.api_url.to_string()),
            ("METRICS_ADDR", ops.to_string()),
        ];
        Self::start("sharder", ops, config, own)
    }

    /// What every cache follows.
    pub(crate) fn cache_sync(config: &Config) -> Self {
        let ops = free_address();
        let own = [("METRICS_ADDR", ops.to_string())].into_iter().chain(cache_database(config));
        Self::start("cache-sync-service", ops, config, own)
    }

    /// Guilds in memory.
    pub fn cache(config: &Config) -> Self {
        let ops = free_address();
        let own = [("SERVER_ADDR", ops.to_string()), ("GATEWAY_MEMBERS", config.cached_members.told.to_string())];
        Self::start("cache", ops, config, own.into_iter().chain(cache_database(config)))
    }

    /// How a cache in a process of its own is asked.
    pub fn cached(&self) -> ClientConfig {
        ClientConfig { uri: format!("http://{}", self.ops).parse().expect("an address"), shared_key: None }
    }

    pub(crate) fn worker(config: &Config, gate: &DiscordConfig, cache: &Process) -> Self {
        let ops = free_address();
        let database = &config.backends.database;
        let own = [
            ("DISCORD_TOKEN", config.token.expose_secret().to_owned()),
            ("DATABASE_URI", database.uri.expose_secret().to_owned()),
            ("DATABASE_THREADS", database.threads.to_string()),
            ("CACHE_URI", cache.cached().uri.to_string()),
            ("GLOBAL_RESOLVER_URL", gate.api_url.to_string()),
            ("SERVER_ADDR", ops.to_string()),
        ];
        Self::start("worker", ops, config, own)
    }

    /// A http-gateway before `worker`, for the application with this id and public key.
    pub(crate) fn gateway(config: &Config, worker: &Process, bot: String, key: String) -> Self {
        let ops = free_address();
        let own = [
            ("PUBLIC_BOT_ID", bot),
            ("PUBLIC_PUBLIC_KEY", key),
            ("WORKER_SVC_URI", format!("http://{}", worker.ops)),
            ("SERVER_ADDR", ops.to_string()),
        ];
        Self::start("http-gateway", ops, config, own)
    }

    fn start(
        service: &'static str,
        ops: SocketAddr,
        config: &Config,
        own: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let (kafka, redis) = (&config.backends.kafka, &config.backends.redis);
        let mut environment: Vec<(&'static str, String)> = own.into_iter().collect();
        environment.extend([
            ("REDIS_ADDR", redis.addr.clone()),
            ("KAFKA_BROKERS", kafka.brokers.clone()),
            ("KAFKA_TOPIC", kafka.events_topic.clone()),
            ("KAFKA_INTERACTIONS_TOPIC", kafka.interactions_topic.clone()),
            ("KAFKA_CACHE_TOPIC", kafka.cache_topic.clone()),
            ("KAFKA_PARTITIONS", kafka.partitions.to_string()),
            ("KAFKA_REPLICATION", kafka.replication.to_string()),
            ("LOG_FORMAT", "human".to_owned()),
        ]);
        environment.extend(kafka.group.clone().map(|group| ("KAFKA_GROUP_ID", group)));
        environment.extend(redis.password.as_ref().map(|word| ("REDIS_PASSWORD", word.expose_secret().to_owned())));
        let child = spawn(service, &environment);
        Self { service, environment, ops, child }
    }

    /// Where it answers `/readyz`; the worker and the http-gateway all else, too.
    pub fn address(&self) -> SocketAddr {
        self.ops
    }

    /// `kill -9`, and the process is gone when this returns.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the service can be killed");
    }

    /// Asks it to stop, as a deploy does, and waits until it has.
    ///
    /// # Errors
    ///
    /// When it does not stop, or not cleanly.
    pub async fn stop(&mut self) -> Result<(), String> {
        let pid = self.child.id().ok_or_else(|| format!("{} was gone before its stop", self.service))?;
        signal(pid, "TERM").await;
        match tokio::time::timeout(STOP, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(ended) => Err(format!(
                "{} did not stop cleanly: {:?}",
                self.service,
                ended.map(|status: ExitStatus| status.code())
            )),
            Err(_) => Err(format!("{} did not stop in {STOP:?}", self.service)),
        }
    }

    /// Starts it anew with the same configuration.
    pub fn restart(&mut self) {
        self.child = spawn(self.service, &self.environment);
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    ///
    /// When it does not in time, or the process ended.
    pub async fn ready(&mut self) -> Result<(), String> {
        let (service, ops) = (self.service, self.ops);
        let what = format!("a {service} that is ready");
        let waiting = wait::until(&what, START, async || {
            if let Ok(Some(ended)) = self.child.try_wait() {
                return Some(Err(format!("{service} ended by itself: {ended}")));
            }
            is_ready(ops).await.ok()?.then_some(Ok(()))
        });
        waiting.await?
    }
}

fn cache_database(config: &Config) -> [(&'static str, String); 2] {
    let CacheDatabase { uri, threads } = &config.backends.cache;
    [("CACHE_DATABASE_URI", uri.expose_secret().to_owned()), ("CACHE_DATABASE_THREADS", threads.to_string())]
}

async fn is_ready(ops: SocketAddr) -> std::io::Result<bool> {
    let mut connection = TcpStream::connect(ops).await?;
    connection.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.0 200"))
}

fn spawn(service: &str, environment: &[(&'static str, String)]) -> Child {
    let mut command = bound_to_us(&program());
    command.args(["service", service]).envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some((out, err)) = log(service) {
        command.stdout(out).stderr(err);
    }
    command.spawn().expect("the service starts")
}

/// A file of its own in the directory that TICKETS_FAULT_LOGS names; without it the service writes where the test does.
fn log(service: &str) -> Option<(Stdio, Stdio)> {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let directory = PathBuf::from(env::var_os("TICKETS_FAULT_LOGS")?);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let log = fs::File::create(directory.join(format!("{number:04}-{service}.log"))).expect("a log of the service");
    let also = log.try_clone().expect("the log once more");
    Some((log.into(), also.into()))
}

/// The command line of `standalone`: this program where it is one, else the package's binary, which cargo builds for its tests.
fn program() -> PathBuf {
    let own = env::current_exe().expect("the program's own path");
    let directory = own.parent().expect("a directory");
    if directory.ends_with("deps") { directory.with_file_name("e2e") } else { own }
}

fn free_address() -> SocketAddr {
    let [port] = free_ports();
    (Ipv4Addr::LOCALHOST, port).into()
}
