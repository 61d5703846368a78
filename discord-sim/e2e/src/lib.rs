#![doc = include_str!("../README.md")]
#![expect(clippy::panic, clippy::expect_used, reason = "a harness for tests: what is missing fails the test")]

pub mod faults;

pub mod check;

mod ground;
mod life;
mod load;
mod witness;
mod world;

pub mod servers;
pub mod wait;

pub use check::{cache_differences, dead_letters, missing_events};
pub use ground::Ground;
pub use load::Load;
pub use testing::Door;
pub use witness::Witness;
pub use world::{Interactions, Processes, World};
