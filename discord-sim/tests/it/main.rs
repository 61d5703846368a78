//! The simulator over real sockets, as clients see it.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod binary;
mod channels;
mod chaos;
mod clients;
mod closes;
mod commands;
mod compression;
mod control;
mod crowd;
mod delivery;
mod disturbances;
mod endpoint;
mod events;
mod faults;
mod house;
mod intents;
mod interactions;
mod ledger;
mod limits;
mod members;
mod messages;
mod modals;
mod permissions;
mod rate_limits;
mod sessions;
mod socket;
mod storm;
mod threads;
mod tokens;
mod webhooks;
