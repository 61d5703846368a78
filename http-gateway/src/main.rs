//! Takes the interactions that Discord sends by HTTP.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), http_gateway::run)
}
