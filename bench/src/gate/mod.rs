//! The gate: what a call through it costs and how long it takes, whether the limit of a bot is used and kept, and whether
//! guilds take turns.

mod caller;
mod cost;
mod fairness;
mod forwarder;
mod global;
mod latency;
mod processes;
mod report;
mod request;
mod upstream;

pub(crate) use self::{
    caller::{CallerOptions, run as call},
    forwarder::run as forward,
    report::{Measured, measure},
    upstream::run as answer,
};
