//! The gate against a Discord that counts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod judge;
mod limits;
mod proxy;
mod storm;
