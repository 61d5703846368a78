//! Customers' own bots: one shard for each, of one process out of several.
//!
//! Postgres says which bots there are and what each is to do. A `fleet` compares that with what runs, at least every
//! 25 s and whenever somebody published that something changed (`signal`). Each bot is a task of its own (`bot`), which
//! restarts by itself and ends only when it is switched off or Discord refuses it for good; then its row says so
//! (`refusal`) and its owner is told (`notice`).

mod bot;
mod config;
mod fleet;
mod metrics;
mod notice;
mod presence;
mod refusal;
mod run;
mod signal;
mod timing;

pub use self::{
    config::{Config, Process},
    presence::presence,
    run::run,
    signal::{SIGNAL, announce},
    timing::Timing,
};
