#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are what the program is started for")]

mod cache;
mod connection;
mod events;
mod gate;
mod http;
mod kafka;
mod load;
mod memory;
mod names;
mod pace;
mod program;
mod redis;
mod reference;
mod report;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::{program::Programs, report::Report};

/// Measures the sharder, the cache and the gate, each beside something else.
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
    /// Reads guilds into a memory, and tells what that took.
    Hold(cache::HoldOptions),
    /// Asks the cache at a steady rate, and tells how long answers took.
    Ask(cache::AskOptions),
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
    /// All four of the cache.
    Cache,
    B3,
    B4,
    B9,
    /// The cache over HTTP.
    Http,
    /// All four of the gate.
    Gate,
    G1,
    G2,
    G3,
    G4,
}

impl Options {
    fn wants(&self, figure: Figure) -> bool {
        self.only.is_none_or(|only| only == figure || only.parts().contains(&figure))
    }
}

impl Figure {
    /// What it stands for, where it stands for several.
    fn parts(self) -> &'static [Figure] {
        match self {
            Figure::Cache => &[Figure::B3, Figure::B4, Figure::B9, Figure::Http],
            Figure::Gate => &[Figure::G1, Figure::G2, Figure::G3, Figure::G4],
            _ => &[],
        }
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
        Some(Action::Caller(options)) => gate::call(&options).and_then(tell),
        Some(Action::Hold(options)) => cache::hold(&options).and_then(tell),
        Some(Action::Ask(options)) => cache::ask(&options).and_then(tell),
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
    cache::measure(&programs, options, &mut report.cache)?;
    gate::measure(&programs, options, &mut report.gate)?;
    println!("{report}");
    if let Some(path) = &options.json {
        report.write(path).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Tells the process that started this one.
fn tell(result: impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(&result)?);
    Ok(())
}
