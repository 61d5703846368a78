#![doc = include_str!("../README.md")]

pub mod chaos;
pub mod chatter;
pub mod check;
mod control;
pub mod crowd;
mod error;
pub mod gateway;
pub mod interactions;
pub mod ledger;
pub mod load;
pub mod openapi;
mod page;
mod people;
pub mod permissions;
pub mod rate_limits;
mod rest;
pub mod seed;
pub mod sim;
pub mod snowflake;
pub mod state;
pub mod storm;

pub use error::ApiError;
pub use rest::{RestFault, RestFaults, RestMatch};
pub use sim::Sim;
