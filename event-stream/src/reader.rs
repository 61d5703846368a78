//! Reads a topic as it stands, outside any consumer group.

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::Message as _,
};
use time::OffsetDateTime;

use crate::{client, config::KafkaConfig, envelope::Message, error::Error};

const ANSWER: Duration = Duration::from_secs(10);

/// A record, and when it was written.
pub(crate) struct Read {
    pub(crate) message: Message,
    /// As its writer or its broker says; `None` where neither did.
    pub(crate) at: Option<OffsetDateTime>,
}

/// Offsets of each partition, from the first to the one behind the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) BTreeMap<i32, Range<i64>>);

/// What `topic` holds now; from the first record on that was written at `since` or later, where that is given.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub(crate) async fn span(config: &KafkaConfig, topic: &str, since: Option<OffsetDateTime>) -> Result<Span, Error> {
    in_a_thread(config, topic, move |reader| reader.span(since)).await
}

/// Shows each record of `span` to `visit`, those of a partition in their order, until it breaks off.
///
/// Runs in a thread of its own, where `visit` may block: what is read ahead is bounded by bytes.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub(crate) async fn visit<S: Send + 'static>(
    config: &KafkaConfig,
    topic: &str,
    span: Span,
    mut state: S,
    visit: impl Fn(&mut S, Read) -> ControlFlow<()> + Send + 'static,
) -> Result<S, Error> {
    in_a_thread(config, topic, move |reader| {
        reader.visit(&span, |read| visit(&mut state, read))?;
        Ok(state)
    })
    .await
}

/// Every record that `topic` holds now, partition by partition. For topics that fit into memory.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub(crate) async fn read_all(config: &KafkaConfig, topic: &str) -> Result<Vec<Message>, Error> {
    let span = span(config, topic, None).await?;
    let partitions: BTreeMap<i32, Vec<Message>> = BTreeMap::new();
    let keep = |partitions: &mut BTreeMap<i32, Vec<Message>>, read: Read| {
        partitions.entry(read.message.partition).or_default().push(read.message);
        ControlFlow::Continue(())
    };
    Ok(visit(config, topic, span, partitions, keep).await?.into_values().flatten().collect())
}

async fn in_a_thread<R: Send + 'static>(
    config: &KafkaConfig,
    topic: &str,
    read: impl FnOnce(Reader) -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    let (config, name) = (config.clone(), Arc::from(topic));
    let reading = tokio::task::spawn_blocking(move || read(Reader::new(&config, name)?));
    reading.await.unwrap_or_else(|error| Err(Error::Thread { topic: topic.to_owned(), reason: error.to_string() }))
}

struct Reader {
    consumer: BaseConsumer,
    topic: Arc<str>,
    brokers: String,
}

