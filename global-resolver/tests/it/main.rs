//! The gate against a Discord that counts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod fleet;
mod judge;
mod limits;
mod proxy;
mod stock_client;
mod storm;
mod tls;
mod town;
mod upstream;
