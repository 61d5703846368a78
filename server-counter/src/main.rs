//! Tells how many guilds the bot is in.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), server_counter::run)
}
