//! The crate against a real Kafka, the one that `KAFKA_BROKERS` names.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod dead_letters;
mod follower;
mod groups;
mod lag;
mod members;
mod order;
mod oversize;
mod poison;
mod priorities;
mod records;
mod replay;
mod seeded;
mod stop;
mod support;
mod trace;
