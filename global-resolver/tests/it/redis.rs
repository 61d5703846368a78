//! A Redis of one test alone.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use common::redis::{RedisConfig, connect, deadpool_redis::redis::cmd};
use tokio::process::{Child, Command};

use crate::town::PATIENCE;

pub(crate) struct Redis {
    port: u16,
    directory: PathBuf,
    server: Child,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = std::env::temp_dir().join(format!("resolver-redis-{port}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let server = serve(port, &directory);
        let redis = Self { port, directory, server };
        redis.answers().await;
        redis
    }

    pub(crate) fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends as by SIGKILL, and comes back with nothing.
    pub(crate) async fn lose_everything(&mut self) {
        self.server.kill().await.unwrap();
        self.server = serve(self.port, &self.directory);
        self.answers().await;
    }

    async fn answers(&self) {
        let config = RedisConfig { addr: self.addr(), password: None, threads: 1 };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut redis) = connect(&config).get().await
                && cmd("PING").query_async::<String>(&mut redis).await.is_ok()
            {
                return;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
        }
    }
}

fn serve(port: u16, directory: &Path) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(directory)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server is installed: scripts/test says how")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
