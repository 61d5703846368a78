use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[tokio::test]
async fn ready_names_the_guilds_and_each_comes_after_it() {
    let house = House::build().await;
    let mut socket = Socket::greeted(&house).await;
    socket.identify(&format!("Bot {}", house.bot_token()), json!({ "intents": 1, "shard": [0, 1] })).await;
    let ready = socket.next().await;
    assert_eq!((&ready["op"], &ready["t"], &ready["s"]), (&json!(0), &json!("READY"), &json!(1)));
    let d = &ready["d"];
    assert_eq!(d["v"], 10);
    assert_eq!(d["guilds"], json!([{ "id": house.seed.guild, "unavailable": true }]));
    assert_eq!(d["user"]["id"], json!(house.seed.application));
    assert_eq!(d["user"]["bot"], true);
    assert_eq!(d["application"]["id"], json!(house.seed.application));
    assert_eq!(d["shard"], json!([0, 1]));
    assert_eq!(d["resume_gateway_url"], json!(house.sim.gateway_url()));
    assert!(d["session_id"].as_str().is_some_and(|id| !id.is_empty()));

    let guild = socket.event("GUILD_CREATE").await;
    assert_eq!(socket.sequence, 2);
    assert_eq!(guild["name"], "Moonlight Games");
    assert_eq!(guild["unavailable"], false);
    assert_eq!(guild["member_count"], 5);
    let members = guild["members"].as_array().unwrap();
    assert_eq!(members.len(), 1, "without presences a bot is told of itself only");
    assert_eq!(members[0]["user"]["id"], json!(house.seed.application));
    assert_eq!(guild["channels"].as_array().unwrap().len(), 4);
    assert!(guild["roles"].as_array().unwrap().iter().any(|role| role["tags"]["bot_id"] == json!(house.me())));
    socket.is_quiet().await;
}

#[tokio::test]
async fn without_the_guilds_intent_no_guild_comes() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 0).await;
    assert_eq!(ready["guilds"].as_array().unwrap().len(), 1);
    socket.is_quiet().await;
}

#[tokio::test]
async fn a_resume_replays_exactly_what_was_missed() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, ALL).await;
    let say = |text: &str| house.sim.write(|state| state.say(house.seed.general, house.seed.member, text));
    say("seen");
    socket.event("MESSAGE_CREATE").await;
    let seen = socket.sequence;
    // The connection ends without a close frame.
    drop(socket);
    say("missed 1");
    say("missed 2");

    let mut socket = Socket::greeted(&house).await;
    socket.resume(&house.bot_token(), &ready["session_id"], seen).await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "missed 1");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "missed 2");
    assert_eq!(socket.sequence, seen + 2);
    socket.event("RESUMED").await;
    say("live");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "live");
    socket.is_quiet().await;
    assert_eq!(house.state(|state| (state.sessions.resumes, state.sessions.identifies.len())), (1, 1));
}

#[tokio::test]
async fn a_session_outlives_every_close_but_1000_and_1001() {
    let house = House::build().await;
    for (code, survives) in [(4000, true), (1012, true), (1000, false), (1001, false)] {
        let (socket, ready) = Socket::bot(&house, 1).await;
        socket.close(code).await;
        let mut socket = Socket::greeted(&house).await;
        socket.resume(&house.bot_token(), &ready["session_id"], 2).await;
        let answer = socket.next().await;
        if survives {
            assert_eq!(answer["t"], "RESUMED", "after {code}");
        } else {
            assert_eq!((&answer["op"], &answer["d"]), (&json!(9), &json!(false)), "after {code}");
        }
    }
}

#[tokio::test]
async fn an_unknown_session_is_invalid_and_the_connection_may_identify_anew() {
    let house = House::build().await;
    let mut socket = Socket::greeted(&house).await;
    socket.resume(&house.bot_token(), &json!("nothing"), 7).await;
    let invalid = socket.next().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(false)));
    socket.identify(&house.bot_token(), json!({ "intents": 0 })).await;
    socket.event("READY").await;
}

#[tokio::test]
async fn nobody_resumes_the_session_of_another() {
    let house = House::build().await;
    let (_socket, ready) = Socket::bot(&house, 1).await;
    let mut thief = Socket::greeted(&house).await;
    thief.resume(&house.token(house.seed.member), &ready["session_id"], 2).await;
    assert_eq!(thief.next().await["op"], 9);
}

