//! Writes records, and tells for each whether Kafka has it.

mod handle;
mod native;

pub(crate) use handle::Record;
pub use handle::{Acked, Delivery, Producer, Profile};
