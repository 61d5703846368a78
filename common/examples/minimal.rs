//! The smallest service: one secret, one route. `GREETING=hello cargo run -p common --example minimal`

use std::{net::SocketAddr, process::ExitCode};

use axum::{Router, routing::get};
use common::{
    config::{Env, FromEnv, Invalid},
    service::{self, Service},
};
use secrecy::{ExposeSecret, SecretString};

struct Config {
    server_addr: SocketAddr,
    greeting: SecretString,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let server_addr = env.var("SERVER_ADDR").about("where to listen").default("127.0.0.1:8080").required();
        let greeting = env.var("GREETING").about("what to say").example("hello").secret();
        Ok(Config { server_addr: server_addr?, greeting: greeting? })
    }
}

async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let http = service.http(config.server_addr).await?;
    let greeting = config.greeting.expose_secret().to_owned();
    http.serve(Router::new().route("/", get(async || greeting)));
    service.finished().await
}

fn main() -> ExitCode {
    service::main("minimal", run)
}
