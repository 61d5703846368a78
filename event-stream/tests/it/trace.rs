//! What happens to an event can be found in the logs by its trace.

use common::telemetry::testing::capture;
use event_stream::{Bounds, Failure};
use model::{TraceParent, topics::GatewayEvent};

use crate::support::{Kafka, Log, event};

// On one thread: only there the lines are captured.
#[tokio::test]
async fn every_line_about_an_event_carries_its_trace() {
    let (lines, _captured) = capture("test");
    let kafka = Kafka::with_partitions(1).await;
    let trace = |sequence| TraceParent::derived("session", sequence);
    kafka.send((1..=2).map(|n| GatewayEvent { trace: Some(trace(n)), ..event(n, n) })).await;
    kafka.send([event(3, 3)]).await;

    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 4, move |event, meta| {
            let seen = seen.clone();
            async move {
                tracing::info!("handling {}", event.sequence);
                seen.push(event.sequence);
                let failed = std::io::Error::other("no");
                match (event.sequence, meta.attempt) {
                    (1, 1) => Err(Failure::retry(failed)),
                    (1, _) => Err(Failure::discard(failed)),
                    _ => Ok(()),
                }
            }
        })
        .await;
    log.wait(|entries| entries.len() == 4).await;
    consumer.stop().await;

    let of = |sequence| lines.with("trace_id", &trace(sequence).trace_id().to_string());
    let gave_up = "gave a record up; it is among the dead letters";
    assert_eq!(of(1), ["handling 1", "a handler failed", "handling 1", gave_up]);
    assert_eq!(of(2), ["handling 2"]);
    let without = lines.all().into_iter().find(|line| line["message"] == "handling 3").unwrap();
    assert!(without.get("trace_id").is_none(), "{without}");
}
