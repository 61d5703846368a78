//! `standalone whitelabel`: customers' own bots, as the operator adds and changes them.

mod command;
mod config;
mod list;
mod presence;
mod token;
mod work;

pub use command::{Command, run};
pub use config::Config;
