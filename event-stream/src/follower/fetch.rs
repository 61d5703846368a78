//! Takes a topic's records from Kafka, on a thread that may wait for room.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
    message::BorrowedMessage,
    statistics::Statistics,
};

use super::{
    loss::{Cause, Loss},
    shared::Shared,
};
use crate::{
    client,
    config::KafkaConfig,
    envelope::Message,
    error::Error,
    topics::{self, Topic},
};

/// Longest wait for a record: an end is noticed within it.
const WAIT: Duration = Duration::from_millis(100);

/// A client of all partitions, which begins with the records at `from`.
pub(super) fn client(
    config: &KafkaConfig,
    client_id: &str,
    topic: &str,
    from: &[i64],
) -> Result<BaseConsumer<Quiet>, Error> {
    let consumer: BaseConsumer<Quiet> = client::settings(config, client_id)
        // librdkafka wants a name even where no group is joined.
        .set("group.id", client_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Records that are gone are told, never passed over.
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "5000")
        .set("fetch.message.max.bytes", "262144")
        .set("fetch.queue.backoff.ms", "10")
        // A record is answered at once; this bounds the wait of a partition that comes to a fetch which is under way.
        .set("fetch.wait.max.ms", "100")
        .set("fetch.error.backoff.ms", "100")
        // A connection that is silent for so long is made anew.
        .set("socket.timeout.ms", "10000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .create_with_context(Quiet)
        .map_err(|source| Error::Client { client: client_id.to_owned(), source })?;
    let mut list = TopicPartitionList::with_capacity(from.len());
    let assigned = (0..)
        .zip(from)
        .try_for_each(|(partition, offset)| list.add_partition_offset(topic, partition, Offset::Offset(*offset)));
    let assigned = assigned.and_then(|()| consumer.assign(&list));
    assigned.map_err(|source| Error::Consume { topic: topic.to_owned(), source })?;
    Ok(consumer)
}

/// Fetches until everything is over.
pub(super) fn fetch<T: Topic>(shared: &Shared<T::Payload>, consumer: &BaseConsumer<Quiet>) {
    while !shared.is_over() {
        match consumer.poll(WAIT) {
            Some(Ok(record)) => take::<T>(shared, &record),
            Some(Err(error)) => match Loss::of(&error) {
                Some(loss) => shared.lose(loss),
                None => tracing::debug!(topic = &**shared.topic(), %error, "kafka has no records for now"),
            },
            None => {}
        }
    }
}

fn take<T: Topic>(shared: &Shared<T::Payload>, record: &BorrowedMessage<'_>) {
    let message = Message::copied(shared.topic(), record);
    let Message { partition, offset, .. } = message;
    let decoded = catch_unwind(AssertUnwindSafe(|| topics::decode::<T>(&message)));
    let why = match decoded {
        Ok(Ok(payload)) => {
            let bytes = message.payload.as_ref().map_or(0, bytes::Bytes::len);
            return shared.put(partition, offset, bytes, payload);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its decoder panicked".to_owned(),
    };
    let why = format!("record {offset} of partition {partition} does not decode: {why}");
    shared.lose(Loss::new(Cause::Undecodable, why));
}

/// What librdkafka calls.
pub(super) struct Quiet;

impl ConsumerContext for Quiet {}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        client::log(level, facility, line);
    }

    fn stats(&self, _: Statistics) {}

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        client::log_error(&error, reason);
    }
}
