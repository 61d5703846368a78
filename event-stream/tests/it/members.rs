//! Members of a group that have a name keep their place.

use std::future::ready;

use event_stream::{Bounds, Error, KafkaConfig};

use crate::support::{Kafka, Log, Metrics, Running, event, until};

const GUILDS: u64 = 40;

/// The same topics, for the process of this name.
fn named(kafka: &Kafka, instance: Option<&str>) -> Kafka {
    let config = KafkaConfig { instance: instance.map(str::to_owned), ..kafka.config.clone() };
    Kafka { config, producer: kafka.producer.clone() }
}

async fn member(kafka: &Kafka, log: &Log<u64>) -> (Running, Metrics) {
    let log = log.clone();
    let handler = move |event: model::topics::GatewayEvent, _| {
        log.push(event.sequence);
        ready(Ok(()))
    };
    kafka.observe(Bounds::default(), 16, handler).await
}

fn owned(metrics: &Metrics) -> f64 {
    metrics.sum("consumer_partitions")
}

/// How often the second of two members restarts.
const RESTARTS: u64 = 3;

/// How often the first of two members hears that the group is divided anew while the second one restarts.
async fn rebalances_by_restarts(names: [Option<&str>; 2]) -> f64 {
    let kafka = Kafka::with_partitions(4).await;
    let [one, two] = names.map(|name| named(&kafka, name));
    let (log, again) = (Log::new(), Log::new());
    let (first, metrics) = member(&one, &log).await;
    let (mut second, of_second) = member(&two, &again).await;
    until(|| owned(&metrics) == 2.0 && owned(&of_second) == 2.0).await;
    let before = metrics.sum("consumer_rebalances_total");

    for restart in 1..=RESTARTS {
        second.stop().await;
        let of_second;
        (second, of_second) = member(&two, &again).await;
        until(|| owned(&metrics) == 2.0 && owned(&of_second) == 2.0).await;
        kafka.send((1..=GUILDS).map(|guild| event(guild, restart))).await;
        let all = usize::try_from(restart * GUILDS).unwrap();
        until(|| log.entries().len() + again.entries().len() == all).await;
        assert!(again.entries().contains(&restart));
    }
    let after = metrics.sum("consumer_rebalances_total");
    first.stop().await;
    second.stop().await;
    after - before
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restart_of_a_member_with_a_name_moves_no_partition() {
    // What the second one's first coming brought may be heard late.
    assert!(rebalances_by_restarts([Some("one"), Some("two")]).await <= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restart_of_a_member_without_a_name_moves_partitions() {
    assert!(rebalances_by_restarts([None, None]).await >= 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_with_one_name_the_older_ends_and_says_which_variable_is_wrong() {
    let kafka = named(&Kafka::with_partitions(1).await, Some("worker-0"));
    let (log, again) = (Log::new(), Log::new());
    let (first, metrics) = member(&kafka, &log).await;
    until(|| owned(&metrics) == 1.0).await;
    let (second, _) = member(&kafka, &again).await;
    let error = first.failure().await;
    assert!(matches!(error, Error::Fenced { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("KAFKA_INSTANCE_ID") && text.contains("worker-0"), "{text}");
    kafka.send([event(1, 1)]).await;
    again.wait(|entries| entries == [1]).await;
    second.stop().await;
}
