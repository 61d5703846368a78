use std::time::Duration;

use database::{Database, DatabaseConfig};
use secrecy::SecretString;
use tempfile::TempDir;

use super::node::{self, Node};
use crate::wait;

const START: Duration = Duration::from_secs(60);

/// A Postgres of a test's own that syncs what it acknowledged.
pub struct Postgres {
    config: DatabaseConfig,
    node: Node,
    _directory: TempDir,
}

impl Postgres {
    /// Starts it with the current schema.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Self {
        let directory = node::directory();
        let [port] = node::free_ports();
        let home = directory.path().join("postgres");
        let arguments = ["postgres", &home.display().to_string(), &port.to_string(), "durable"].map(str::to_owned);
        // The database that every server has: nobody else uses this one.
        let uri = SecretString::from(format!("postgres://tickets@127.0.0.1:{port}/postgres"));
        let config = DatabaseConfig { uri, threads: 8 };
        let mut postgres = Self { config, node: Node::start(&home, arguments.into()), _directory: directory };
        match postgres.ready().await {
            Ok(database) => database.migrate().await.expect("the schema is made"),
            Err(vain) => panic!("Postgres does not start: {vain}"),
        }
        postgres
    }

    /// Where it is.
    pub fn config(&self) -> DatabaseConfig {
        self.config.clone()
    }

    /// Stops it without waiting for its clients, and starts it again.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub async fn restart(&mut self) -> Result<(), String> {
        self.node.stop().await;
        self.node.restart();
        self.ready().await.map(drop)
    }

    async fn ready(&mut self) -> Result<Database, String> {
        let waiting = wait::until("Postgres", START, async || match self.node.is_alive() {
            Ok(()) => Database::connect(&self.config).await.ok().map(Ok),
            Err(ended) => Some(Err(ended)),
        });
        waiting.await?
    }
}
