//! The gateway: WebSocket connections, sessions that outlive them, and who gets which event.
//!
//! Source of the behaviour: Discord's documentation, "Gateway", "Gateway Events" and "Opcodes and Status Codes".

mod compression;
mod connection;
mod faults;
mod handshake;
mod intents;
mod members;
mod sessions;

pub use connection::upgrade;
pub use faults::Faults;
pub(crate) use intents::without_content;
pub use sessions::{Outgoing, Session, Sessions};
