//! Where Kafka is and what the topics are called.

use std::time::Duration;

use common::config::{Env, FromEnv, Invalid, Value};
use twilight_model::id::{Id, marker::ApplicationMarker};

/// The brokers, the names of the topics and how they are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `KAFKA_BROKERS`: addresses to find the cluster by, comma separated.
    pub brokers: String,
    /// `KAFKA_TOPIC`, default `tickets-events`: what the gateway dispatched.
    pub events_topic: String,
    /// `KAFKA_INTERACTIONS_TOPIC`, default `tickets-interactions`: clicks answered by "deferred".
    pub interactions_topic: String,
    /// `KAFKA_CACHE_TOPIC`, default `cache-changes`: what changed in the cache.
    pub cache_topic: String,
    /// `KAFKA_GROUP_ID`: first part of the consumer groups' names; the service's name where unset.
    pub group: Option<String>,
    /// `KAFKA_INSTANCE_ID`: the name of this process among those of its consumer groups, each its own. With it the process
    /// keeps its partitions while it restarts, for as long as its session lasts.
    pub instance: Option<String>,
    /// `KAFKA_SESSION_TIMEOUT`: how long the groups wait for a process that is silent before others take its partitions.
    pub session_timeout: Option<Duration>,
    /// `KAFKA_REPLICATION`, default 1: copies of each partition when a topic is made.
    pub replication: i32,
    /// `KAFKA_PARTITIONS`, default 12: partitions of a topic when it is made.
    ///
    /// A topic that exists keeps its own number: another one would send a guild's next event to another partition, past
    /// the events of that guild that still wait.
    pub partitions: i32,
}

impl KafkaConfig {
    /// The configuration with every default, for the cluster at `brokers`.
    pub fn at(brokers: impl Into<String>) -> KafkaConfig {
        KafkaConfig {
            brokers: brokers.into(),
            events_topic: "tickets-events".to_owned(),
            interactions_topic: "tickets-interactions".to_owned(),
            cache_topic: "cache-changes".to_owned(),
            group: None,
            instance: None,
            session_timeout: None,
            replication: 1,
            partitions: 12,
        }
    }

    /// The same with consumer groups of this bot alone, `<KAFKA_GROUP_ID, else the service>.<bot>`: of each record only one
    /// member of a group hears, and where bots share the topics each has to hear of all.
    #[must_use]
    pub fn of_bot(&self, service: &str, bot: Id<ApplicationMarker>) -> KafkaConfig {
        let first = self.group.as_deref().unwrap_or(service);
        KafkaConfig { group: Some(format!("{first}.{bot}")), ..self.clone() }
    }

    /// How long a consumer may be silent: 10 s, or 45 s with an instance id, for a restart has to fit in.
    pub(crate) fn session_timeout(&self) -> Duration {
        let default = Duration::from_secs(if self.instance.is_some() { 45 } else { 10 });
        self.session_timeout.unwrap_or(default)
    }
}

impl FromEnv for KafkaConfig {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let brokers = env
            .var("KAFKA_BROKERS")
            .about("Kafka brokers to find the cluster by, comma separated")
            .example("127.0.0.1:9092")
            .required_as("addresses `host:port`, comma separated", brokers);
        let events_topic =
            env.var("KAFKA_TOPIC").about("Topic of gateway events").default("tickets-events").required_as(TOPIC, topic);
        let interactions_topic = env
            .var("KAFKA_INTERACTIONS_TOPIC")
            .about("Topic of clicks that no worker answered in time")
            .default("tickets-interactions")
            .required_as(TOPIC, topic);
        let cache_topic = env
            .var("KAFKA_CACHE_TOPIC")
            .about("Topic of what changed in the cache")
            .default("cache-changes")
            .required_as(TOPIC, topic);
        let group = env
            .var("KAFKA_GROUP_ID")
            .about("First part of the consumer groups' names; the service's name where unset")
            .example("worker")
            .optional();
        let instance = env
            .var("KAFKA_INSTANCE_ID")
            .about("Name of this process in its consumer groups, each its own: a restart then moves no partitions")
            .example("worker-0")
            .optional_as(TOPIC, topic);
        let session_timeout = env
            .var("KAFKA_SESSION_TIMEOUT")
            .about("How long consumer groups wait for a silent process; 10 s, or 45 s with KAFKA_INSTANCE_ID")
            .example("45s")
            .optional_as("a duration from 6 s to 30 m, which brokers allow", session_timeout);
        let replication = env
            .var("KAFKA_REPLICATION")
            .about("Copies of each partition when a topic is made; 3 on a cluster")
            .default("1")
            .required_as("a number from 1 to 32767", positive);
        let partitions = env
            .var("KAFKA_PARTITIONS")
            .about("Partitions of a topic when it is made; bounds how many processes can share it")
            .default("12")
            .required_as("a number from 1 to 32767", positive);
        Ok(KafkaConfig {
            brokers: brokers?,
            events_topic: events_topic?,
            interactions_topic: interactions_topic?,
            cache_topic: cache_topic?,
            group: group?,
            instance: instance?,
            session_timeout: session_timeout?,
            replication: replication?,
            partitions: partitions?,
        })
    }
}

