#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are what the program is started for")]

mod events;
mod gate;
mod http;
mod kafka;
mod load;
mod memory;
mod program;
mod redis;
mod reference;
mod report;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use crate::{program::Programs, report::Report};

/// Measures the sharder and the gate beside bare forwarders.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Action {
    /// Forwards without tracking, as the reference; configured by the sharder's variables.
    Reference,
    /// Stands behind the gate.
    Upstream {
        #[arg(long)]
        listen: String,
    },
    /// Forwards bytes, as the reference of the gate.
    Forwarder {
        #[arg(long)]
        listen: String,
        #[arg(long)]
        upstream: String,
    },
    /// Calls through the gate as fast as it is answered, and tells what became of it.
    Caller(gate::CallerOptions),
}

#[derive(clap::Args)]
struct Options {
    /// Fewer rounds and events: to see that it runs.
    #[arg(long)]
    quick: bool,
    /// One figure alone.
    #[arg(long)]
    only: Option<Figure>,
    /// Rounds of each row, whose median is taken.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the result goes as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Figure {
    B1,
    B2,
    /// All four of the gate.
    Gate,
    G1,
    G2,
    G3,
    G4,
}

impl Options {
    fn wants(&self, figure: Figure) -> bool {
        let of_the_gate = !matches!(figure, Figure::B1 | Figure::B2);
        self.only.is_none_or(|only| only == figure || (only == Figure::Gate && of_the_gate))
    }
}

fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("a TLS provider is installed already");
    }
    let arguments = Arguments::parse();
    let done = match arguments.action {
        Some(Action::Reference) => reference::run(),
        Some(Action::Upstream { listen }) => gate::answer(&listen),
        Some(Action::Forwarder { listen, upstream }) => gate::forward(&listen, &upstream),
        Some(Action::Caller(options)) => call(&options),
        None => measure(&arguments.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> anyhow::Result<()> {
    let programs = Programs::beside_us()?;
    let mut report = Report::begin();
    if options.wants(Figure::B1) {
        events::measure(&programs, options, &mut report).context("measure B1")?;
    }
    if options.wants(Figure::B2) {
        memory::measure(&programs, options, &mut report).context("measure B2")?;
    }
    gate::measure(&programs, options, &mut report.gate)?;
    println!("{report}");
    if let Some(path) = &options.json {
        report.write(path).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn call(options: &gate::CallerOptions) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(&gate::call(options)?)?);
    Ok(())
}
