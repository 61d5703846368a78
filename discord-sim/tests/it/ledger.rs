//! What the ledger tells of events, sessions and connections.

use std::time::Duration;

use discord_sim::{
    gateway::{End, Ending, Fault, Refusal, Target},
    ledger::{Cause, ResumeAnswer, digest},
};
use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

fn say(house: &House, text: &str) {
    house.sim.write(|state| state.say(house.seed.general, house.seed.member, text));
}

/// Of each dispatch of this kind: delivered, expired.
fn fates(house: &House, kind: &str) -> Vec<(bool, bool)> {
    house.state(|state| {
        let of_kind = state.ledger.dispatches.iter().filter(|sent| sent.kind == kind);
        of_kind.map(|sent| (sent.delivered(), state.sessions.expired(sent))).collect()
    })
}

#[tokio::test]
async fn a_session_that_nobody_resumes_in_time_is_over_and_its_events_are_expired() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    say(&house, "heard");
    socket.event("MESSAGE_CREATE").await;
    socket.is_quiet().await;
    socket.close(4000).await;
    say(&house, "unheard");
    assert_eq!(fates(&house, "MESSAGE_CREATE"), [(true, false), (false, false)]);
    house.sim.write(|state| state.sessions.session_life = Some(Duration::ZERO));
    say(&house, "to nobody");
    assert_eq!(fates(&house, "MESSAGE_CREATE"), [(true, false), (false, true)]);
    let mut late = Socket::resuming(&house, &ready["session_id"], 3).await;
    assert_eq!(late.next().await["d"], false);
    let id = ready["session_id"].as_str().unwrap();
    assert_eq!(house.state(|state| state.sessions.records[id].end.map(|(_, end)| end)), Some(End::Expired));
}

#[tokio::test]
async fn a_session_lives_on_as_long_as_it_is_connected() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| state.sessions.session_life = Some(Duration::ZERO));
    say(&house, "heard");
    socket.event("MESSAGE_CREATE").await;
    house.sim.write(|state| state.sessions.session_life = Some(Duration::from_secs(60)));
    drop(socket);
    Socket::resuming(&house, &ready["session_id"], 3).await.event("RESUMED").await;
}

#[tokio::test]
async fn what_was_written_but_perhaps_not_received_expires_with_its_session() {
    let house = House::build().await;
    let (socket, _) = Socket::bot(&house, ALL).await;
    say(&house, "under way");
    house
        .sim
        .wait_for("the message on its way", |state| state.ledger.dispatches.last()?.delivered().then_some(()))
        .await;
    assert_eq!(fates(&house, "MESSAGE_CREATE"), [(true, false)]);
    house.sim.write(|state| {
        state.sessions.disconnect(&Target::all(), Ending::Reset);
        state.sessions.invalidate_bots(false);
    });
    assert_eq!(fates(&house, "MESSAGE_CREATE"), [(true, true)]);
    drop(socket);
}

#[tokio::test]
async fn a_client_that_reads_confirms_without_a_heartbeat() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    say(&house, "heard");
    socket.event("MESSAGE_CREATE").await;
    let id = ready["session_id"].as_str().unwrap().to_owned();
    let reading = tokio::spawn(async move { socket.closed().await });
    house.sim.wait_for("the confirmation", |state| (state.sessions.records[&id].confirmed == 3).then_some(())).await;
    house.sim.write(|state| state.sessions.time_out_bots());
    assert_eq!(reading.await.unwrap(), Some(4009));
    assert_eq!(fates(&house, "MESSAGE_CREATE"), [(true, false)]);
}

#[tokio::test]
async fn an_answered_close_confirms_all_that_came_before_it() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| {
        state.say(house.seed.general, house.seed.member, "the last");
        state.sessions.disconnect_bots(Some(4000));
    });
    assert_eq!(socket.closed().await, Some(4000));
    // The library sends its answer when it is asked for more.
    assert_eq!(socket.closed().await, None);
    let id = ready["session_id"].as_str().unwrap();
    house.sim.wait_for("the confirmation", |state| (state.sessions.records[id].confirmed == 3).then_some(())).await;
}

#[tokio::test]
async fn an_identify_is_planned_when_discord_asked_for_it() {
    let house = House::build().await;
    let drop_all = async |socket: Socket| {
        drop(socket);
        house
            .sim
            .wait_for("the end of the connection", |state| {
                (state.sessions.connected_shards(house.seed.application) == 0).then_some(())
            })
            .await;
    };
    let (socket, _) = Socket::bot(&house, 0).await;
    let (beside, _) = Socket::bot(&house, 0).await;
    drop(beside);
    drop_all(socket).await;
    let (socket, _) = Socket::bot(&house, 0).await;
    house.sim.write(|state| state.sessions.invalidate_bots(false));
    drop_all(socket).await;
    let (socket, _) = Socket::bot(&house, 0).await;
    socket.close(1000).await;
    drop(Socket::bot(&house, 0).await);
    drop(Socket::shard(&house, &house.bot_token(), [0, 2], 0).await);
    let causes: Vec<_> =
        house.state(|state| state.ledger.identifies.iter().map(|one| (one.cause, one.cause.is_planned())).collect());
    assert_eq!(
        causes,
        [
            (Cause::First, true),
            (Cause::Beside, true),
            (Cause::Needless, false),
            (Cause::After(End::Invalidated), true),
            (Cause::After(End::GivenUp(1000)), false),
            (Cause::First, true),
        ]
    );
}

