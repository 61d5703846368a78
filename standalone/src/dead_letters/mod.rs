//! `standalone dead-letters`: looks at records that could not be handled, and replays them.

mod command;
mod list;
mod replay;
mod show;

mod since;
mod text;

pub use command::{Command, run};