const TOPIC: &str = "letters, digits, `.`, `_` and `-`, at most 200";

/// Kafka allows 249 characters; the dead letters' suffix needs room too.
fn topic(text: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=200).contains(&text.len()) && text != "." && text != "..";
    (fits && text.chars().all(legal)).then(|| text.to_owned())
}

fn brokers(text: &str) -> Option<String> {
    let address = |part: &str| {
        let (host, port) = part.trim().rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(())
    };
    text.split(',').all(|part| address(part).is_some()).then(|| text.to_owned())
}

fn session_timeout(text: &str) -> Option<Duration> {
    let range = Duration::from_secs(6)..=Duration::from_mins(30);
    Duration::parse(text).filter(|timeout| range.contains(timeout))
}

fn positive(text: &str) -> Option<i32> {
    text.parse::<i16>().ok().filter(|number| *number > 0).map(i32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: [(&str, &str); 5] = [
        ("KAFKA_BROKERS", "kafka"),
        ("KAFKA_TOPIC", "with space"),
        ("KAFKA_INSTANCE_ID", "a/b"),
        ("KAFKA_SESSION_TIMEOUT", "2s"),
        ("KAFKA_PARTITIONS", "0"),
    ];

    #[test]
    fn only_the_brokers_have_no_default() {
        let mut env = Env::from_pairs([("KAFKA_BROKERS", "kafka-1:9092,kafka-2:9092")]);
        let config = common::config::read::<KafkaConfig>(&mut env).unwrap();
        assert_eq!(config, KafkaConfig::at("kafka-1:9092,kafka-2:9092"));
    }

    #[test]
    fn groups_of_a_bot_begin_with_the_configured_name_and_are_its_own() {
        let at = KafkaConfig::at("kafka:9092");
        assert_eq!(at.of_bot("worker", Id::new(7)).group.as_deref(), Some("worker.7"));
        let named = KafkaConfig { group: Some("blue".to_owned()), ..at };
        assert_eq!(named.of_bot("worker", Id::new(7)).group.as_deref(), Some("blue.7"));
        assert_eq!(named.of_bot("worker", Id::new(8)).group.as_deref(), Some("blue.8"));
    }

    #[test]
    fn a_process_with_a_name_has_time_to_restart() {
        let at = KafkaConfig::at("kafka:9092");
        assert_eq!(at.session_timeout(), Duration::from_secs(10));
        let named = KafkaConfig { instance: Some("worker-0".to_owned()), ..at };
        assert_eq!(named.session_timeout(), Duration::from_secs(45));
        let told = KafkaConfig { session_timeout: Some(Duration::from_secs(20)), ..named };
        assert_eq!(told.session_timeout(), Duration::from_secs(20));
    }

    #[test]
    fn every_wrong_variable_is_reported_at_once() {
        let mut env = Env::from_pairs(WRONG);
        let error = common::config::read::<KafkaConfig>(&mut env).unwrap_err().to_string();
        for (variable, _) in WRONG {
            assert!(error.contains(variable), "{error}");
        }
    }
}
