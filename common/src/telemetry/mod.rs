//! Logs, and reports of errors to Sentry.

mod config;
mod init;
mod json;
mod scrub;
pub mod testing;

pub use config::{LogFormat, Telemetry};
pub use init::{Guard, init};
