//! Topics of a test, and what they hold.

use tokio::{
    sync::OnceCell,
    time::{Duration, Instant, interval},
};
use uuid::Uuid;

use crate::{
    admin::{self, ensure_topics},
    config::KafkaConfig,
    envelope::{Headers, Message},
    error::Error,
    producer::{Producer, Profile},
    reader,
    topics::{self, Topic},
};

/// How long a broker may not know of a topic that was made.
pub(super) const KNOWN: Duration = Duration::from_secs(30);

/// The configuration of the cluster that `KAFKA_BROKERS` names, with topics and groups that nobody else has: a group that tests share waits for
/// the members of all of them.
///
/// # Panics
///
/// When the variable is missing: a test without its broker fails, and is never passed over.
#[expect(clippy::panic, reason = "a test without its broker has to fail, and say what to do")]
pub fn config() -> KafkaConfig {
    let Some(brokers) = std::env::var("KAFKA_BROKERS").ok().filter(|brokers| !brokers.is_empty()) else {
        panic!("no Kafka for this test: run scripts/test, or set KAFKA_BROKERS");
    };
    let suffix = Uuid::new_v4().simple();
    KafkaConfig {
        events_topic: format!("test-events-{suffix}"),
        interactions_topic: format!("test-interactions-{suffix}"),
        cache_topic: format!("test-changes-{suffix}"),
        group: Some(format!("test-{suffix}")),
        partitions: 4,
        ..KafkaConfig::at(brokers)
    }
}

/// A producer that is warm already, for the topics of `config`: all tests of a process share one.
///
/// # Errors
///
/// When the brokers do not answer.
pub async fn producer(config: &KafkaConfig) -> Result<Producer, Error> {
    // The first record of a producer waits half a second for the producer's id: once per process, not per test.
    static SHARED: OnceCell<Producer> = OnceCell::const_new();
    let shared = SHARED.get_or_try_init(|| Producer::connect(config, "test", Profile::Interactive)).await?;
    Ok(shared.for_topics_of(config))
}

/// Makes the topics, of which this one takes no batch beyond so many bytes. It must be new: a limit that comes later counts from
/// when the broker gets to it.
///
/// # Errors
///
/// When the brokers do not answer or refuse.
///
/// # Panics
///
/// When the configuration has no such topic.
#[expect(clippy::panic, reason = "a test that names a wrong topic fails")]
pub async fn make_with_limit(config: &KafkaConfig, topic: &str, bytes: usize) -> Result<(), Error> {
    let Some(mut limited) = admin::wanted(config).into_iter().find(|wanted| wanted.name == topic) else {
        panic!("{topic} is not among the topics");
    };
    limited.largest = bytes.to_string();
    admin::make(admin::admin(config)?, config, &[&limited]).await?;
    ensure_topics(config).await
}

/// Every payload that `topic` holds now, with its headers: in the order of a partition, partition after partition.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
///
/// # Panics
///
/// When a record is not what topic `T` promises.
#[expect(clippy::panic, reason = "a record that does not decode fails the test that wrote it")]
pub async fn read_all<T: Topic>(config: &KafkaConfig, topic: &str) -> Result<Vec<(T::Payload, Headers)>, Error> {
    let messages = read_raw(config, topic).await?;
    let decode = |message: Message| match topics::decode::<T>(&message) {
        Ok(payload) => (payload, message.headers),
        Err(error) => panic!("{message:?} of {topic} does not decode: {error}"),
    };
    Ok(messages.into_iter().map(decode).collect())
}

/// Every record that `topic` holds now, as it is. A busy broker may be late to know of a topic that was made a moment ago: that
/// is waited for.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub async fn read_raw(config: &KafkaConfig, topic: &str) -> Result<Vec<Message>, Error> {
    let deadline = Instant::now() + KNOWN;
    let mut looks = interval(Duration::from_millis(50));
    loop {
        looks.tick().await;
        match try_read_raw(config, topic).await {
            Err(Error::NoTopic { .. } | Error::Consume { .. }) if Instant::now() < deadline => {}
            read => return read,
        }
    }
}

/// As [`read_raw`], of a topic that may not be there.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub async fn try_read_raw(config: &KafkaConfig, topic: &str) -> Result<Vec<Message>, Error> {
    reader::read_all(config, topic).await
}

/// The name of the topic that takes the dead letters of `topic`.
pub fn dead_letters_of(topic: &str) -> String {
    crate::dead_letters::topic(topic)
}
