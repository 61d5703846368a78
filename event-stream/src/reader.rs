//! Reads a topic as it stands, outside any consumer group.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::Message as _,
};

use crate::{client, config::KafkaConfig, envelope::Message, error::Error};

const ANSWER: Duration = Duration::from_secs(10);

/// Every record that `topic` holds now, partition by partition.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub(crate) async fn read_all(config: &KafkaConfig, topic: &str) -> Result<Vec<Message>, Error> {
    let config = config.clone();
    let topic: Arc<str> = topic.into();
    let name = Arc::clone(&topic);
    let reading = tokio::task::spawn_blocking(move || read_all_now(&config, &name));
    reading.await.unwrap_or_else(|error| Err(Error::Thread { topic: topic.to_string(), reason: error.to_string() }))
}

fn read_all_now(config: &KafkaConfig, topic: &Arc<str>) -> Result<Vec<Message>, Error> {
    let make = |source| Error::Client { client: "reader".to_owned(), source };
    let failed = |source| Error::Consume { topic: topic.to_string(), source };
    let consumer: BaseConsumer = client::settings(config, "tickets-reader")
        // librdkafka wants a name even where no group is joined.
        .set("group.id", "tickets-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .map_err(make)?;

    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER)
        .map_err(|source| Error::Unreachable { brokers: config.brokers.clone(), source })?;
    let partitions: Vec<i32> = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|p| p.id()).collect();
    if partitions.is_empty() {
        return Err(Error::NoTopic { topic: topic.to_string() });
    }

    let mut read: HashMap<i32, Vec<Message>> = HashMap::new();
    let mut open = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        let (low, high) = watermarks(&consumer, topic, partition).map_err(failed)?;
        if low < high {
            open.insert(partition, high);
            assignment.add_partition_offset(topic, partition, Offset::Beginning).map_err(failed)?;
        }
    }
    consumer.assign(&assignment).map_err(failed)?;

    let mut deadline = Instant::now() + ANSWER;
    while !open.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                deadline = Instant::now() + ANSWER;
                let Some(high) = open.get(&message.partition()) else { continue };
                if message.offset() < *high {
                    read.entry(message.partition()).or_default().push(Message::copied(topic, &message));
                }
                if message.offset() + 1 >= *high {
                    open.remove(&message.partition());
                }
            }
            // The last offsets of a partition may hold no record.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(_)) | None if Instant::now() < deadline => {}
            Some(Err(source)) => return Err(failed(source)),
            None => return Err(failed(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))),
        }
    }
    let mut partitions: Vec<_> = read.into_iter().collect();
    partitions.sort_by_key(|(partition, _)| *partition);
    Ok(partitions.into_iter().flat_map(|(_, messages)| messages).collect())
}

/// The first and the next offset. A partition that was just made has no leader for a moment.
fn watermarks(consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
    let deadline = Instant::now() + ANSWER;
    loop {
        match consumer.fetch_watermarks(topic, partition, ANSWER) {
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
