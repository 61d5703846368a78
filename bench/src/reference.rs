//! The reference: twilight-gateway and rdkafka as they come, from the socket to Kafka without tracking anything.
//!
//! It reads the sharder's variables, and the gateway's address from `GATEWAY_URL`. It has no end of its own.

use std::{env, sync::Arc};

use anyhow::Context;
use futures_util::StreamExt as _;
use rdkafka::{
    ClientConfig, ClientContext,
    producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer},
};
use tokio::task::JoinSet;
use twilight_gateway::{ConfigBuilder, Intents, Message, Shard, ShardId, queue::InMemoryQueue};

/// Collects the results, as it must, and looks at none.
struct Results;

impl ClientContext for Results {}

impl ProducerContext for Results {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

pub(crate) fn run() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(forward())
}

async fn forward() -> anyhow::Result<()> {
    let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
    let (topic, gateway) = (Arc::<str>::from(variable("KAFKA_TOPIC")?), variable("GATEWAY_URL")?);
    let total: u32 = variable("SHARDER_CLUSTER_SIZE")?.parse()?;
    // The sharder's settings, as far as they concern what is written; librdkafka's own linger.
    let producer: ThreadedProducer<Results> = ClientConfig::new()
        .set("bootstrap.servers", variable("KAFKA_BROKERS")?)
        .set("broker.address.family", "v4")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("message.max.bytes", "16777216")
        .create_with_context(Results)?;
    let producer = Arc::new(producer);
    let mut shards = JoinSet::new();
    for number in 0..total {
        let queue = InMemoryQueue::new(1000, 1000, std::time::Duration::from_secs(86_400), 1000);
        let intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
        let config = ConfigBuilder::new("t".to_owned(), intents).proxy_url(gateway.clone()).queue(queue).build();
        let shard = Shard::with_config(ShardId::new(number, total), config);
        shards.spawn(shard_by_itself(shard, Arc::clone(&producer), Arc::clone(&topic)));
    }
    while let Some(ended) = shards.join_next().await {
        ended?;
    }
    Ok(())
}

async fn shard_by_itself(mut shard: Shard, producer: Arc<ThreadedProducer<Results>>, topic: Arc<str>) {
    while let Some(received) = shard.next().await {
        let Ok(Message::Text(text)) = received else { continue };
        if !text.contains(r#""op":0,"#) {
            continue;
        }
        // The last guild's id in the frame, which is the event's own but for some kinds.
        let guild = text.rsplit_once(r#""guild_id":""#).and_then(|(_, rest)| rest.split_once('"'));
        let key = guild.map_or("", |(id, _)| id);
        let mut record = BaseRecord::to(&topic).key(key).payload(text.as_str());
        // A full queue is waited for.
        while let Err((_, again)) = producer.send(record) {
            record = again;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}
