//! The command line: `run`, `demo`, `service`, `config`, `dead-letters`, `whitelabel`.

use std::{net::SocketAddr, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use common::service;

use crate::{dead_letters, demo, run, settings, whitelabel};

/// The exit code of a wrong command line: `EX_USAGE` of sysexits.h, as that of a wrong configuration.
pub(crate) const USAGE: u8 = 64;

/// Tickets in one process, and the operator's commands.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every service in this process, for one machine.
    Run,
    /// The same with a local Discord to try it on; prints the address of its page.
    Demo {
        /// Where the page listens; a port of 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:4400")]
        listen: SocketAddr,
        /// Use a broker inside this process instead of KAFKA_BROKERS. All events are gone when it ends.
        #[arg(long)]
        embedded_kafka: bool,
    },
    /// One service alone, as its own binary would run it.
    Service {
        /// Which one.
        name: Name,
    },
    /// Every variable of every service.
    Config {
        /// How to write them.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Records that could not be handled: looks at them, replays them.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Customers' own bots: adds them, gives them tokens, says how they fare.
    #[command(subcommand)]
    Whitelabel(whitelabel::Command),
}

/// The services that can run alone.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Sharder,
    WhitelabelSharder,
    HttpGateway,
    GlobalResolver,
    Worker,
    Cache,
    CacheSyncService,
    ServerCounter,
    StatsChannelUpdater,
}

/// How variables are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// Markdown tables, as in the READMEs.
    Table,
    /// A commented `.env` file.
    Env,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no mistakes.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command {
        Command::Run => service::main("standalone", run),
        Command::Demo { listen, embedded_kafka: false } => {
            service::main("standalone", move |config: demo::Config, service| demo::run(config.into(), listen, service))
        }
        Command::Demo { listen, embedded_kafka: true } => {
            service::main("standalone", move |config: demo::WithoutKafka, service| {
                demo::run(config.into(), listen, service)
            })
        }
        Command::Service { name: Name::Sharder } => service::main("sharder", sharder::run),
        Command::Service { name: Name::WhitelabelSharder } => {
            service::main("whitelabel-sharder", sharder::whitelabel::run)
        }
        Command::Service { name: Name::HttpGateway } => service::main("http-gateway", http_gateway::run),
        Command::Service { name: Name::GlobalResolver } => service::main("global-resolver", global_resolver::run),
        Command::Service { name: Name::Worker } => service::main("worker", worker::run),
        Command::Service { name: Name::Cache } => service::main("cache", cache::run),
        Command::Service { name: Name::CacheSyncService } => {
            service::main("cache-sync-service", cache_sync_service::run)
        }
        Command::Service { name: Name::ServerCounter } => service::main("server-counter", server_counter::run),
        Command::Service { name: Name::StatsChannelUpdater } => {
            service::main("stats-channel-updater", stats_channel_updater::run)
        }
        Command::Config { format } => {
            settings::print(format);
            ExitCode::SUCCESS
        }
        Command::DeadLetters(command) => dead_letters::run(command),
        Command::Whitelabel(command) => whitelabel::run(command),
    }
}
