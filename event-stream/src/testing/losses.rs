//! Records that go before they are read.

use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    error::KafkaError,
};

use crate::{client, config::KafkaConfig, error::Error};

/// Deletes the records of a partition that lie before this offset, as retention does.
///
/// # Errors
///
/// When the brokers do not answer or refuse.
pub async fn delete_records(config: &KafkaConfig, topic: &str, partition: i32, before: i64) -> Result<(), Error> {
    let failed = |source| Error::Consume { topic: topic.to_owned(), source };
    let mut gone = TopicPartitionList::new();
    gone.add_partition_offset(topic, partition, Offset::Offset(before)).map_err(failed)?;
    let deleted = admin(config)?.delete_records(&gone, &AdminOptions::new()).await.map_err(failed)?;
    deleted.elements().iter().try_for_each(|element| element.error()).map_err(failed)
}

/// Deletes a topic with all its records.
///
/// # Errors
///
/// When the brokers do not answer or refuse.
pub async fn delete_topic(config: &KafkaConfig, topic: &str) -> Result<(), Error> {
    let failed = |source| Error::Consume { topic: topic.to_owned(), source };
    let deleted = admin(config)?.delete_topics(&[topic], &AdminOptions::new()).await.map_err(failed)?;
    let refused = |(_, code)| failed(KafkaError::AdminOp(code));
    deleted.into_iter().try_for_each(|result| result.map(drop).map_err(refused))
}

fn admin(config: &KafkaConfig) -> Result<AdminClient<DefaultClientContext>, Error> {
    let make = |source| Error::Client { client: "test".to_owned(), source };
    client::settings(config, "test").create().map_err(make)
}
