//! The gateway: WebSocket connections, sessions that outlive them, and who gets which event.
//!
//! Source of the behaviour: Discord's documentation, "Gateway", "Gateway Events" and "Opcodes and Status Codes".

mod actions;
mod compression;
mod connection;
mod dispatch;
mod faults;
mod handshake;
mod intents;
mod line;
mod members;
mod record;
mod sessions;
mod target;
mod wire;
mod writer;

pub(crate) use compression::Compression;
pub(crate) use connection::upgrade;
pub(crate) use dispatch::Prepared;
pub use faults::{Fault, Faults, Refusal, Rule};
pub(crate) use intents::without_content;
pub use line::{Ending, Frame};
pub use record::{End, SessionRecord};
pub use sessions::{Session, Sessions};
pub use target::Target;
pub(crate) use wire::{Wire, Wires};
