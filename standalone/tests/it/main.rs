//! The command line, and the rules of the house.
#![expect(clippy::expect_used, reason = "what is missing fails the test")]

mod cli;
mod house;
mod readme;
