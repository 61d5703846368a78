//! The outer edge of `common`: a process with its signals and exit codes, a service with its sockets, and the Discord
//! client against a server that counts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

mod discord;
mod process;
mod service;
