//! The gate against a Discord that counts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod door;
mod fleet;
mod judge;
mod limits;
mod proxy;
mod redis;
mod stock_client;
mod storm;
mod town;
mod upstream;
