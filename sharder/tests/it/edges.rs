//! Every edge of the gateway's protocol, and what becomes of the session.

use std::time::{Duration, Instant};

use discord_sim::{
    gateway::{Ending, Fault, Refusal, Target},
    state::State,
};
use time::OffsetDateTime;

use crate::harness::{House, Sharder};

/// The bot closed no connection in a way that ends its session, and was never too fast.
fn closed_well(house: &House) {
    house.sim.read(|state| {
        let ends = state.ledger.closes.iter().filter(|close| close.by_bot && matches!(close.code, Some(1000 | 1001)));
        assert_eq!(ends.count(), 0, "{:?}", state.ledger.closes);
        assert!(state.ledger.violations.is_empty(), "{:?}", state.ledger.violations);
    });
}

async fn lost(sharder: &Sharder, reason: &str) {
    let counted = format!(r#"gateway_sessions_lost_total{{reason="{reason}",service="sharder"}} 1"#);
    sharder.until("/metrics", &counted).await;
}

/// The times of the RESUMEs that Discord saw.
fn resumed(house: &House) -> Vec<OffsetDateTime> {
    house.sim.read(|state| state.ledger.resumes.iter().map(|resume| resume.at).collect())
}

#[tokio::test]
async fn a_heartbeat_that_discord_asks_for_comes_at_once_and_tells_how_far_the_shard_is() {
    let house = House::build().await;
    // The first one of its own comes at a random moment of this time.
    house.sim.write(|state| state.sessions.heartbeat_interval = Some(Duration::from_mins(30)));
    let sharder = house.start().await;
    house.chat(10);
    let (session, sequence) = house.position_is_last().await;
    let asked = Instant::now();
    house.sim.write(|state| state.sessions.request_heartbeat(&Target::all()));
    let confirmed = |state: &State| (state.sessions.records[&session].confirmed >= sequence).then_some(());
    house.sim.wait_for("a heartbeat", confirmed).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn a_connection_without_answers_to_heartbeats_is_left_and_resumed() {
    let house = House::build().await;
    house.sim.write(|state| state.sessions.heartbeat_interval = Some(Duration::from_millis(600)));
    let sharder = house.start().await;
    house.position_is_last().await;
    // Sockets that are open, and on which nothing comes any more.
    house.sim.write(|state| state.sessions.silence(&Target::all()));
    house.chat(5);
    house.until_resumed(1).await;
    // Sockets on which only the answers are missing, and there is nothing else.
    house.all_in_kafka().await;
    house.sim.write(|state| {
        state.sessions.faults.add(Target::all(), Fault::AckMissing);
    });
    house.until_resumed(2).await;
    house.sim.write(|state| state.sessions.faults.clear());
    house.chat(5);
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.until("/readyz", "ready").await;
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn a_late_answer_to_a_heartbeat_is_no_reason_to_leave() {
    let house = House::build().await;
    house.sim.write(|state| {
        // Late, and on a machine that stands still for a second not later than the next heartbeat.
        state.sessions.heartbeat_interval = Some(Duration::from_millis(1_500));
        state.sessions.faults.add(Target::all(), Fault::AckLate { by: Duration::from_millis(500) });
    });
    let sharder = house.start().await;
    for _ in 0..4 {
        house.chat(1);
        let (session, sequence) = house.position_is_last().await;
        let confirmed = |state: &State| (state.sessions.records[&session].confirmed >= sequence).then_some(());
        house.sim.wait_for("a heartbeat", confirmed).await;
    }
    assert_eq!(resumed(&house).len(), 0);
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_hello_that_is_late_is_waited_for() {
    let house = House::build().await;
    house.sim.write(|state| {
        state.sessions.faults.add(Target::all(), Fault::HelloLate { by: Duration::from_secs(3) }).times(1);
    });
    let sharder = house.start().await;
    assert_eq!(house.identifies(), 1);
    house.all_in_kafka().await;
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn a_reconnect_goes_on_though_nobody_answers_the_close_of_the_old_connection() {
    let house = House::build().await;
    let sharder = house.start().await;
    house.sim.write(|state| {
        state.sessions.faults.add(Target::all(), Fault::CloseUnanswered);
        state.sessions.ask_to_reconnect(&Target::all());
    });
    house.chat(5);
    house.until_resumed(1).await;
    house.sim.write(|state| state.sessions.faults.clear());
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_is_resumed_at_once_also_while_kafka_takes_nothing() {
    const HEARTBEAT: Duration = Duration::from_secs(12);
    let house = House::build().await;
    house.sim.write(|state| state.sessions.heartbeat_interval = Some(HEARTBEAT));
    let (sharder, door) = house.start_behind_a_door().await;
    house.position_is_last().await;
    door.shut();
    house.chat(25_000);
    sharder.until("/metrics", r#"gateway_stalls_total{service="sharder"} 1"#).await;
    house.sim.write(|state| state.sessions.disconnect(&Target::all(), Ending::Reset));
    sharder.until("/metrics", "gateway_disconnects_total").await;
    let noticed = OffsetDateTime::now_utc();
    house.until_resumed(1).await;
    // No look is waited for, of which there are two in the time of a heartbeat.
    let waited = resumed(&house)[0] - noticed;
    assert!(waited < HEARTBEAT / 4, "{waited}");
    door.open();
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn every_way_of_ending_a_connection_but_the_fatal_ones_ends_in_a_resume() {
    let house = House::build().await;
    let sharder = house.start().await;
    let codes = [4000, 4001, 4002, 4003, 4005, 4008, 1000, 1001, 1011, 1012, 4900].map(Ending::Close);
    let mut times = 0;
    for ending in codes.into_iter().chain([Ending::Drop, Ending::Reset, Ending::Cut]) {
        house.sim.write(|state| state.sessions.disconnect(&Target::all(), ending));
        house.chat(3);
        times += 1;
        house.until_resumed(times).await;
        // A session that is resumed begins the waits between connections anew.
        sharder.until("/readyz", "ready").await;
    }
    house.all_in_kafka().await;
    assert_eq!(house.identifies(), 1);
    // Also the ends without a close frame are counted.
    sharder.until("/metrics", r#"gateway_disconnects_total{code="1006",service="sharder"} 3"#).await;
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn after_an_invalid_session_the_shard_waits_before_it_resumes_or_identifies() {
    let house = House::build().await;
    let sharder = house.start().await;
    let (session, _) = house.position_is_last().await;
    let told = OffsetDateTime::now_utc();
    house.sim.write(|state| state.sessions.invalidate(&Target::all(), true));
    house.until_resumed(1).await;
    let waited = resumed(&house)[0] - told;
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(8), "{waited}");
    assert_eq!(house.identifies(), 1);

    // A RESUME that Discord wants again later.
    house.sim.write(|state| {
        state.sessions.faults.add(Target::all(), Fault::ResumeRefused { by: Refusal::TryAgain }).times(2);
        state.sessions.disconnect(&Target::all(), Ending::Drop);
    });
    house.chat(5);
    house.until_resumed(2).await;
    let tries = resumed(&house);
    assert_eq!(tries.len(), 4);
    assert!(tries[1..].windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)), "{tries:?}");
    house.all_in_kafka().await;
    assert_eq!(house.position_is_last().await.0, session);

    let told = OffsetDateTime::now_utc();
    house.sim.write(|state| state.sessions.invalidate(&Target::all(), false));
    house.until_identified(2).await;
    let waited = house.sim.read(|state| state.ledger.identifies[1].at) - told;
    assert!(waited >= Duration::from_secs(1), "{waited}");
    lost(&sharder, "ended").await;
    house.all_in_kafka().await;
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn a_session_that_ran_out_or_was_refused_is_replaced_as_planned_and_counted() {
    let house = House::build().await;
    let sharder = house.start().await;
    house.position_is_last().await;
    house.sim.write(|state| state.sessions.time_out(&Target::all()));
    lost(&sharder, "timed_out").await;
    house.until_identified(2).await;
    for (by, reason) in [(Refusal::Close(4007), "sequence"), (Refusal::Invalid, "refused")] {
        let sessions = house.identifies();
        house.sim.write(|state| {
            state.sessions.faults.add(Target::all(), Fault::ResumeRefused { by }).times(1);
            state.sessions.disconnect(&Target::all(), Ending::Drop);
        });
        lost(&sharder, reason).await;
        house.until_identified(sessions + 1).await;
    }
    // Each new session brings READY and the guilds again.
    let events = house.all_in_kafka().await;
    for kind in ["READY", "GUILD_CREATE"] {
        assert_eq!(events.iter().filter(|event| event.kind == kind).count(), 4, "{kind}");
    }
    house.sim.read(|state| {
        let causes: Vec<_> = state.ledger.identifies.iter().map(|identify| identify.cause).collect();
        assert!(causes.iter().all(|cause| cause.is_planned()), "{causes:?}");
    });
    assert_eq!(sharder.metric("gateway_identifies_refused_total").await, 0);
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn a_kafka_that_is_away_for_longer_than_the_session_lives_costs_the_session_and_nothing_else() {
    let house = House::build().await;
    let (sharder, door) = house.start_behind_a_door().await;
    let (first, _) = house.position_is_last().await;
    door.shut();
    house.chat(25_000);
    sharder.until("/metrics", r#"gateway_stalls_total{service="sharder"} 1"#).await;
    house.sim.write(|state| {
        state.sessions.disconnect(&Target::all(), Ending::Drop);
        // As after some minutes.
        state.sessions.by_id.remove(&first);
    });
    door.open();
    lost(&sharder, "kafka").await;
    house.until_identified(2).await;
    house.chat(10);
    let (second, _) = house.position_is_last().await;
    assert_ne!(first, second);
    let events = house.in_kafka().await;
    House::assert_order(&events);
    // All that was received of the first session is there, and the second one begins with the state of things.
    let of = |session: &str, kind: &str| {
        events.iter().filter(|event| event.session == session && event.kind == kind).count()
    };
    assert!(of(&first, "MESSAGE_CREATE") > 100);
    assert_eq!((of(&second, "READY"), of(&second, "GUILD_CREATE"), of(&second, "MESSAGE_CREATE")), (1, 1, 10));
    assert_eq!(house.identifies(), 2);
    sharder.stop().await.unwrap();
    closed_well(&house);
}

#[tokio::test]
async fn a_stop_closes_with_4000_and_never_ends_the_session() {
    let house = House::build().await;
    for _ in 0..3 {
        house.start().await.stop().await.unwrap();
    }
    house.sim.read(|state| {
        let codes: Vec<_> = state.ledger.closes.iter().filter(|close| close.by_bot).map(|close| close.code).collect();
        assert_eq!(codes, [Some(4000); 3]);
    });
    assert_eq!(house.identifies(), 1);
    closed_well(&house);
}
