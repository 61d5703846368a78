//! The librdkafka producer: its settings, and what it calls.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use prometheus::{IntCounter, IntCounterVec, Opts};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::Message as _,
    producer::{DeliveryResult, ProducerContext, ThreadedProducer},
};
use tokio::sync::Notify;

use super::{
    handle::{Acked, Profile},
    receipts::Waiting,
};
use crate::{client, config::KafkaConfig, error::Error};

/// The librdkafka producer of the moment.
pub(super) struct Current {
    pub(super) native: Option<ThreadedProducer<Deliveries>>,
    /// How many were replaced before it.
    pub(super) life: u64,
}

impl Current {
    pub(super) fn new(
        config: &KafkaConfig,
        client_id: &str,
        profile: Profile,
        metrics: &Arc<Metrics>,
        dead: &Arc<Notify>,
        life: u64,
    ) -> Result<(Current, Arc<Notify>), Error> {
        let warm = Arc::new(Notify::new());
        let context = Deliveries {
            warm: Arc::clone(&warm),
            is_warm: AtomicBool::new(false),
            died: AtomicBool::new(false),
            dead: Arc::clone(dead),
            metrics: Arc::clone(metrics),
        };
        let make = |source| Error::Client { client: client_id.to_owned(), source };
        let native = settings(config, client_id, profile).create_with_context(context).map_err(make)?;
        Ok((Current { native: Some(native), life }, warm))
    }
}

fn settings(config: &KafkaConfig, client_id: &str, profile: Profile) -> ClientConfig {
    let mut settings = client::settings(config, client_id);
    settings
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // As the Java client, so that other tools find a key in the same partition.
        .set("partitioner", "murmur2_random")
        // librdkafka looks for a broker to take its id from every 500 ms. It tells by a line of its log, a few in a
        // producer's life, or by its statistics, of which each costs half a millisecond of CPU.
        .set("debug", "eos")
        .set_log_level(RDKafkaLogLevel::Debug)
        // 0 is without end.
        .set("message.timeout.ms", profile.gives_up_after().map_or(0, |time| time.as_millis()).to_string());
    match profile {
        Profile::Interactive => settings.set("linger.ms", "0").set("queue.buffering.max.kbytes", "32768"),
        Profile::Bulk => settings
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.kbytes", "65536")
            // A record that the broker refuses takes all behind it along: otherwise they would be written, and it could
            // only be sent again behind them.
            .set("enable.gapless.guarantee", "true"),
    };
    settings
}

impl Drop for Current {
    fn drop(&mut self) {
        // librdkafka waits up to half a second for the results of what it throws away: not on a task's thread.
        let native = self.native.take();
        let _ = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(native));
    }
}

/// Called by librdkafka with each result, whether anybody waits for it or not.
pub(super) struct Deliveries {
    warm: Arc<Notify>,
    is_warm: AtomicBool,
    pub(super) died: AtomicBool,
    dead: Arc<Notify>,
    metrics: Arc<Metrics>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "IDEMPSTATE" && line.ends_with("-> Assigned") && !self.is_warm.swap(true, Ordering::Relaxed) {
            self.warm.notify_one();
        }
        client::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.died.store(true, Ordering::Relaxed);
            self.dead.notify_one();
        }
        client::log_error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let result = match result {
            Ok(message) => {
                self.metrics.acked.inc();
                Ok(Acked { partition: message.partition(), offset: message.offset() })
            }
            Err((source, message)) => {
                self.metrics.failed.inc();
                if source.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                    self.died.store(true, Ordering::Relaxed);
                }
                // The error of a record need not be the one that the producer died of.
                self.dead.notify_one();
                Err(match source.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::MessageSizeTooLarge) => Error::RefusedForSize {
                        topic: message.topic().to_owned(),
                        bytes: message.payload().map_or(0, <[u8]>::len),
                    },
                    _ => Error::NotDelivered { topic: message.topic().to_owned(), source: source.clone() },
                })
            }
        };
        waiting.tell(result);
    }
}

pub(super) struct Metrics {
    pub(super) produced: IntCounterVec,
    pub(super) replaced: IntCounter,
    pub(super) acked: IntCounter,
    pub(super) failed: IntCounter,
}

impl Metrics {
    pub(super) fn new(profile: Profile) -> Metrics {
        let produced = crate::metrics::counters(
            Opts::new("produced_total", "Records handed to Kafka, by result").const_label("producer", profile.label()),
            &["result"],
        );
        let replaced = crate::metrics::counter(
            Opts::new("producer_replaced_total", "Producers that died of a fatal error")
                .const_label("producer", profile.label()),
        );
        Metrics {
            acked: produced.with_label_values(&["acked"]),
            failed: produced.with_label_values(&["failed"]),
            produced,
            replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_stream_is_never_given_up_for_its_age() {
        let config = KafkaConfig::at("127.0.0.1:9092");
        let timeout = |profile| settings(&config, "test", profile).get("message.timeout.ms").map(ToOwned::to_owned);
        // librdkafka gives each record up by its own age: those behind it would be written, and it only after them.
        assert_eq!(timeout(Profile::Bulk).as_deref(), Some("0"));
        assert_eq!(timeout(Profile::Interactive).as_deref(), Some("10000"));
    }
}
