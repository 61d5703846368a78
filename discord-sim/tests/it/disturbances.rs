//! Faults that are over when they have happened, on the sessions that they are meant for.

use discord_sim::gateway::{Ending, Fault, Refusal, Target};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[tokio::test]
async fn a_fault_hits_one_shard_or_one_bot_or_one_session_alone() {
    let house = House::build().await;
    let bots = house.seed.bots(&house.sim, 1);
    let (mut first, _) = Socket::shard(&house, &house.bot_token(), [0, 2], 0).await;
    let (mut second, ready) = Socket::shard(&house, &house.bot_token(), [1, 2], 0).await;
    let (mut other, _) = Socket::shard(&house, &bots[0].token, [1, 2], 0).await;
    let session = ready["session_id"].as_str().unwrap();
    for target in [Target::shard(house.seed.application, 1), Target::session(session)] {
        house.sim.write(|state| state.sessions.request_heartbeat(&target));
        assert_eq!(second.next().await["op"], 1);
        first.is_quiet().await;
        other.is_quiet().await;
    }
    house.sim.write(|state| state.sessions.disconnect(&Target::bot(bots[0].application), Ending::Close(4000)));
    assert_eq!(other.closed().await, Some(4000));
    first.is_quiet().await;
    second.is_quiet().await;
    house.sim.write(|state| state.sessions.ask_to_reconnect(&Target::all()));
    assert_eq!((first.next().await["op"].clone(), second.next().await["op"].clone()), (json!(7), json!(7)));
}

#[tokio::test]
async fn people_are_not_hit() {
    let house = House::build().await;
    let mut person = Socket::person(&house, house.seed.member).await;
    house.sim.write(|state| state.sessions.disconnect(&Target::all(), Ending::Reset));
    person.is_quiet().await;
}

#[tokio::test]
async fn a_connection_is_reset_and_its_session_can_be_resumed() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    house.sim.write(|state| state.sessions.disconnect(&Target::all(), Ending::Reset));
    let error = socket.broken().await;
    assert!(matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset), "{error:?}");
    Socket::resuming(&house, &ready["session_id"], 2).await.event("RESUMED").await;
}

#[tokio::test]
async fn a_connection_ends_within_a_message_which_is_replayed() {
    let house = House::build().await;
    for query in
        ["v=10&encoding=json", "v=10&encoding=json&compress=zlib-stream", "v=10&encoding=json&compress=zstd-stream"]
    {
        let mut socket = Socket::open(&house, query).await;
        socket.message().await;
        socket.identify(&house.bot_token(), json!({ "intents": ALL })).await;
        socket.message().await;
        socket.message().await;
        let session = house.state(|state| json!(state.sessions.of_bots()[0].id));
        house.sim.write(|state| {
            state.sessions.disconnect(&Target::all(), Ending::Cut);
            state.say(house.seed.general, house.seed.member, "torn");
        });
        socket.broken().await;
        let delivered = || {
            house.state(|state| {
                state
                    .ledger
                    .dispatches
                    .iter()
                    .rev()
                    .find(|sent| sent.kind == "MESSAGE_CREATE")
                    .map(|sent| sent.delivered())
            })
        };
        assert_eq!(delivered(), Some(false));
        let mut socket = Socket::resuming(&house, &session, 2).await;
        assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "torn");
        socket.event("RESUMED").await;
        assert_eq!(delivered(), Some(true));
        house.sim.write(|state| state.sessions.time_out_bots());
    }
}

#[tokio::test]
async fn a_zombie_stays_open_and_what_it_misses_is_replayed_elsewhere() {
    let house = House::build().await;
    let (mut zombie, ready) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| {
        state.sessions.silence(&Target::all());
        state.say(house.seed.general, house.seed.member, "unheard");
    });
    zombie.send(json!({ "op": 1, "d": 2 })).await;
    let mut socket = Socket::resuming(&house, &ready["session_id"], 2).await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "unheard");
    socket.event("RESUMED").await;
    // And not a word before.
    zombie.broken().await;
}

