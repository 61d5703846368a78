//! Asks the brokers where a topic begins and ends.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{bounds::FollowBounds, fetch::Quiet, shared::Shared, standing::Look};
use crate::{client, config::KafkaConfig, error::Error};

/// How long the first look is tried. A partition that was just made has no leader for a moment.
const FIRST: Duration = Duration::from_secs(5);
/// What is left for the last of a look's questions.
const SHORTEST: Duration = Duration::from_millis(10);

/// A client of its own, whose questions wait behind no fetch.
pub(super) struct Looker {
    client: BaseConsumer<Quiet>,
    topic: Arc<str>,
}

impl Looker {
    pub(super) fn new(
        config: &KafkaConfig,
        client_id: &str,
        topic: Arc<str>,
        bounds: &FollowBounds,
    ) -> Result<Looker, Error> {
        // A connection that is silent for so long is made anew, for the next look.
        let answer = bounds.answer.max(SHORTEST).as_millis().to_string();
        let client = client::settings(config, client_id)
            .set("socket.timeout.ms", &answer)
            .set(
                "socket.connection.setup.timeout.ms",
                bounds.answer.max(Duration::from_secs(1)).as_millis().to_string(),
            )
            .create_with_context(Quiet)
            .map_err(|source| Error::Client { client: client_id.to_owned(), source })?;
        Ok(Looker { client, topic })
    }

    /// Looks until the brokers answer, within 5 s.
    pub(super) fn first(&self) -> Result<Look, KafkaError> {
        let deadline = Instant::now() + FIRST;
        loop {
            match self.look(deadline.saturating_duration_since(Instant::now())) {
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
                answer => return answer,
            }
        }
    }

    /// Where the topic begins and ends now.
    fn look(&self, patience: Duration) -> Result<Look, KafkaError> {
        let deadline = Instant::now() + patience;
        let left = || deadline.saturating_duration_since(Instant::now()).max(SHORTEST);
        let metadata = self.client.fetch_metadata(Some(&self.topic), left())?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == &*self.topic) else {
            return Ok(Look::default());
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(Look::default()),
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
        }
        let mut partitions: Vec<i32> = topic.partitions().iter().map(|partition| partition.id()).collect();
        // Kafka counts them from 0.
        partitions.sort_unstable();
        Ok(Look {
            starts: self.at(Offset::Beginning, &partitions, left())?,
            ends: self.at(Offset::End, &partitions, left())?,
        })
    }

    /// librdkafka's question "which offset at this time" takes the beginning and the end instead of a time.
    fn at(&self, place: Offset, partitions: &[i32], patience: Duration) -> Result<Vec<i64>, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for &partition in partitions {
            list.add_partition_offset(&self.topic, partition, place)?;
        }
        let answer = self.client.offsets_for_times(list, patience)?;
        let mut offsets = Vec::with_capacity(partitions.len());
        for &partition in partitions {
            let element = answer.find_partition(&self.topic, partition);
            match element.map(|element| element.error().map(|()| element.offset())).transpose()? {
                Some(Offset::Offset(offset)) => offsets.push(offset),
                _ => return Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
            }
        }
        Ok(offsets)
    }
}

/// Looks until everything is over.
pub(super) fn watch<P>(shared: &Shared<P>, looker: &Looker, bounds: &FollowBounds) {
    loop {
        let fetched = shared.fetched();
        match looker.look(bounds.answer) {
            Ok(look) => shared.looked(&fetched, look),
            Err(error) => shared.unanswered(error.to_string()),
        }
        if shared.wait_over(bounds.look_every) {
            return;
        }
    }
}
