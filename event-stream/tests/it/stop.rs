//! Offsets are committed after the work, never before.

use std::{future::pending, sync::Arc, time::Duration};

use common::service::Service;
use event_stream::{Bounds, Failure, GatewayEvents, Producer, Profile, Retries, embedded};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::support::{Kafka, Log, event, id, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_handler_did_not_finish_goes_to_the_next_consumer() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1), event(2, 2), event(3, 3)]).await;
    let log = Log::new();
    let seen = log.clone();
    let first = kafka
        .consume(Bounds::default(), 4, move |event, _| {
            seen.push(event.sequence);
            async move { if event.sequence == 2 { pending().await } else { Ok(()) } }
        })
        .await;
    log.wait(|entries| entries.len() == 3).await;
    first.drop_now();

    let again = Log::new();
    let seen = again.clone();
    let second = kafka
        .consume(Bounds::default(), 4, move |event, _| {
            seen.push(event.sequence);
            std::future::ready(Ok(()))
        })
        .await;
    let entries = again.wait(|entries| entries.contains(&2) && entries.contains(&3)).await;
    second.stop().await;
    // The first one is behind the committed offset; the third one is done, but stands behind the unfinished one.
    assert!(!entries.contains(&1), "{entries:?}");
    assert_eq!(entries.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_stop_finishes_what_runs_commits_it_and_begins_nothing() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1), event(2, 2), event(1, 3)]).await;
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    let handler = {
        let (log, gate) = (log.clone(), Arc::clone(&gate));
        move |event, _| {
            let (log, gate) = (log.clone(), Arc::clone(&gate));
            async move {
                log.push((id(&event), "begun"));
                gate.acquire().await.map_err(Failure::retry)?.forget();
                log.push((id(&event), "done"));
                Ok(())
            }
        }
    };
    let first = kafka.consume(Bounds::default(), 4, handler).await;
    log.wait(|entries| entries.len() == 2).await;
    first.begin_stop();
    gate.add_permits(2);
    first.stop().await;
    let mut entries = log.entries();
    entries.sort_unstable();
    assert_eq!(entries, [((1, 1), "begun"), ((1, 1), "done"), ((2, 2), "begun"), ((2, 2), "done")]);

    let again = Log::new();
    let seen = again.clone();
    let second = kafka
        .consume(Bounds::default(), 4, move |event, _| {
            seen.push(id(&event));
            std::future::ready(Ok(()))
        })
        .await;
    again.wait(|entries| !entries.is_empty()).await;
    second.stop().await;
    assert_eq!(again.entries(), [(1, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_stop_does_not_wait_for_the_next_attempt() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1)]).await;
    let log = Log::new();
    let seen = log.clone();
    let hour = Duration::from_secs(3_600);
    let retries = Retries { first: hour, longest: hour, attempts: 2 };
    let consumer = kafka.consumer().await.with_retries(retries);
    let stop = CancellationToken::new();
    let task = tokio::spawn(consumer.run(stop.clone(), 1, move |_, meta| {
        seen.push(meta.attempt);
        std::future::ready(Err(Failure::retry(std::io::Error::other("away"))))
    }));
    log.wait(|entries| entries.len() == 1).await;
    stop.cancel();
    within(task).await.unwrap().unwrap();
    assert_eq!(kafka.dead().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_go_away_are_reported_and_a_stop_does_not_wait_for_them() {
    let broker = tokio::task::spawn_blocking(embedded::Broker::start).await.unwrap().unwrap();
    let config = broker.config();
    let producer = Producer::connect(&config, "test", Profile::Interactive).await.unwrap();
    let kafka = Kafka { config, producer };
    kafka.send([event(1, 1)]).await;

    let service = Service::unattended("test");
    let dependency = service.dependency("kafka");
    dependency.up();
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    let handler = {
        let (log, gate) = (log.clone(), Arc::clone(&gate));
        move |_, _| {
            let (log, gate) = (log.clone(), Arc::clone(&gate));
            async move {
                log.push("begun");
                gate.acquire().await.map_err(Failure::retry)?.forget();
                log.push("done");
                Ok(())
            }
        }
    };
    let consumer = kafka.consumer().await.with_health(dependency.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(consumer.run(stop.clone(), 1, handler));
    log.wait(|entries| !entries.is_empty()).await;

    tokio::task::spawn_blocking(move || drop(broker)).await.unwrap();
    until(|| dependency.reason().is_some()).await;
    stop.cancel();
    gate.add_permits(1);
    // A commit would wait for a coordinator for 10 s.
    tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap().unwrap();
    assert_eq!(log.entries(), ["begun", "done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_writes_nothing_notices_that_brokers_go_away() {
    let broker = tokio::task::spawn_blocking(embedded::Broker::start).await.unwrap().unwrap();
    let producer = Producer::connect(&broker.config(), "test", Profile::Interactive).await.unwrap();
    let dependency = Service::unattended("test").dependency("kafka");
    dependency.up();
    let stop = CancellationToken::new();
    let watching = {
        let (dependency, stop) = (dependency.clone(), stop.clone());
        tokio::spawn(async move { producer.watch::<GatewayEvents>(dependency, stop).await })
    };
    tokio::task::spawn_blocking(move || drop(broker)).await.unwrap();
    until(|| dependency.reason().is_some()).await;
    stop.cancel();
    within(watching).await.unwrap();
}
