#![doc = include_str!("../README.md")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod door;
mod redis;
pub mod wait;

pub use self::{door::Door, redis::Redis};
