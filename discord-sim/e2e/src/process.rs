use std::process::Stdio;

use secrecy::ExposeSecret;
use standalone::Config;
use tokio::process::{Child, Command};

/// A sharder in a process of its own. Dropping it kills the process.
pub struct Sharder {
    config: Config,
    child: Child,
}

impl Sharder {
    pub(crate) fn start(config: &Config) -> Self {
        Self { config: config.clone(), child: spawn(config) }
    }

    /// `kill -9`, and the process is gone when this returns.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the sharder can be killed");
    }

    /// Starts it anew with the same configuration.
    pub fn restart(&mut self) {
        self.child = spawn(&self.config);
    }
}

fn spawn(config: &Config) -> Child {
    // Cargo names the binary of this package in the environment of its tests only, which is where this runs.
    let program = std::env::var("CARGO_BIN_EXE_e2e").ok().unwrap_or_else(beside_the_test);
    let kafka = &config.backends.kafka;
    let redis = &config.backends.redis;
    let mut command = Command::new(program);
    command
        .args(["service", "sharder"])
        .env("SHARDER_TOKEN", config.token.expose_secret())
        .env("DISCORD_API_URL", config.discord.api_url.as_str())
        .env("REDIS_ADDR", &redis.addr)
        .env("KAFKA_BROKERS", &kafka.brokers)
        .env("KAFKA_TOPIC", &kafka.events_topic)
        .env("KAFKA_INTERACTIONS_TOPIC", &kafka.interactions_topic)
        .env("KAFKA_PARTITIONS", kafka.partitions.to_string())
        .env("METRICS_ADDR", "127.0.0.1:0")
        .env("LOG_FORMAT", "human")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(password) = &redis.password {
        command.env("REDIS_PASSWORD", password.expose_secret());
    }
    command.spawn().expect("the sharder starts")
}

/// `target/debug/deps/it-…` is the test, `target/debug/e2e` the binary.
fn beside_the_test() -> String {
    let test = std::env::current_exe().expect("the test's own path");
    let directory = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    directory.join("e2e").display().to_string()
}
