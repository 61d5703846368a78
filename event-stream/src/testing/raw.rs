//! Records byte for byte, as a stranger may write them.

use std::{io, time::Duration};

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use tokio::time::{Instant, interval};

use super::{topics::KNOWN, wire};
use crate::{client, config::KafkaConfig, error::Error, producer::Acked};

/// A record with nothing of ours about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// The partition; by the key where `None`.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// Names and values.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The value.
    pub payload: Option<Vec<u8>>,
    /// Milliseconds since 1970; now where `None`.
    pub timestamp: Option<i64>,
}

impl Raw {
    /// A record without headers.
    #[must_use]
    pub fn new(key: &[u8], payload: &[u8]) -> Raw {
        Raw { key: Some(key.to_vec()), payload: Some(payload.to_vec()), ..Raw::default() }
    }
}

/// Writes these records, compressed, in their order within each partition, and tells where they are. Those with a header
/// whose name is not UTF-8 come before all others.
///
/// # Errors
///
/// When the brokers do not answer, or refuse one.
pub async fn send_raw(config: &KafkaConfig, topic: &str, records: &[Raw]) -> Result<Vec<Acked>, Error> {
    let make = |source| Error::Client { client: "stranger".to_owned(), source };
    let failed = |source| Error::NotDelivered { topic: topic.to_owned(), source };
    let producer: FutureProducer = client::settings(config, "stranger")
        .set("enable.idempotence", "true")
        // Nothing keeps a stranger to our limit, and the brokers look at the compressed size alone.
        .set("message.max.bytes", "100000000")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", "30000")
        .create()
        .map_err(make)?;
    let mut acked = vec![Acked { partition: -1, offset: -1 }; records.len()];
    let mut under_way = Vec::with_capacity(records.len());
    for (raw, acked) in records.iter().zip(&mut acked).filter(|(raw, _)| names(raw).is_none()) {
        *acked = send_by_hand(config, topic, raw).await?;
    }
    for (index, raw) in records.iter().enumerate() {
        let Some(names) = names(raw) else { continue };
        loop {
            match producer.send_result(record(topic, raw, &names)) {
                Ok(delivery) => {
                    under_way.push((index, delivery));
                    break;
                }
                Err((error, _)) if is_full(&error) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err((error, _)) => return Err(failed(error)),
            }
        }
    }
    for (index, delivery) in under_way {
        let delivered = delivery.await.map_err(|_| Error::Ended)?.map_err(|(error, _)| failed(error))?;
        acked[index] = Acked { partition: delivered.partition, offset: delivered.offset };
    }
    Ok(acked)
}

async fn send_by_hand(config: &KafkaConfig, topic: &str, raw: &Raw) -> Result<Acked, Error> {
    let failed = |reason: String| Error::Thread { topic: topic.to_owned(), reason };
    let deadline = Instant::now() + KNOWN;
    let mut attempts = interval(Duration::from_millis(50));
    loop {
        attempts.tick().await;
        let (config, name, raw) = (config.clone(), topic.to_owned(), raw.clone());
        let sent = tokio::task::spawn_blocking(move || wire::send(&config, &name, &raw)).await;
        match sent.map_err(|error| failed(error.to_string()))? {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {}
            sent => return sent.map_err(|error| failed(error.to_string())),
        }
    }
}

fn is_full(error: &rdkafka::error::KafkaError) -> bool {
    error.rdkafka_error_code() == Some(rdkafka::error::RDKafkaErrorCode::QueueFull)
}

/// The names of the headers; `None` where one is not UTF-8.
fn names(raw: &Raw) -> Option<Vec<&str>> {
    raw.headers.iter().map(|(name, _)| std::str::from_utf8(name).ok()).collect()
}

fn record<'a>(topic: &'a str, raw: &'a Raw, names: &[&str]) -> FutureRecord<'a, [u8], [u8]> {
    let mut headers = OwnedHeaders::new_with_capacity(raw.headers.len());
    for (name, (_, value)) in names.iter().zip(&raw.headers) {
        headers = headers.insert(Header { key: name, value: value.as_deref() });
    }
    FutureRecord {
        topic,
        partition: raw.partition,
        payload: raw.payload.as_deref(),
        key: raw.key.as_deref(),
        timestamp: raw.timestamp,
        headers: Some(headers),
    }
}
