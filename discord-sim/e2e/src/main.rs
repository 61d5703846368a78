//! The services as processes of their own, for tests that kill them.

use std::process::ExitCode;

fn main() -> ExitCode {
    standalone::cli::main()
}
