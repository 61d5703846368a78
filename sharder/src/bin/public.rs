//! The public bot's sharder.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), sharder::run)
}
