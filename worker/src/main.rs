//! The ticket logic as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), worker::run)
}
