//! A session is resumed whenever Discord lets us, and events of an interruption are not lost.

use std::time::Duration;

use discord_sim::gateway::{Fault, Target};
use sharder::identify::{Asked, Settings, Slots};

use crate::harness::{House, PATIENCE, Sharder};

#[tokio::test]
async fn a_restart_resumes_without_identifying() {
    let house = House::build().await;
    let sharder = house.start().await;
    house.chat(20);
    sharder.until("/metrics", r#"type="MESSAGE_CREATE",service="sharder"} 20"#).await;
    sharder.stop().await.unwrap();
    let last = house.dispatched().into_keys().last();
    assert_eq!(house.position().await, last, "all that was read is acknowledged and stored");

    house.chat(20);
    let sharder = house.start().await;
    house.until_resumed(1).await;
    house.chat(20);
    let events = house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    assert_eq!(events.len(), house.dispatched().len(), "nothing is repeated after a clean stop");
    assert_eq!(sharder.metric("gateway_resumes_total").await, 1);
    assert_eq!(sharder.metric("gateway_identifies_total").await, 0);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_that_begins_while_the_sharder_stops_is_resumed() {
    let house = House::build().await;
    house.sim.write(|state| {
        state.sessions.faults.add(Target::default(), Fault::Held);
    });
    let sharder = Sharder::start(house.config()).await;
    house.until_identified(1).await;
    // READY comes after the order to stop.
    let (stopped, ()) = tokio::join!(sharder.stop(), async { house.sim.write(|state| state.sessions.faults.clear()) });
    stopped.unwrap();
    house.chat(20);
    let sharder = house.start().await;
    house.until_resumed(1).await;
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_resume_needs_no_leave_to_identify() {
    let house = House::build().await;
    house.start().await.stop().await.unwrap();
    // Neither Discord nor the others would let it identify.
    house.sim.write(|state| state.applications.get_mut(&house.seed.application).unwrap().identifies_remaining = 0);
    let slots =
        Slots::new(house.pool(), house.bot, Settings { lease: Duration::from_secs(600), ..Settings::default() });
    let asked = Asked { shard: 0, buckets: 1, spread: Duration::ZERO, untouched: true };
    let slot = tokio::time::timeout(PATIENCE, async { while slots.ask(asked).await.unwrap().is_err() {} });
    slot.await.unwrap();
    let sharder = house.start().await;
    house.until_resumed(1).await;
    assert_eq!(sharder.metric("gateway_identify_low").await, 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_sharder_that_dies_resumes_from_what_kafka_acknowledged() {
    let house = House::build().await;
    for _ in 0..3 {
        let sharder = house.start().await;
        house.chat(200);
        sharder.kill();
        house.chat(20);
    }
    let sharder = house.start().await;
    house.until_resumed(3).await;
    let events = house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    assert_eq!(events.iter().filter(|event| event.kind == "READY").count(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn every_kind_of_lost_connection_ends_in_a_resume() {
    let house = House::build().await;
    let sharder = house.start().await;
    let mut resumes = 0;
    for code in [Some(4000), Some(4009), Some(1001), None] {
        house.sim.write(|state| state.sessions.disconnect_bots(code));
        house.chat(10);
        resumes += 1;
        house.until_resumed(resumes).await;
    }
    house.sim.write(|state| state.sessions.ask_bots_to_reconnect());
    house.chat(10);
    house.until_resumed(resumes + 1).await;
    house.sim.write(|state| state.sessions.invalidate_bots(true));
    house.chat(10);
    house.until_resumed(resumes + 2).await;

    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.until("/readyz", "ready").await;
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_replay_that_repeats_events_does_not_move_the_position_back() {
    let house = House::build().await;
    let sharder = house.start().await;
    house.sim.write(|state| {
        state.sessions.faults.replay_twice = true;
        state.sessions.disconnect_bots(None);
    });
    house.chat(30);
    house.until_resumed(1).await;
    house.all_in_kafka().await;
    house.position_is_last().await;
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_that_discord_ended_is_replaced_by_a_new_one() {
    let house = House::build().await;
    let sharder = house.start().await;
    let (old, _) = house.position_is_last().await;
    house.sim.write(|state| state.sessions.invalidate_bots(false));
    house.sim.wait_for("a second session", |state| (state.sessions.identifies.len() == 2).then_some(())).await;
    house.chat(10);
    let (new, _) = house.position_is_last().await;
    assert_ne!(old, new);
    house.all_in_kafka().await;
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_stored_session_that_discord_no_longer_knows_is_replaced() {
    let house = House::build().await;
    house.start().await.stop().await.unwrap();
    let (old, _) = house.position().await.unwrap();
    house.sim.write(|state| state.sessions.faults.refuse_resumes = 1);
    let sharder = house.start().await;
    let (new, _) = house.position_is_last().await;
    assert_ne!(old, new);
    assert_eq!(house.identifies(), 2);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_sequence_that_discord_does_not_accept_starts_a_new_session() {
    let house = House::build().await;
    let sharder = house.start().await;
    let (old, _) = house.position_is_last().await;
    house.sim.write(|state| {
        state.sessions.disconnect_bots(Some(4007));
        // Discord keeps a session no longer than it believes its bot.
        state.sessions.by_id.remove(&old);
    });
    house.sim.wait_for("a second session", |state| (state.sessions.identifies.len() == 2).then_some(())).await;
    house.chat(10);
    let (new, _) = house.position_is_last().await;
    assert_ne!(old, new);
    assert_eq!(house.sim.read(|state| state.sessions.resumes), 0);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_on_which_discord_says_nothing_is_left() {
    let house = House::build().await;
    let sharder = house.start().await;
    house.sim.write(|state| {
        state.sessions.faults.hello_delay = Some(Duration::MAX);
        state.sessions.disconnect_bots(None);
    });
    house.chat(10);
    sharder.until("/readyz", "identifying").await;
    // The connection that is open stays mute.
    house.sim.write(|state| state.sessions.faults.hello_delay = None);
    house.until_resumed(1).await;
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}
