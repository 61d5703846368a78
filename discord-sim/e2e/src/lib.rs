#![doc = include_str!("../README.md")]
#![expect(clippy::panic, clippy::expect_used, reason = "a harness for tests: what is missing fails the test")]

mod door;
mod ledger;
mod life;
mod process;
mod world;

pub use door::Door;
pub use ledger::{dead_letters, missing_events};
pub use process::Sharder;
pub use world::{Interactions, World};
