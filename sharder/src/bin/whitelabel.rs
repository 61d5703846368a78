//! The sharder of customers' own bots.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main("whitelabel-sharder", sharder::whitelabel::run)
}
