//! Settings that every Kafka client of ours shares, and where librdkafka's words go.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::service::Dependency;
use rdkafka::{
    ClientConfig, ClientContext,
    client::Client,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataTopic,
};

use crate::config::KafkaConfig;

/// Largest value of a record.
///
/// Kafka's own limit of 1 MB is too small for the `GUILD_CREATE` of a large guild. The embedded broker holds 5 MiB.
pub(crate) const LARGEST_PAYLOAD: usize = 16 * 1024 * 1024;
/// Largest record with key, headers, and what a dead letter adds.
pub(crate) const LARGEST_RECORD: usize = LARGEST_PAYLOAD + 256 * 1024;

pub(crate) fn settings(config: &KafkaConfig, client_id: &str) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", client_id)
        // Nobody outside learns of us.
        .set("enable.metrics.push", "false")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.keepalive.enable", "true")
        // librdkafka resolves `localhost` to ::1 first, where test brokers do not listen.
        .set("broker.address.family", if loopback(&config.brokers) { "v4" } else { "any" })
        .set("message.max.bytes", LARGEST_RECORD.to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    settings
}

fn loopback(brokers: &str) -> bool {
    brokers.split(',').all(|broker| {
        let host = broker.trim().rsplit_once(':').map_or(broker, |(host, _)| host);
        host == "localhost" || host.starts_with("127.")
    })
}

/// Asks the brokers whether this topic is there and may be used.
pub(crate) fn ask<C: ClientContext>(client: &Client<C>, topic: &str, patience: Duration) -> Result<(), KafkaError> {
    let metadata = client.fetch_metadata(Some(topic), patience)?;
    match metadata.topics().iter().find_map(MetadataTopic::error) {
        Some(code) => Err(KafkaError::MetadataFetch(code.into())),
        None => Ok(()),
    }
}

/// Whether the brokers answer, as far as a client knows; each change is said once.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    // librdkafka says that every connection broke, which also happens when brokers close those that nobody used.
    suspected: AtomicBool,
    down: AtomicBool,
    dependency: OnceLock<Dependency>,
}

impl Connection {
    /// Tells `dependency` of each change from now on.
    pub(crate) fn report_to(&self, dependency: Dependency) {
        // The first one stays.
        let _ = self.dependency.set(dependency);
    }

    /// A broker answered.
    pub(crate) fn answered(&self) {
        if !self.is_in_doubt() {
            return;
        }
        self.suspected.store(false, Ordering::Relaxed);
        if self.down.swap(false, Ordering::Relaxed) {
            tracing::info!("kafka can be used again");
            if let Some(dependency) = self.dependency.get() {
                dependency.up();
            }
        }
    }

    /// Whether somebody should ask the brokers.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.suspected.load(Ordering::Relaxed) || self.down.load(Ordering::Relaxed)
    }

    /// The brokers were asked and did not answer, or not as wanted.
    pub(crate) fn unanswered(&self, error: &KafkaError) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "kafka cannot be used; trying on");
            if let Some(dependency) = self.dependency.get() {
                dependency.down(error);
            }
        }
    }

    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        self.suspect(error);
        log_error(error, reason);
    }

    /// A client met this error: where it is about the brokers or the topic somebody should ask.
    pub(crate) fn suspect(&self, error: &KafkaError) {
        if let Some(
            RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition,
        ) = error.rdkafka_error_code()
        {
            self.suspected.store(true, Ordering::Relaxed);
        }
    }
}

/// Hands a line of librdkafka's to `tracing`.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match (level, facility) {
        (RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical, _) => {
            tracing::error!(target: "librdkafka", facility, "{line}");
        }
        // A position that the log no longer has: records were lost, or were gone before they were read.
        (RDKafkaLogLevel::Warning, "OFFSET") => tracing::warn!(target: "librdkafka", facility, "{line}"),
        // Lost connections are among these, and librdkafka mends them.
        (RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning, _) => {
            tracing::debug!(target: "librdkafka", facility, "{line}");
        }
        (RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug, _) => {
            tracing::trace!(target: "librdkafka", facility, "{line}");
        }
    }
}

/// Logs an error that belongs to no call of ours.
pub(crate) fn log_error(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        // A connection that broke; librdkafka makes a new one, and what needs it fails by itself.
        Some(
            RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::Resolve,
        ) => tracing::debug!(reason, "connections to kafka broke"),
        _ => tracing::warn!(%error, reason, "kafka client error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_down_only_once_the_brokers_were_asked_in_vain() {
        let (connection, service) = (Connection::default(), common::service::Service::unattended("test"));
        let dependency = service.dependency("kafka");
        dependency.up();
        connection.report_to(dependency.clone());
        let all_down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);

        connection.error(&all_down, "1/1 brokers are down");
        assert!(connection.is_in_doubt());
        assert_eq!(dependency.reason(), None);
        connection.unanswered(&all_down);
        assert!(dependency.reason().is_some());
        connection.answered();
        assert!(!connection.is_in_doubt());
        assert_eq!(dependency.reason(), None);
    }

    #[test]
    fn a_topic_that_is_gone_or_forbidden_is_in_doubt_and_cannot_be_used() {
        let config = crate::testing::config();
        for code in [RDKafkaErrorCode::UnknownTopicOrPartition, RDKafkaErrorCode::TopicAuthorizationFailed] {
            let connection = Connection::default();
            connection.suspect(&KafkaError::MessageConsumption(code));
            assert!(connection.is_in_doubt(), "{code}");
        }
        let connection = Connection::default();
        connection.suspect(&KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
        assert!(!connection.is_in_doubt());

        // A consumer, because a producer's question may make the topic.
        let consumer: rdkafka::consumer::BaseConsumer = settings(&config, "test").create().unwrap();
        let asked = ask(rdkafka::consumer::Consumer::client(&consumer), &config.events_topic, Duration::from_secs(10));
        assert_eq!(asked.unwrap_err().rdkafka_error_code(), Some(RDKafkaErrorCode::UnknownTopicOrPartition));
    }

    #[test]
    fn only_a_loopback_cluster_is_asked_by_ipv4_alone() {
        assert!(loopback("127.0.0.1:9092,localhost:9093"));
        assert!(!loopback("127.0.0.1:9092,kafka:9092"));
    }
}