#[tokio::test]
async fn a_sequence_that_was_never_sent_ends_the_session() {
    let house = House::build().await;
    let (_socket, ready) = Socket::bot(&house, 1).await;
    let mut ahead = Socket::greeted(&house).await;
    ahead.resume(&house.bot_token(), &ready["session_id"], 99).await;
    assert_eq!(ahead.closed().await, Some(4007));
    let mut again = Socket::greeted(&house).await;
    again.resume(&house.bot_token(), &ready["session_id"], 2).await;
    assert_eq!(again.next().await["op"], 9);
}

#[tokio::test]
async fn a_resume_takes_the_session_from_the_connection_that_held_it() {
    let house = House::build().await;
    let (mut old, ready) = Socket::bot(&house, ALL).await;
    let mut new = Socket::greeted(&house).await;
    new.resume(&house.bot_token(), &ready["session_id"], old.sequence).await;
    new.event("RESUMED").await;
    assert_eq!(old.closed().await, None);
    house.sim.write(|state| state.say(house.seed.general, house.seed.member, "hello"));
    new.event("MESSAGE_CREATE").await;
    new.is_quiet().await;
}

#[tokio::test]
async fn two_identifies_of_one_bucket_need_the_interval_between_them() {
    let house = House::build().await;
    house.provokes();
    house.sim.write(|state| {
        state.sessions.identify_interval = None;
        state.applications.get_mut(&house.seed.application).unwrap().max_concurrency = 2;
    });
    let identify = async |shard: [u32; 2]| {
        let mut socket = Socket::greeted(&house).await;
        socket.identify(&house.bot_token(), json!({ "intents": 0, "shard": shard })).await;
        (socket.next().await, socket)
    };
    let (first, _a) = identify([0, 4]).await;
    let (second, _b) = identify([1, 4]).await;
    let (too_early, mut refused) = identify([2, 4]).await;
    assert_eq!((&first["t"], &second["t"]), (&json!("READY"), &json!("READY")));
    assert_eq!((&too_early["op"], &too_early["d"]), (&json!(9), &json!(false)));

    house.sim.write(|state| state.sessions.identify_interval = Some(Duration::ZERO));
    refused.identify(&house.bot_token(), json!({ "intents": 0, "shard": [2, 4] })).await;
    refused.event("READY").await;
}

#[tokio::test]
async fn the_identifies_of_a_day_run_out() {
    let house = House::build().await;
    house.provokes();
    house.sim.write(|state| state.applications.get_mut(&house.seed.application).unwrap().identifies_remaining = 1);
    let (_socket, _) = Socket::bot(&house, 0).await;
    let limit = house.bot().get("/gateway/bot").await.ok();
    assert_eq!(limit["session_start_limit"]["remaining"], 0);
    let mut socket = Socket::greeted(&house).await;
    socket.identify(&house.bot_token(), json!({ "intents": 0 })).await;
    assert_eq!(socket.closed().await, Some(4004));
}

#[tokio::test]
async fn events_come_to_the_shard_of_their_guild_and_others_to_shard_0() {
    let house = House::build().await;
    let shard = u32::try_from((house.seed.guild.get() >> 22) % 2).unwrap();
    let mut sockets = Vec::new();
    for id in [0, 1] {
        let mut socket = Socket::greeted(&house).await;
        socket.identify(&house.bot_token(), json!({ "intents": ALL, "shard": [id, 2] })).await;
        let ready = socket.event("READY").await;
        assert_eq!(ready["guilds"].as_array().unwrap().len(), usize::from(id == shard));
        if id == shard {
            socket.event("GUILD_CREATE").await;
        }
        sockets.push(socket);
    }
    house.sim.write(|state| {
        state.say(house.seed.general, house.seed.member, "in the guild");
        let direct = state.direct_channel(house.seed.member, house.me());
        state.say(direct, house.seed.member, "in private");
    });
    let mut heard: Vec<Value> = vec![json!([]), json!([])];
    for (who, texts) in [(shard as usize, 1), (0, 1)] {
        for _ in 0..texts {
            let message = sockets[who].event("MESSAGE_CREATE").await;
            heard[who].as_array_mut().unwrap().push(message["content"].clone());
        }
    }
    for socket in &mut sockets {
        socket.is_quiet().await;
    }
    let expected = if shard == 0 {
        [json!(["in the guild", "in private"]), json!([])]
    } else {
        [json!(["in private"]), json!(["in the guild"])]
    };
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_shard_that_is_connected_twice_hears_everything_twice() {
    let house = House::build().await;
    let (mut blue, _) = Socket::bot(&house, ALL).await;
    let (mut green, _) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| state.say(house.seed.general, house.seed.member, "hello"));
    for socket in [&mut blue, &mut green] {
        assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "hello");
    }
}
