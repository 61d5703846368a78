//! The binary: a seeded Discord on a port of choice, with what a bot needs to log in printed at start.
#![expect(clippy::print_stdout, reason = "the addresses and the token are what the program is started for")]

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use discord_sim::{Sim, rate_limits::Mode, seed::Seed};
use tokio::net::TcpListener;

/// Whether bots are limited as by Discord: `real`, the default, or `off`.
const RATE_LIMITS: &str = "SIM_RATE_LIMITS";

/// A local Discord with a page to use it by.
///
/// The variable SIM_RATE_LIMITS says whether bots are limited as by Discord: `real`, the default, or `off`.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4400")]
    listen: SocketAddr,
    /// Where to post interactions; without it they come over the gateway.
    #[arg(long)]
    interactions_endpoint: Option<String>,
    /// Only dispatches prepared events, as ordered at `/_load`: for measuring what receives them.
    #[arg(long)]
    load: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let rate_limits = rate_limits()?;
    let listener = TcpListener::bind(arguments.listen).await?;
    if arguments.load {
        println!("DISCORD_API_URL  http://{}/api/v10", listener.local_addr()?);
        return Ok(discord_sim::load::serve(listener).await?);
    }
    let sim = Sim::start(listener)?;
    sim.write(|state| state.rate_limits.mode = rate_limits);
    let seed = Seed::plant(&sim);
    println!("page             {}", sim.page_url());
    println!("DISCORD_API_URL  {}", sim.api_url());
    println!("DISCORD_TOKEN    {}", seed.token(&sim));
    println!("application id   {}", seed.application);
    println!("public key       {}", seed.public_key(&sim));
    if let Some(url) = arguments.interactions_endpoint {
        sim.set_interactions_endpoint(seed.application, &url).await.map_err(anyhow::Error::msg)?;
    }
    tokio::signal::ctrl_c().await?;
    sim.stop();
    Ok(())
}

fn rate_limits() -> anyhow::Result<Mode> {
    match std::env::var(RATE_LIMITS) {
        Ok(text) => text.parse().map_err(|problem| anyhow::anyhow!("{RATE_LIMITS}: {problem}")),
        Err(std::env::VarError::NotPresent) => Ok(Mode::Real),
        Err(problem) => Err(anyhow::anyhow!("{RATE_LIMITS}: {problem}")),
    }
}
