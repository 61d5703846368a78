use serde_json::{Value, json};
use twilight_model::id::Id;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

async fn identify(house: &House, token: &str, more: Value) -> Option<u16> {
    let mut socket = Socket::greeted(house).await;
    socket.identify(token, more).await;
    socket.closed().await
}

#[tokio::test]
async fn a_bad_identify_is_answered_by_its_close_code() {
    let house = House::build().await;
    let token = house.bot_token();
    let no_privilege = |state: &mut discord_sim::state::State| {
        state.applications.get_mut(&house.seed.application).unwrap().privileged_intents = 1 << 1;
    };
    assert_eq!(identify(&house, "nonsense", json!({ "intents": 0 })).await, Some(4004));
    assert_eq!(identify(&house, &token, json!({ "intents": 0, "shard": [2, 2] })).await, Some(4010));
    assert_eq!(identify(&house, &token, json!({})).await, Some(4013));
    assert_eq!(identify(&house, &token, json!({ "intents": 1 << 17 })).await, Some(4013));
    house.sim.write(no_privilege);
    assert_eq!(identify(&house, &token, json!({ "intents": 1 << 15 })).await, Some(4014));
    assert_eq!(house.state(|state| state.sessions.identifies.len()), 0);
}

#[tokio::test]
async fn a_shard_with_too_many_guilds_is_refused() {
    let house = House::build().await;
    house.sim.write(|state| {
        let template = state.guilds[&house.seed.guild].clone();
        for number in 1..=2500 {
            let id = Id::new(number);
            let mut guild = template.clone();
            guild.id = id;
            state.guilds.insert(id, guild);
        }
    });
    assert_eq!(identify(&house, &house.bot_token(), json!({ "intents": 0 })).await, Some(4011));
    let mut socket = Socket::greeted(&house).await;
    socket.identify(&house.bot_token(), json!({ "intents": 0, "shard": [0, 2] })).await;
    socket.event("READY").await;
}

#[tokio::test]
async fn a_connection_must_speak_version_10_in_json() {
    let house = House::build().await;
    for (query, code) in [("v=10&encoding=etf", 4002), ("v=5&encoding=json", 4012)] {
        let mut socket = Socket::open(&house, query).await;
        assert_eq!(socket.closed().await, Some(code), "{query}");
    }
}

#[tokio::test]
async fn a_wrong_command_is_answered_by_its_close_code() {
    let house = House::build().await;
    house.provokes();
    let presence = json!({ "op": 3, "d": { "status": "online" } }).to_string();
    let before: [(String, u16); 4] = [
        (presence.clone(), 4003),
        (json!({ "op": 99 }).to_string(), 4001),
        ("no json".to_owned(), 4002),
        (json!({ "op": 1, "d": "x".repeat(4096) }).to_string(), 4002),
    ];
    for (text, code) in before {
        let mut socket = Socket::greeted(&house).await;
        socket.send_text(text.clone()).await;
        assert_eq!(socket.closed().await, Some(code), "{}", &text[..20.min(text.len())]);
    }
    let (mut socket, _) = Socket::bot(&house, 1).await;
    socket.send_text(presence).await;
    socket.is_quiet().await;
    socket.identify(&house.bot_token(), json!({ "intents": 0 })).await;
    assert_eq!(socket.closed().await, Some(4005));
}

#[tokio::test]
async fn the_121st_command_of_a_minute_is_too_many() {
    let house = House::build().await;
    house.provokes();
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    for _ in 1..120 {
        socket.send(json!({ "op": 1, "d": null })).await;
        assert_eq!(socket.next().await["op"], 11);
    }
    // More than one, all at once: the close frame must arrive though they are not answered.
    for _ in 0..50 {
        socket.try_send(r#"{"op":1,"d":null}"#).await;
    }
    assert_eq!(socket.closed().await, Some(4008));
}
