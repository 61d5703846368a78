//! Reads a topic: many keys at once, each key in order, offsets only behind finished work.

mod bounds;
mod failure;
mod stream;

mod attempts;
mod context;
mod metrics;
mod offsets;
mod partition;
mod poll;

pub use bounds::{Bounds, Retries};
pub use failure::{Failure, Meta};
pub use stream::Consumer;
