//! What is done with tickets: rules, Discord calls and database, without interaction types except who asks.

pub mod archive;
pub mod capture;
pub mod channel;
pub mod claim;
pub mod close;
pub mod find;
mod lease;
pub mod open;
pub mod reconcile;
pub mod snowflake;
pub mod sweep;
pub mod transcript;
pub mod vanished;
