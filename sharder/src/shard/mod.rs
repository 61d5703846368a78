//! One shard: from its connection to the topic.

mod cx;
mod ends;
mod forwarder;

pub use cx::{Cx, run};
