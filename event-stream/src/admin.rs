//! Makes the topics.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use common::backoff;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    DeadLetters, client,
    config::KafkaConfig,
    dead_letters,
    error::Error,
    topics::{self, Making},
};

const ANSWER: Duration = Duration::from_secs(5);

/// Makes every topic that is not there yet, with the dead letters' beside it where it has any.
///
/// A topic that is there is left as it is; one whose number of partitions is not the configured one is named in the log.
/// Safe to call from many processes at once. When it returns, the brokers tell of every topic.
///
/// # Errors
///
/// When the brokers do not answer, refuse to make a topic, or do not tell of it within 5 s.
pub async fn ensure_topics(config: &KafkaConfig) -> Result<(), Error> {
    let admin = admin(config)?;
    let wanted = wanted(config);
    let (admin, there) = partitions(admin, config).await?;
    for topic in &wanted {
        if let Some(partitions) = there.get(&topic.name).filter(|there| **there != topic.partitions) {
            tracing::warn!(
                topic = topic.name,
                "the topic {} has {partitions} partitions, not {}; it keeps them",
                topic.name,
                topic.partitions,
            );
        }
    }
    let missing: Vec<&Wanted> = wanted.iter().filter(|topic| !there.contains_key(&topic.name)).collect();
    make(admin, config, &missing).await
}

/// Makes these topics, and returns when the brokers tell of them.
pub(crate) async fn make(
    admin: AdminClient<DefaultClientContext>,
    config: &KafkaConfig,
    topics: &[&Wanted],
) -> Result<(), Error> {
    if topics.is_empty() {
        return Ok(());
    }
    let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
    let unreachable = |source| Error::Unreachable { brokers: config.brokers.clone(), source };
    let requests: Vec<NewTopic<'_>> = topics.iter().map(|topic| topic.request(config)).collect();
    for result in admin.create_topics(&requests, &options).await.map_err(unreachable)? {
        match result {
            // Another process was faster.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(Error::CreateTopic { topic, reason: code.to_string() }),
        }
    }
    until_told(admin, config, topics, ANSWER).await
}

/// Waits until the brokers tell of these topics. They are made before every broker has heard of them, and who comes in between
/// is told that there are none.
async fn until_told(
    mut admin: AdminClient<DefaultClientContext>,
    config: &KafkaConfig,
    made: &[&Wanted],
    patience: Duration,
) -> Result<(), Error> {
    let deadline = Instant::now() + patience;
    for wait in backoff::exponential(Duration::from_millis(10), Duration::from_millis(500)) {
        let there;
        (admin, there) = partitions(admin, config).await?;
        let is_there = |topic: &&&Wanted| there.get(&topic.name).is_some_and(|partitions| *partitions > 0);
        let Some(missing) = made.iter().find(|topic| !is_there(topic)) else { break };
        if Instant::now() > deadline {
            let reason = format!("it was made {patience:?} ago, and the brokers do not tell of it");
            return Err(Error::CreateTopic { topic: missing.name.clone(), reason });
        }
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

pub(crate) fn admin(config: &KafkaConfig) -> Result<AdminClient<DefaultClientContext>, Error> {
    let make = |source| Error::Client { client: "admin".to_owned(), source };
    client::settings(config, "tickets-admin").create().map_err(make)
}

/// Partitions of each topic that is there.
async fn partitions(
    admin: AdminClient<DefaultClientContext>,
    config: &KafkaConfig,
) -> Result<(AdminClient<DefaultClientContext>, HashMap<String, i32>), Error> {
    let unreachable = |source| Error::Unreachable { brokers: config.brokers.clone(), source };
    // Listing all topics, because asking for one by name can make it, with the brokers' defaults.
    let listing = tokio::task::spawn_blocking(move || {
        let there = admin.inner().fetch_metadata(None, ANSWER).map(|metadata| {
            let count =
                |topic: &rdkafka::metadata::MetadataTopic| i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
            metadata.topics().iter().map(|topic| (topic.name().to_owned(), count(topic))).collect()
        });
        (admin, there)
    });
    let (admin, there) = listing.await.map_err(|_| unreachable(KafkaError::Canceled))?;
    Ok((admin, there.map_err(unreachable)?))
}

/// A topic as it is to be made.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// The largest batch that it takes, in bytes.
    pub(crate) largest: String,
    // Retention, and the length of segments, where it is set: a segment goes whole, and only once it is closed.
    retention: Option<(String, Option<String>)>,
}

impl Wanted {
    fn request<'a>(&'a self, config: &KafkaConfig) -> NewTopic<'a> {
        let topic = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(config.replication))
            .set("max.message.bytes", &self.largest);
        let topic = match &self.retention {
            Some((retention, Some(segment))) => topic.set("retention.ms", retention).set("segment.ms", segment),
            Some((retention, None)) => topic.set("retention.ms", retention),
            None => topic,
        };
        // Two of three copies must have a record before it counts, so that losing a broker loses nothing.
        if config.replication >= 3 { topic.set("min.insync.replicas", "2") } else { topic }
    }
}

/// Every topic with its dead letters.
pub(crate) fn wanted(config: &KafkaConfig) -> Vec<Wanted> {
    let largest = (client::LARGEST_RECORD + 256 * 1024).to_string();
    let topics = topics::all(config).into_iter().flat_map(|Making { name, retention, dead_letters: kept }| {
        let millis = |time: Duration| time.as_millis().to_string();
        let retention = retention.map(|kept| (millis(kept), Some(millis(kept / 3))));
        let topic =
            Wanted { name: name.to_owned(), partitions: config.partitions, largest: largest.clone(), retention };
        let dead = (kept != DeadLetters::Never).then(|| Wanted {
            name: dead_letters::topic(name),
            // They are few, and read in the order in which they died.
            partitions: 1,
            largest: largest.clone(),
            // -1 is without end: a dead letter must not go before somebody has looked at it.
            retention: (kept == DeadLetters::Kept).then(|| ("-1".to_owned(), None)),
        });
        std::iter::once(topic).chain(dead)
    });
    topics.collect()
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::ResourceSpecifier;

    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_topic_counts_as_made_when_the_brokers_tell_of_it() {
        let config = testing::config();
        let wanted = wanted(&config);
        let first = [&wanted[0]];
        let error = until_told(admin(&config).unwrap(), &config, &first, Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, Error::CreateTopic { topic, .. } if topic == first[0].name));
        let waiting = until_told(admin(&config).unwrap(), &config, &first, Duration::from_secs(30));
        let (told, made) = tokio::join!(waiting, ensure_topics(&config));
        told.unwrap();
        made.unwrap();
    }

    #[tokio::test]
    async fn dead_events_are_kept_late_clicks_are_gone_soon_and_changes_of_the_cache_do_not_die() {
        let config = testing::config();
        ensure_topics(&config).await.unwrap();
        let admin = admin(&config).unwrap();
        let dead = dead_letters::topic(&config.events_topic);
        let retention = async |topic: &str| {
            let described =
                admin.describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await.unwrap();
            described[0].as_ref().unwrap().get("retention.ms").unwrap().value.clone().unwrap()
        };
        assert_eq!(retention(&dead).await, "-1");
        assert_eq!(retention(&config.interactions_topic).await, "900000");
        assert_eq!(retention(&config.cache_topic).await, "21600000");
        let (_, there) = partitions(admin, &config).await.unwrap();
        assert!(there.contains_key(&dead_letters::topic(&config.interactions_topic)));
        assert!(!there.contains_key(&dead_letters::topic(&config.cache_topic)));
    }
}
