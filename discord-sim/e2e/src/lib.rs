#![doc = include_str!("../README.md")]
#![expect(clippy::panic, clippy::expect_used, reason = "a harness for tests: what is missing fails the test")]

pub mod faults;

pub mod check;

mod ground;
mod life;
mod load;
mod witness;
mod world;

mod door;
pub mod servers;
pub mod wait;

pub use check::{dead_letters, missing_events};
pub use door::Door;
pub use ground::Ground;
pub use load::Load;
pub use witness::Witness;
pub use world::{Interactions, Processes, World};
