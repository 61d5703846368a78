use std::time::Duration;

use common::redis::RedisConfig;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::node::{self, Node};
use crate::wait;

const START: Duration = Duration::from_secs(30);

/// A Redis of a test's own that keeps what it acknowledged on the disk.
pub struct Redis {
    port: u16,
    node: Node,
    _directory: TempDir,
}

impl Redis {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Self {
        let directory = node::directory();
        let [port] = node::free_ports();
        let home = directory.path().join("redis");
        let arguments = ["redis", &home.display().to_string(), &port.to_string(), "durable"].map(str::to_owned);
        let mut redis = Self { port, node: Node::start(&home, arguments.into()), _directory: directory };
        if let Err(vain) = redis.ready().await {
            panic!("Redis does not start: {vain}");
        }
        redis
    }

    /// Where it is.
    pub fn config(&self) -> RedisConfig {
        RedisConfig { addr: format!("127.0.0.1:{}", self.port), password: None, threads: 4 }
    }

    /// Stops it as an operator does, and starts it again.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub async fn restart(&mut self) -> Result<(), String> {
        self.node.stop().await;
        self.node.restart();
        self.ready().await
    }

    async fn ready(&mut self) -> Result<(), String> {
        let waiting = wait::until("Redis", START, async || {
            if let Err(ended) = self.node.is_alive() {
                return Some(Err(ended));
            }
            let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
            connection.write_all(b"PING\r\n").await.ok()?;
            let mut answer = [0; 5];
            connection.read_exact(&mut answer).await.ok()?;
            (&answer == b"+PONG").then_some(Ok(()))
        });
        waiting.await?
    }
}