#[tokio::test]
async fn a_resume_is_refused_in_every_way() {
    let house = House::build().await;
    for (by, survives) in [
        (Refusal::Invalid, false),
        (Refusal::TryAgain, true),
        (Refusal::Close(4007), false),
        (Refusal::Close(4009), false),
        (Refusal::Close(4000), true),
        (Refusal::HangUp, true),
    ] {
        let (socket, ready) = Socket::bot(&house, 1).await;
        drop(socket);
        house.sim.write(|state| {
            state.sessions.faults.add(Target::bot(house.seed.application), Fault::ResumeRefused { by }).times(1);
        });
        let mut refused = Socket::resuming(&house, &ready["session_id"], 2).await;
        match by {
            Refusal::Invalid => assert_eq!(refused.next().await["d"], false),
            Refusal::TryAgain => assert_eq!(refused.next().await["d"], true),
            Refusal::Close(code) => assert_eq!(refused.closed().await, Some(code)),
            Refusal::HangUp => assert_eq!(refused.closed().await, None),
        }
        let answer = Socket::resuming(&house, &ready["session_id"], 2).await.next().await;
        assert_eq!(answer["t"] == "RESUMED", survives, "after {by:?}: {answer}");
        assert!(house.state(|state| state.sessions.faults.rules.is_empty()));
    }
}

#[tokio::test]
async fn a_replay_begins_earlier_than_asked_but_never_with_ready() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    for text in ["one", "two", "three"] {
        house.sim.write(|state| state.say(house.seed.general, house.seed.member, text));
        socket.event("MESSAGE_CREATE").await;
    }
    let seen = socket.sequence;
    for (by, expected) in [(2, vec![seen - 1, seen]), (99, (2..=seen).collect())] {
        house.sim.write(|state| state.sessions.faults.add(Target::all(), Fault::ReplayEarlier { by }).times(1).times);
        let mut socket = Socket::resuming(&house, &ready["session_id"], seen).await;
        let mut replayed = Vec::new();
        loop {
            let payload = socket.next().await;
            if payload["t"] == "RESUMED" {
                break;
            }
            replayed.push(payload["s"].as_u64().unwrap());
        }
        replayed.retain(|sequence| *sequence <= seen);
        assert_eq!(replayed, expected);
    }
}

#[tokio::test]
async fn a_guild_is_away_when_the_session_begins() {
    let house = House::build().await;
    house.sim.write(|state| state.set_unavailable(house.seed.guild, true));
    let (mut socket, ready) = Socket::shard(&house, &house.bot_token(), [0, 1], ALL).await;
    assert_eq!(ready["guilds"], json!([{ "id": house.seed.guild, "unavailable": true }]));
    assert_eq!(socket.event("GUILD_DELETE").await, json!({ "id": house.seed.guild, "unavailable": true }));
    house.sim.write(|state| state.set_unavailable(house.seed.guild, false));
    assert_eq!(socket.event("GUILD_CREATE").await["id"], json!(house.seed.guild));
    socket.is_quiet().await;
}

#[tokio::test]
async fn what_nobody_knows_is_sent_as_it_is() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    let odd = r#"{"op":0,"d":{"no":"s and no t"}}"#;
    house.sim.write(|state| {
        state.sessions.send_plain(&Target::all(), r#"{"op":77}"#);
        state.sessions.send_plain(&Target::all(), odd);
        state.dispatch_to(&Target::all(), "SOMETHING_NEW", None, &json!([1, null]));
        state.dispatch_as(&Target::all(), "ODD", Some(house.seed.guild), |sequence| {
            format!(r#"{{"d":7,"t":"ODD","s":{sequence},"op":0}}"#)
        });
    });
    assert_eq!(socket.next().await, json!({ "op": 77 }));
    assert_eq!(socket.next().await, serde_json::from_str::<Value>(odd).unwrap());
    assert_eq!(socket.next().await, json!({ "t": "SOMETHING_NEW", "s": 3, "op": 0, "d": [1, null] }));
    assert_eq!(socket.next().await, json!({ "t": "ODD", "s": 4, "op": 0, "d": 7 }));
    let mut again = Socket::resuming(&house, &ready["session_id"], 2).await;
    again.event("SOMETHING_NEW").await;
    again.event("ODD").await;
    again.event("RESUMED").await;
    let kinds = house.state(|state| state.ledger.dispatches.iter().map(|sent| sent.kind.clone()).collect::<Vec<_>>());
    assert_eq!(kinds, ["READY", "GUILD_CREATE", "SOMETHING_NEW", "ODD", "RESUMED"]);
}

#[tokio::test]
async fn a_heartbeat_is_asked_for() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    house.sim.write(|state| state.sessions.request_heartbeat(&Target::all()));
    assert_eq!(socket.next().await["op"], 1);
    socket.is_quiet().await;
    let id = ready["session_id"].as_str().unwrap();
    assert_eq!(house.state(|state| state.sessions.records[id].confirmed), 2, "a heartbeat tells how far its sender is");
}
