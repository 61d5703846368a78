//! Keeps every cache consistent.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main(env!("CARGO_PKG_NAME"), cache_sync_service::run)
}
