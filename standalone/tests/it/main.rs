//! The command line, and the rules of the house.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what is missing fails the test")]

mod cli;
mod dead_letters;
mod house;
mod readme;
mod whitelabel;
