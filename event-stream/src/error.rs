//! What can go wrong between us and Kafka.

use rdkafka::error::KafkaError;

/// An attempt that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client could not be made: a setting is wrong.
    #[error("make the kafka client {client}")]
    Client {
        /// Its `client.id`.
        client: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// No broker answered.
    #[error("no answer from the kafka brokers {brokers}")]
    Unreachable {
        /// The addresses tried.
        brokers: String,
        /// The last answer.
        #[source]
        source: KafkaError,
    },
    /// The brokers did not give the producer its id in time.
    #[error("the kafka brokers {brokers} gave no producer id")]
    NotWarm {
        /// The addresses tried.
        brokers: String,
    },
    /// The topic could not be made.
    #[error("make the topic {topic}: {reason}")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// The broker's words, or that it does not tell of the topic.
        reason: String,
    },
    /// The topic is not there.
    #[error("the topic {topic} does not exist")]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// The producer holds as much as it may: wait for a delivery, then try again.
    #[error("the producer's queue is full")]
    QueueFull,
    /// The record is larger than the topics take.
    #[error("a record of {bytes} bytes for {topic} is larger than {limit}")]
    TooLarge {
        /// The topic.
        topic: String,
        /// Its size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// The brokers refused the record for its size, or for that of what it was sent together with.
    #[error("the topic {topic} does not take a record of {bytes} bytes")]
    RefusedForSize {
        /// The topic.
        topic: String,
        /// Its size.
        bytes: usize,
    },
    /// The record was not acknowledged; it may still have been written.
    #[error("deliver to {topic}")]
    NotDelivered {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// The producer was dropped, or replaced after a fatal error, before the record was acknowledged.
    #[error("the producer ended before the record was acknowledged")]
    Ended,
    /// The producer died since: wait for the results of what it had, then go on in its next life.
    #[error("the producer died, and another took its place")]
    Replaced,
    /// Another process of the group took this one's place in it.
    #[error("another process has the same KAFKA_INSTANCE_ID, {instance}: each needs one of its own")]
    Fenced {
        /// The name that both have.
        instance: String,
    },
    /// The consumer cannot go on.
    #[error("consume {topic}")]
    Consume {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// The consumer's thread could not be started, or died.
    #[error("the thread that consumes {topic}: {reason}")]
    Thread {
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
    },
}
