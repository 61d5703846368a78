//! The worker against Discord's simulator, a real Postgres and, for the service as a whole, a real Kafka.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod house;

mod answer;
mod claim;
mod close;
mod events;
mod inbox;
mod open;
mod poison;
mod reconcile;
mod scope;
mod service;
mod setup;
