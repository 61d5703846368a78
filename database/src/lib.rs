#![doc = include_str!("../README.md")]

mod config;
mod connection;
mod convert;
mod error;
mod events;
mod messages;
mod panels;
pub mod scratch;
mod settings;
mod tickets;

pub use self::{
    config::DatabaseConfig,
    connection::{Database, Transaction},
    error::Error,
    events::Events,
    messages::Messages,
    panels::{NewPanel, Panels},
    settings::Settings,
    tickets::{ClaimOutcome, CloseOutcome, NewTicket, OpenOutcome, Tickets},
};
