//! Faults that last: late, slow, held back, for a time or a number of times.

use std::time::{Duration, Instant};

use discord_sim::gateway::{Ending, Fault, Target};
use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

const SHORT: Duration = Duration::from_millis(60);

fn say(house: &House, text: &str) {
    house.sim.write(|state| state.say(house.seed.general, house.seed.member, text));
}

#[tokio::test]
async fn hello_is_late_or_missing_as_often_as_wished() {
    let house = House::build().await;
    house.sim.write(|state| {
        state.sessions.faults.add(Target::all(), Fault::HelloMissing).times(1);
        state.sessions.faults.add(Target::all(), Fault::HelloLate { by: SHORT }).times(1);
    });
    let mut ungreeted = Socket::open(&house, "v=10&encoding=json").await;
    let began = Instant::now();
    while house.state(|state| state.sessions.faults.rules.len() == 2) {
        tokio::task::yield_now().await;
    }
    drop(Socket::greeted(&house).await);
    assert!(began.elapsed() >= SHORT);
    drop(Socket::greeted(&house).await);
    assert!(ungreeted.has_nothing());
}

#[tokio::test]
async fn heartbeats_are_acknowledged_late_or_not_as_often_as_wished() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, 1).await;
    house.sim.write(|state| {
        state.sessions.faults.add(Target::all(), Fault::AckMissing).times(2);
        state.sessions.faults.add(Target::all(), Fault::AckLate { by: SHORT }).times(1);
    });
    let began = Instant::now();
    for _ in 0..3 {
        socket.send(json!({ "op": 1, "d": 2 })).await;
    }
    assert_eq!(socket.next().await["op"], 11);
    assert!(began.elapsed() >= SHORT);
    socket.is_quiet().await;
    let other = Target::bot(house.seed.bots(&house.sim, 1)[0].application);
    house.sim.write(|state| state.sessions.faults.add(other, Fault::AckMissing).times);
    socket.until("GUILD_ROLE_CREATE").await;
    socket.is_quiet().await;
}

#[tokio::test]
async fn frames_are_held_back_until_they_are_released_all_at_once() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    let held = Target::session(ready["session_id"].as_str().unwrap());
    house.sim.write(|state| state.sessions.faults.add(held.clone(), Fault::Held).times);
    for number in 0..100 {
        say(&house, &number.to_string());
    }
    socket.send(json!({ "op": 1, "d": 2 })).await;
    house
        .sim
        .wait_for("the heartbeat", |state| {
            (state.sessions.records[held.session.as_ref()?].confirmed == 2).then_some(())
        })
        .await;
    assert!(socket.has_nothing());
    assert!(house.state(|state| !state.ledger.dispatches.last().unwrap().delivered()));
    house.sim.write(|state| state.sessions.faults.remove(&held));
    for number in 0..100 {
        assert_eq!(socket.event("MESSAGE_CREATE").await["content"], number.to_string());
    }
    assert_eq!(socket.next().await["op"], 11);
}

#[tokio::test]
async fn frames_are_held_back_for_a_time() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let began = Instant::now();
    house.sim.write(|state| state.sessions.faults.add(Target::all(), Fault::Held).lasting(SHORT).times);
    say(&house, "late");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "late");
    assert!(began.elapsed() >= SHORT);
}

#[tokio::test]
async fn an_end_overtakes_what_is_held_back() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| state.sessions.faults.add(Target::all(), Fault::Held).times);
    say(&house, "held");
    house.sim.write(|state| state.sessions.disconnect(&Target::all(), Ending::Close(4000)));
    assert_eq!(socket.closed().await, Some(4000));
    house.sim.write(|state| state.sessions.faults.clear());
    let mut socket = Socket::resuming(&house, &ready["session_id"], 2).await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "held");
}

#[tokio::test]
async fn frames_come_one_by_one_at_a_rate() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let slow = Fault::Slow { per_frame: Duration::from_millis(10), bytes_per_second: None };
    house.sim.write(|state| state.sessions.faults.add(Target::all(), slow).times);
    let began = Instant::now();
    for number in 0..7 {
        say(&house, &number.to_string());
    }
    for _ in 0..7 {
        socket.event("MESSAGE_CREATE").await;
    }
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
    let slow = Fault::Slow { per_frame: Duration::ZERO, bytes_per_second: Some(10_000) };
    house.sim.write(|state| {
        state.sessions.faults.clear();
        state.sessions.faults.add(Target::all(), slow);
    });
    let began = Instant::now();
    // A kilobyte takes a tenth of a second; the second one waits for the first.
    for _ in 0..2 {
        say(&house, &"x".repeat(1000));
    }
    for _ in 0..2 {
        socket.event("MESSAGE_CREATE").await;
    }
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_still_heard() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    let id = ready["session_id"].as_str().unwrap();
    // More than the buffers of the connection hold.
    house.sim.write(|state| {
        let text = "x".repeat(2000);
        for _ in 0..4000 {
            state.say(house.seed.general, house.seed.member, &text);
        }
    });
    house.sim.wait_for("a part of it on its way", |state| state.ledger.dispatches[100].delivered().then_some(())).await;
    assert!(house.state(|state| !state.ledger.dispatches.last().unwrap().delivered()));
    socket.send(json!({ "op": 1, "d": 2 })).await;
    house.sim.wait_for("the heartbeat", |state| (state.sessions.records[id].confirmed >= 2).then_some(())).await;
    for _ in 0..4000 {
        socket.event("MESSAGE_CREATE").await;
    }
}
