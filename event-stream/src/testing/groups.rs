//! How far a consumer group is.

use std::time::Duration;

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use crate::{client, config::KafkaConfig, error::Error};

const ANSWER: Duration = Duration::from_secs(10);

/// How many records of `topic` the group has not committed yet.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub async fn behind(config: &KafkaConfig, group: &str, topic: &str) -> Result<u64, Error> {
    let make = |source| Error::Client { client: "test".to_owned(), source };
    let consumer: BaseConsumer = client::settings(config, "test").set("group.id", group).create().map_err(make)?;
    let name = topic.to_owned();
    let asking = tokio::task::spawn_blocking(move || ask(&consumer, &name)).await;
    let failed = |source| Error::Consume { topic: topic.to_owned(), source };
    asking.map_err(|_| failed(KafkaError::Canceled))?.map_err(failed)
}

fn ask(consumer: &BaseConsumer, topic: &str) -> Result<u64, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let mut question = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        question.add_partition(topic, partition.id());
    }
    let mut behind = 0;
    for committed in consumer.committed_offsets(question, ANSWER)?.elements() {
        let (first, end) = consumer.fetch_watermarks(topic, committed.partition(), ANSWER)?;
        let position = match committed.offset() {
            Offset::Offset(offset) => offset,
            _ => first,
        };
        behind += u64::try_from(end - position).unwrap_or(0);
    }
    Ok(behind)
}
