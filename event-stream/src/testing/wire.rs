//! One record, written by hand over the wire: what librdkafka's binding cannot write.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::raw::Raw;
use crate::{client, config::KafkaConfig, producer::Acked};

const ANSWER: Duration = Duration::from_secs(10);

/// What a broker answers that has not come to a new topic yet: it knows no such topic, nobody leads it, or it does not.
const NOT_YET: [i16; 3] = [3, 5, 6];

/// Writes `raw` to its partition (0 where it names none), uncompressed, to the partition's leader. An error is of the kind
/// [`io::ErrorKind::WouldBlock`] where the topic is too new.
pub(super) fn send(config: &KafkaConfig, topic: &str, raw: &Raw) -> io::Result<Acked> {
    let partition = raw.partition.unwrap_or(0);
    let mut connection = TcpStream::connect(leader(config, topic, partition)?)?;
    connection.set_read_timeout(Some(ANSWER))?;
    let request = request(topic, partition, &batch(raw));
    connection.write_all(&length(&request).to_be_bytes())?;
    connection.write_all(&request)?;
    let mut size = [0; 4];
    connection.read_exact(&mut size)?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).map_err(io::Error::other)?];
    connection.read_exact(&mut answer)?;
    // The correlation id, one topic with its name, one partition with its number; then the error and the offset.
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    let code = answer.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(i16::from_be_bytes);
    let offset = answer.get(at + 2..at + 10).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
    match (code, offset) {
        (Some(0), Some(offset)) => Ok(Acked { partition, offset }),
        (Some(code), _) if NOT_YET.contains(&code) => Err(not_yet()),
        _ => Err(io::Error::other(format!("the broker refused the record: {code:?}"))),
    }
}

fn leader(config: &KafkaConfig, topic: &str, partition: i32) -> io::Result<(String, u16)> {
    let consumer: BaseConsumer = client::settings(config, "stranger").create().map_err(io::Error::other)?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).map_err(io::Error::other)?;
    let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let leader = partitions.find(|found| found.id() == partition).map(|found| found.leader());
    let broker = metadata.brokers().iter().find(|broker| Some(broker.id()) == leader);
    let broker = broker.ok_or_else(not_yet)?;
    Ok((broker.host().to_owned(), u16::try_from(broker.port()).map_err(io::Error::other)?))
}

fn not_yet() -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, "the partition has no leader")
}

/// A ProduceRequest of version 3.
fn request(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (api, version, correlation) = (0_i16, 3_i16, 1_i32);
    out.extend(api.to_be_bytes());
    out.extend(version.to_be_bytes());
    out.extend(correlation.to_be_bytes());
    string(&mut out, "stranger");
    // No transaction; acknowledged by all replicas in sync, within 10 s.
    out.extend((-1_i16).to_be_bytes());
    out.extend((-1_i16).to_be_bytes());
    out.extend(10_000_i32.to_be_bytes());
    out.extend(1_i32.to_be_bytes());
    string(&mut out, topic);
    out.extend(1_i32.to_be_bytes());
    out.extend(partition.to_be_bytes());
    out.extend(length(batch).to_be_bytes());
    out.extend(batch);
    out
}

/// A batch of version 2 with one record.
fn batch(raw: &Raw) -> Vec<u8> {
    let mut record = vec![0_u8];
    // Behind the batch's time and offset.
    varint(&mut record, 0);
    varint(&mut record, 0);
    bytes(&mut record, raw.key.as_deref());
    bytes(&mut record, raw.payload.as_deref());
    varint(&mut record, i64::from(length(&raw.headers)));
    for (name, value) in &raw.headers {
        bytes(&mut record, Some(name));
        bytes(&mut record, value.as_deref());
    }

    let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    let at = raw.timestamp.unwrap_or(now);
    let mut checked = Vec::new();
    checked.extend(0_i16.to_be_bytes());
    checked.extend(0_i32.to_be_bytes());
    checked.extend(at.to_be_bytes());
    checked.extend(at.to_be_bytes());
    // Without a producer's id, epoch and sequence.
    checked.extend((-1_i64).to_be_bytes());
    checked.extend((-1_i16).to_be_bytes());
    checked.extend((-1_i32).to_be_bytes());
    checked.extend(1_i32.to_be_bytes());
    varint(&mut checked, i64::from(length(&record)));
    checked.extend(record);

    let mut out = Vec::new();
    out.extend(0_i64.to_be_bytes());
    // What follows: the leader's epoch, the version, the sum, and what is summed up.
    out.extend((length(&checked) + 4 + 1 + 4).to_be_bytes());
    out.extend((-1_i32).to_be_bytes());
    out.push(2);
    out.extend(crc32c(&checked).to_be_bytes());
    out.extend(checked);
    out
}

fn length<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend(i16::try_from(text.len()).unwrap_or(i16::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}

fn bytes(out: &mut Vec<u8>, value: Option<&[u8]>) {
    varint(out, value.map_or(-1, |value| i64::from(length(value))));
    out.extend(value.unwrap_or_default());
}

/// Zigzag, seven bits at a time.
fn varint(out: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// Castagnoli's.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg()))
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sums_are_as_kafka_wants_them() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let mut out = Vec::new();
        for number in [0, -1, 1, 300] {
            varint(&mut out, number);
        }
        assert_eq!(out, [0, 1, 2, 0xd8, 0x04]);
    }
}
