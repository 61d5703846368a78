//! Tickets in one process, and the operator's commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    standalone::cli::main()
}
