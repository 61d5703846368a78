//! Writes records, and tells for each whether Kafka has it.

mod handle;
mod native;
mod receipts;
mod watch;

pub(crate) use handle::Record;
pub use handle::{Acked, Delivery, Life, Producer, Profile};
pub use receipts::{Receipt, Receipts};
