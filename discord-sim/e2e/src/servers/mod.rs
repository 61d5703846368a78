//! Servers and services as processes of a test's own, to be killed, frozen and started again.

mod kafka;
mod node;
mod postgres;
mod redis;
mod service;

pub use kafka::Cluster;
pub use postgres::Postgres;
pub use redis::Redis;
pub use service::Process;
