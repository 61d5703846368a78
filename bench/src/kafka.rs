//! The topics of a run: made, asked how much is in them, removed.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
};

/// As many as the sharder makes by default.
pub(crate) const PARTITIONS: i32 = 12;
const PATIENCE: Duration = Duration::from_secs(30);

/// A client beside the measured ones.
pub(crate) struct Kafka {
    consumer: BaseConsumer,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

impl Kafka {
    pub(crate) fn connect(brokers: &str) -> anyhow::Result<Self> {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", brokers).set("broker.address.family", "v4");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            consumer: settings.create().context("make a Kafka client")?,
            admin: settings.create().context("make a Kafka client")?,
            runtime,
        })
    }

    pub(crate) fn create(&self, topic: &str) -> anyhow::Result<()> {
        let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
        let made = self.runtime.block_on(self.admin.create_topics([&new], &AdminOptions::new()));
        made.with_context(|| format!("make topic {topic}"))?;
        // The broker answers before it leads every partition.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.records(topic) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(100)),
                led => return led.map(drop),
            }
        }
    }

    /// How many records a topic holds.
    pub(crate) fn records(&self, topic: &str) -> anyhow::Result<u64> {
        (0..PARTITIONS).try_fold(0, |sum, partition| {
            let ends = self.consumer.fetch_watermarks(topic, partition, PATIENCE);
            let (low, high) = ends.with_context(|| format!("ask how long {topic} is"))?;
            Ok(sum + u64::try_from(high - low).unwrap_or(0))
        })
    }

    /// Removes topics; what is not there is no failure.
    pub(crate) fn delete(&self, topics: &[&str]) -> anyhow::Result<()> {
        self.runtime.block_on(self.admin.delete_topics(topics, &AdminOptions::new()))?;
        Ok(())
    }
}
