//! The one gate to Discord's REST API.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), global_resolver::run)
}
