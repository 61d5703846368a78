//! The cache against a model of it, and against a real Postgres: each test has a database of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]
#![expect(clippy::print_stdout, reason = "how much was checked is what scripts/cache-model is started for")]

mod chance;
mod client;
mod house;
mod model;
mod permissions;
mod postgres;
mod service;
mod support;
mod wire;
