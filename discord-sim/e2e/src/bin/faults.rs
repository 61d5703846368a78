//! Lets faults happen and prints what came of it: `faults [--dose small|full] [--seed N] [NAME…]`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what the program is for")]

use std::{env, path::Path, process::ExitCode};

use clap::Parser;
use e2e::faults::{self, Dose, Fault, Report};

/// Faults under load, and proofs that nothing was lost. Wants DATABASE_URI, REDIS_ADDR and KAFKA_BROKERS; `scripts/faults` starts them.
#[derive(Parser)]
struct Arguments {
    /// How much: `small` as in the tests, or `full`.
    #[arg(long, default_value = "full")]
    dose: Dose,
    /// What moments are chosen by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the figures are kept as JSON.
    #[arg(long, default_value = ".tickets/faults.json")]
    json: String,
    /// Which faults; all without a name.
    names: Vec<String>,
}

fn main() -> ExitCode {
    // The services that it kills are this program once more.
    if env::args().nth(1).as_deref() == Some("service") {
        return standalone::cli::main();
    }
    let arguments = Arguments::parse();
    let unknown: Vec<_> = arguments.names.iter().filter(|name| Fault::named(name).is_none()).collect();
    if !unknown.is_empty() {
        eprintln!("unknown faults: {unknown:?}; there are:");
        faults::ALL.iter().for_each(|fault| eprintln!("  {:20} {}", fault.name, fault.about));
        return ExitCode::from(64);
    }
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let reports = runtime.block_on(run(&arguments));
    println!("{}", faults::table(&reports));
    let json: Vec<_> = reports.iter().map(Report::to_json).collect();
    let path = Path::new(&arguments.json);
    let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    if let Err(error) = kept.and_then(|()| std::fs::write(path, format!("{:#}\n", serde_json::Value::from(json)))) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let clean = reports.iter().all(|report| report.violations.is_empty());
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(arguments: &Arguments) -> Vec<Report> {
    let mut reports = Vec::new();
    for fault in faults::ALL {
        if arguments.names.is_empty() || arguments.names.iter().any(|name| name == fault.name) {
            eprintln!("{} ({}): {}", fault.name, arguments.dose.as_str(), fault.about);
            let report = fault.run(arguments.dose, arguments.seed).await;
            eprintln!("{}", faults::table(std::slice::from_ref(&report)));
            reports.push(report);
        }
    }
    reports
}
