//! Worlds with many guilds, and many events.

use discord_sim::chatter::Chatter;
use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[tokio::test]
async fn many_guilds_are_spread_evenly_over_the_shards() {
    let house = House::build().await;
    let guilds = house.seed.guilds(&house.sim, 8_000);
    for total in [1, 16, 50] {
        let mut of_shard = vec![0; total];
        for small in &guilds {
            of_shard[usize::try_from(small.guild.get() >> 22).unwrap() % total] += 1;
        }
        let (fewest, most) = (of_shard.iter().min().unwrap(), of_shard.iter().max().unwrap());
        assert!(most - fewest <= 1, "{fewest} to {most} of {total}");
    }
    let (socket, ready) = Socket::shard(&house, &house.bot_token(), [3, 16], 1).await;
    let held = ready["guilds"].as_array().unwrap().len();
    // The seeded guild may be among them.
    assert!((500..=501).contains(&held), "{held}");
    drop(socket);
}

#[tokio::test]
async fn many_guilds_come_in_parts_and_each_before_its_other_events() {
    let house = House::build().await;
    let guilds = house.seed.guilds(&house.sim, 300);
    let last = guilds[299];
    let mut socket = Socket::greeted(&house).await;
    socket.identify(&house.bot_token(), json!({ "intents": ALL })).await;
    let ready = house
        .sim
        .wait_for("the session", |state| {
            state.sessions.of_shard(house.seed.application, 0).map(|session| session.coming.len())
        })
        .await;
    house.sim.write(|state| {
        state.say(last.channel, house.seed.admin, "early");
        state.set_unavailable(guilds[298].guild, true);
    });
    assert!(ready > 0, "the rest is still to come");
    assert_eq!(socket.event("READY").await["guilds"].as_array().unwrap().len(), 301);
    let mut came = Vec::new();
    let (mut said, mut away) = (false, 0);
    while came.len() < 300 || !said {
        let payload = socket.next().await;
        let d = &payload["d"];
        match payload["t"].as_str().unwrap() {
            "GUILD_CREATE" => came.push(d["id"].clone()),
            "GUILD_DELETE" => away += 1,
            "MESSAGE_CREATE" => {
                assert!(came.contains(&json!(last.guild)));
                said = true;
            }
            other => panic!("{other}"),
        }
    }
    socket.is_quiet().await;
    assert_eq!((came.len(), away), (300, 1), "all but the one that is away");
    came.sort_by_key(ToString::to_string);
    came.dedup();
    assert_eq!(came.len(), 300, "each once");
}

#[tokio::test]
async fn chatter_is_seen_like_messages_and_not_stored() {
    let house = House::build().await;
    let guilds = house.seed.guilds(&house.sim, 2);
    let (mut socket, _) = Socket::shard(&house, &house.bot_token(), [0, 1], ALL).await;
    let (mut blind, _) = Socket::shard(&house, &house.bot_token(), [0, 1], ALL & !(1 << 15)).await;
    for _ in 0..3 {
        socket.event("GUILD_CREATE").await;
        blind.event("GUILD_CREATE").await;
    }
    let channels = [guilds[0].channel, guilds[1].channel];
    house.sim.write(|state| {
        let mut chatter = Chatter::new(state, &channels, house.seed.admin);
        chatter.say(state, 3);
        assert_eq!(chatter.said(), 3);
        state.say(channels[0], house.seed.admin, "message 3");
    });
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(socket.event("MESSAGE_CREATE").await);
        let bare = blind.event("MESSAGE_CREATE").await;
        assert_eq!((&bare["id"], &bare["content"]), (&seen.last().unwrap()["id"], &json!("")));
    }
    assert_eq!(seen[1]["channel_id"], json!(channels[1]));
    for (number, message) in seen.iter().enumerate() {
        assert_eq!(message["content"], format!("message {number}"));
    }
    // But for what each has of its own, they are the same.
    let mut one = seen[2].clone();
    for own in ["id", "content", "timestamp"] {
        assert_ne!(one[own], seen[3][own]);
        one[own] = seen[3][own].clone();
    }
    assert_eq!(one, seen[3]);
    assert_eq!(house.state(|state| state.messages[&channels[0]].len()), 1);
}