impl Reader {
    fn new(config: &KafkaConfig, topic: Arc<str>) -> Result<Reader, Error> {
        let make = |source| Error::Client { client: "reader".to_owned(), source };
        let consumer = client::settings(config, "tickets-reader")
            // librdkafka wants a name even where no group is joined.
            .set("group.id", "tickets-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // Where the first records go between two questions; librdkafka's own choice passes all the others over.
            .set("auto.offset.reset", "earliest")
            // What is read ahead: a batch of a fetch can be a hundred times as large as it was on the wire.
            .set("queued.max.messages.kbytes", "16384")
            .set("queued.min.messages", "5000")
            .set("fetch.message.max.bytes", "262144")
            .create()
            .map_err(make)?;
        Ok(Reader { consumer, topic, brokers: config.brokers.clone() })
    }

    fn failed(&self, source: KafkaError) -> Error {
        Error::Consume { topic: self.topic.to_string(), source }
    }

    fn span(&self, since: Option<OffsetDateTime>) -> Result<Span, Error> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), ANSWER)
            .map_err(|source| Error::Unreachable { brokers: self.brokers.clone(), source })?;
        let partitions: Vec<i32> =
            metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|p| p.id()).collect();
        if partitions.is_empty() {
            return Err(Error::NoTopic { topic: self.topic.to_string() });
        }
        let mut span = Span::default();
        for &partition in &partitions {
            let (low, high) = self.watermarks(partition).map_err(|error| self.failed(error))?;
            span.0.insert(partition, low..high);
        }
        if let Some(since) = since {
            self.begin_at(&mut span, since).map_err(|error| self.failed(error))?;
        }
        span.0.retain(|_, offsets| !offsets.is_empty());
        Ok(span)
    }

    /// The first and the next offset. A partition that was just made has no leader for a moment.
    fn watermarks(&self, partition: i32) -> Result<(i64, i64), KafkaError> {
        let deadline = Instant::now() + ANSWER;
        loop {
            match self.consumer.fetch_watermarks(&self.topic, partition, ANSWER) {
                Err(error)
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NotLeaderForPartition)
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                answer => return answer,
            }
        }
    }

    fn begin_at(&self, span: &mut Span, since: OffsetDateTime) -> Result<(), KafkaError> {
        let millis = i64::try_from(since.unix_timestamp_nanos() / 1_000_000).unwrap_or(0).max(0);
        let mut question = TopicPartitionList::new();
        for &partition in span.0.keys() {
            question.add_partition_offset(&self.topic, partition, Offset::Offset(millis))?;
        }
        for answer in self.consumer.offsets_for_times(question, ANSWER)?.elements() {
            answer.error()?;
            if let Some(offsets) = span.0.get_mut(&answer.partition()) {
                offsets.start = match answer.offset() {
                    Offset::Offset(first) => first.max(offsets.start),
                    // Nothing is as young.
                    _ => offsets.end,
                };
            }
        }
        Ok(())
    }

    fn visit(&self, span: &Span, mut visit: impl FnMut(Read) -> ControlFlow<()>) -> Result<(), Error> {
        let failed = |error| self.failed(error);
        let mut open: BTreeMap<i32, i64> = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for (&partition, offsets) in span.0.iter().filter(|(_, offsets)| !offsets.is_empty()) {
            open.insert(partition, offsets.end);
            assignment.add_partition_offset(&self.topic, partition, Offset::Offset(offsets.start)).map_err(failed)?;
        }
        self.consumer.assign(&assignment).map_err(failed)?;

        let mut deadline = Instant::now() + ANSWER;
        while !open.is_empty() {
            let ended = match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(&end) = open.get(&partition) else { continue };
                    if offset < end {
                        let at = message.timestamp().to_millis().and_then(of_millis);
                        let message = Message::copied(&self.topic, &message);
                        if visit(Read { message, at }).is_break() {
                            return Ok(());
                        }
                    }
                    // Behind the visit, which may have taken long.
                    deadline = Instant::now() + ANSWER;
                    (offset + 1 >= end).then_some(partition)
                }
                // The last offsets of a partition may hold no record.
                Some(Err(KafkaError::PartitionEOF(partition))) => Some(partition),
                Some(Err(_)) | None if Instant::now() < deadline => None,
                Some(Err(source)) => return Err(failed(source)),
                None => {
                    return Err(failed(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)));
                }
            };
            if let Some(partition) = ended
                && open.remove(&partition).is_some()
            {
                let mut done = TopicPartitionList::new();
                done.add_partition(&self.topic, partition);
                self.consumer.pause(&done).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn of_millis(millis: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use rdkafka::{
        admin::{AdminClient, AdminOptions},
        client::DefaultClientContext,
    };

    use super::*;
    use crate::{
        ensure_topics,
        testing::{self, Raw},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn records_that_go_while_the_topic_is_read_take_no_others_along() {
        let config = KafkaConfig { partitions: 1, ..testing::config() };
        let topic = &config.events_topic;
        ensure_topics(&config).await.unwrap();
        let records: Vec<Raw> = (0..10_u8).map(|number| Raw::new(b"k", &[number])).collect();
        testing::send_raw(&config, topic, &records).await.unwrap();
        let span = span(&config, topic, None).await.unwrap();
        assert_eq!(span.0, BTreeMap::from([(0, 0..10)]));

        let admin: AdminClient<DefaultClientContext> = client::settings(&config, "test").create().unwrap();
        let mut gone = TopicPartitionList::new();
        gone.add_partition_offset(topic, 0, Offset::Offset(4)).unwrap();
        admin.delete_records(&gone, &AdminOptions::new()).await.unwrap();
        let note = |seen: &mut Vec<i64>, read: Read| {
            seen.push(read.message.offset);
            ControlFlow::Continue(())
        };
        assert_eq!(visit(&config, topic, span, Vec::new(), note).await.unwrap(), [4, 5, 6, 7, 8, 9]);
    }
}
