//! The runtime of a process: start, tasks, health, metrics, and a stop that finishes the work in flight.

mod dependency;
mod detail;
mod health;
mod http;
mod main;
mod metrics;
mod ops;
mod process;
mod runtime;
mod tasks;

pub use dependency::Dependency;
pub use http::Http;
pub use main::main;
pub use process::{Stopped, TaskFailed};
pub use runtime::Service;
