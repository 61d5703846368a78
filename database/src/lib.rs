#![doc = include_str!("../README.md")]

mod config;
mod connection;
mod convert;
mod error;
mod events;
mod inbox;
mod messages;
mod panels;
pub mod scratch;
mod settings;
mod tickets;
mod whitelabel;

pub use self::{
    config::DatabaseConfig,
    connection::{Database, Transaction, pool},
    error::{Error, is_for_good, is_transient},
    events::Events,
    inbox::{Cause, Inbox},
    messages::Messages,
    panels::{NewPanel, Panels},
    settings::{Settings, SetupTurn},
    tickets::{ClaimOutcome, CloseOutcome, NewTicket, OpenOutcome, Tickets},
    whitelabel::{DueNotice, NewWhitelabelBot, SealedToken, Unreadable, WhitelabelBots, WhitelabelRow},
};