#[tokio::test]
async fn resumes_and_closes_are_told_with_their_outcome() {
    let house = House::build().await;
    let (socket, ready) = Socket::bot(&house, ALL).await;
    socket.close(4000).await;
    say(&house, "missed");
    let mut socket = Socket::resuming(&house, &ready["session_id"], 2).await;
    socket.until("RESUMED").await;
    house.sim.write(|state| {
        state.sessions.disconnect_bots(Some(4000));
        state.sessions.faults.add(Target::all(), Fault::ResumeRefused { by: Refusal::TryAgain }).times(1);
    });
    socket.closed().await;
    let mut socket = Socket::resuming(&house, &ready["session_id"], 4).await;
    assert_eq!(socket.next().await["d"], true);
    socket.resume(&house.bot_token(), &ready["session_id"], 4).await;
    socket.event("RESUMED").await;
    socket.close(1001).await;
    house.sim.wait_for("three closes", |state| (state.ledger.closes.len() == 3).then_some(())).await;
    house.state(|state| {
        let closes: Vec<_> = state.ledger.closes.iter().map(|one| (one.by_bot, one.code, one.shard)).collect();
        assert_eq!(closes, [(true, Some(4000), [0, 1]), (false, Some(4000), [0, 1]), (true, Some(1001), [0, 1])]);
        let resumes: Vec<_> = state.ledger.resumes.iter().map(|one| (one.sequence, one.answer)).collect();
        let expected =
            [(2, ResumeAnswer::Replayed(1)), (4, ResumeAnswer::Invalid(true)), (4, ResumeAnswer::Replayed(0))];
        assert_eq!(resumes, expected);
        assert!(state.ledger.resumes.iter().all(|one| one.shard == Some([0, 1]) && one.bot == house.seed.application));
    });
}

#[tokio::test]
async fn what_discord_punishes_is_a_violation() {
    let house = House::build().await;
    house.provokes();
    let other = house.seed.bots(&house.sim, 1).remove(0);
    let (mut socket, ready) = Socket::bot(&house, 0).await;
    let mut thief = Socket::greeted(&house).await;
    thief.resume(&other.token, &ready["session_id"], 1).await;
    assert_eq!(thief.next().await["d"], false);
    house.sim.write(|state| state.sessions.identify_interval = None);
    let mut early = Socket::greeted(&house).await;
    early.identify(&house.bot_token(), json!({ "intents": 0 })).await;
    assert_eq!(early.next().await["d"], false);
    socket.send(json!({ "op": 1, "d": "x".repeat(4096) })).await;
    assert_eq!(socket.closed().await, Some(4002));
    let (mut socket, _) = Socket::shard(&house, &other.token, [0, 1], 0).await;
    for _ in 0..121 {
        socket.try_send(r#"{"op":1,"d":null}"#).await;
    }
    assert_eq!(socket.closed().await, Some(4008));
    let violations = house.state(|state| state.ledger.violations.clone());
    for (violation, words) in
        violations.iter().zip(["the session is bot", "after the one before it in its bucket", "4096", "120 commands"])
    {
        assert!(violation.contains(words), "{violation}");
    }
    assert_eq!(violations.len(), 4);
}

#[tokio::test]
async fn frames_that_are_not_kept_leave_their_digest() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| state.ledger.keep_frames = false);
    say(&house, "short-lived");
    socket.event("MESSAGE_CREATE").await;
    let frame = house
        .state(|state| state.sessions.by_id[ready["session_id"].as_str().unwrap()].buffer.back().unwrap().text.clone());
    house.state(|state| {
        let [.., kept, last] = state.ledger.dispatches.as_slice() else { panic!("two dispatches") };
        assert_eq!(kept.digest(), digest(kept.frame.as_bytes()));
        assert_eq!((last.frame.len(), last.digest()), (0, digest(frame.as_bytes())));
        assert!(last.delivered());
    });
    house.sim.write(|state| state.ledger.keep_dispatches = false);
    say(&house, "forgotten");
    socket.event("MESSAGE_CREATE").await;
    assert_eq!(house.state(|state| (state.ledger.dispatches.len(), state.ledger.dispatched)), (3, 4));
}

#[tokio::test]
async fn a_session_keeps_as_many_events_as_wished() {
    let house = House::build().await;
    house.sim.write(|state| state.sessions.buffer_limit = Some(2));
    let (socket, ready) = Socket::bot(&house, ALL).await;
    socket.close(4000).await;
    for text in ["one", "two", "three"] {
        say(&house, text);
    }
    let mut socket = Socket::resuming(&house, &ready["session_id"], 2).await;
    assert_eq!(socket.next().await["d"], false);
    assert!(fates(&house, "MESSAGE_CREATE").iter().all(|fate| *fate == (false, true)));
}
