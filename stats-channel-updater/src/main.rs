//! Shows how many guilds the bot is in as the name of a channel.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), stats_channel_updater::run)
}
