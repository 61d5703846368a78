use std::{
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use common::redis::{
    RedisConfig, connect,
    deadpool_redis::{Connection, redis::cmd},
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis of one test alone, on a port of its own. It ends when it is dropped.
pub struct Redis {
    port: u16,
    home: TempDir,
    server: Child,
}

impl Redis {
    /// One that knows nothing.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for Redis");
        let port = listener.local_addr().expect("the port of Redis").port();
        drop(listener);
        let home = tempfile::tempdir().expect("a directory for Redis");
        let server = serve(port, home.path());
        let redis = Self { port, home, server };
        redis.connection().await;
        redis
    }

    /// Host and port.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Writes what it knows to its disk.
    pub async fn save(&self) {
        let mut redis = self.connection().await;
        let _: String = cmd("SAVE").query_async(&mut redis).await.expect("Redis saves");
    }

    /// Ends as by SIGKILL.
    pub async fn kill(&mut self) {
        self.server.kill().await.expect("Redis ends");
    }

    /// Comes back with what it saved.
    pub async fn restart(&mut self) {
        self.server = serve(self.port, self.home.path());
        self.connection().await;
    }

    /// A connection, as soon as it answers.
    async fn connection(&self) -> Connection {
        let config = RedisConfig { addr: self.addr(), password: None, threads: 1 };
        let (pool, deadline) = (connect(&config), Instant::now() + PATIENCE);
        loop {
            if let Ok(mut redis) = pool.get().await
                && cmd("PING").query_async::<String>(&mut redis).await.is_ok()
            {
                return redis;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
        }
    }
}

fn serve(port: u16, home: &Path) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(home)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server is installed: scripts/test says how")
}
