//! Reads a topic: many keys at once, each key in order, the most urgent first, offsets only behind finished work.

mod bounds;
mod event_metrics;
mod failure;
mod stream;

mod attempts;
mod context;
mod gate;
mod lag;
mod metrics;
mod offsets;
mod partition;
mod poll;
mod room;

pub use bounds::{Bounds, Retries};
pub use event_metrics::EventMetrics;
pub use failure::{Failure, Meta};
pub use stream::Consumer;
