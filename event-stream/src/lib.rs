#![doc = include_str!("../README.md")]

pub mod topics;

mod config;
mod envelope;
mod error;
mod events;
mod kind;

mod admin;
mod client;
mod consumer;
mod dead_letters;
mod follower;
mod metrics;
mod producer;
mod reader;

pub mod embedded;
pub mod testing;

pub use admin::ensure_topics;
pub use config::KafkaConfig;
pub use consumer::{Bounds, Consumer, EventMetrics, Failure, Meta, Retries};
pub use dead_letters::{
    Buried, Class, DeadLetter, InvalidId, LetterId, Replaying, Selection, Spared, Told, UnknownClass, dead_letters_of,
    replay, visit_dead_letters,
};
pub use envelope::{HeaderWriter, Headers, Key, Message, Undecodable};
pub use error::Error;
pub use follower::{FollowBounds, Followed, Follower, FollowerMetrics, Standing};
pub use kind::{Kind, Priority};
pub use producer::{Acked, Delivery, Life, Producer, Profile, Receipt, Receipts};
pub use topics::{CacheChanges, DeadLetters, GatewayEvents, LateInteractions, Topic};
