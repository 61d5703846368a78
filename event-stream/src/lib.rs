#![doc = include_str!("../README.md")]

pub mod topics;

mod config;
mod envelope;
mod error;

mod admin;
mod client;
mod consumer;
mod dead_letters;
mod metrics;
mod producer;
mod reader;

pub mod embedded;
pub mod testing;

pub use admin::ensure_topics;
pub use config::KafkaConfig;
pub use consumer::{Bounds, Consumer, Failure, Meta, Retries};
pub use dead_letters::{Class, DeadLetter};
pub use envelope::{HeaderWriter, Headers, Key, Message, Undecodable};
pub use error::Error;
pub use producer::{Acked, Delivery, Life, Producer, Profile};
pub use topics::{GatewayEvents, LateInteractions, Topic};
