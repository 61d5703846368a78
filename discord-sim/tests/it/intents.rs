use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

const GUILD_MEMBERS: u64 = 1 << 1;
const MESSAGE_CONTENT: u64 = 1 << 15;

#[tokio::test]
async fn events_need_their_intent() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL & !(1 << 9)).await;
    house.sim.write(|state| {
        state.say(house.seed.general, house.seed.member, "not for you");
        let direct = state.direct_channel(house.seed.member, house.me());
        state.say(direct, house.seed.member, "for you");
    });
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "for you");
    socket.is_quiet().await;
}

#[tokio::test]
async fn without_message_content_only_what_concerns_the_bot_can_be_read() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL & !MESSAGE_CONTENT).await;
    let me = house.me();
    let said = house.sim.write(|state| {
        let direct = state.direct_channel(house.seed.member, me);
        let said = state.say(house.seed.general, house.seed.member, "secret").unwrap();
        state.say(house.seed.general, house.seed.member, &format!("<@{me}> hello"));
        state.say(house.seed.general, me, "mine");
        state.say(direct, house.seed.member, "private");
        said
    });
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(socket.event("MESSAGE_CREATE").await["content"].clone());
    }
    assert_eq!(json!(texts), json!(["", format!("<@{me}> hello"), "mine", "private"]));

    house.sim.write(|state| {
        state.update_message(house.seed.general, said, |message| message.content = "still secret".into())
    });
    assert_eq!(socket.event("MESSAGE_UPDATE").await["content"], "");
    // REST goes by what is enabled for the application, whatever the session asked for.
    let path = format!("/channels/{}/messages/{said}", house.seed.general);
    assert_eq!(house.bot().get(&path).await.ok()["content"], "still secret");
    house.sim.write(|state| {
        state.applications.get_mut(&house.seed.application).unwrap().privileged_intents = GUILD_MEMBERS;
    });
    assert_eq!(house.bot().get(&path).await.ok()["content"], "");
    let listed = house.bot().get(format!("/channels/{}/messages?limit=2", house.seed.general)).await.ok();
    assert_eq!(listed[0]["content"], "mine");
    assert_eq!(listed[1]["content"], json!(format!("<@{me}> hello")));
    assert_eq!(house.person(house.seed.member).get(&path).await.ok()["content"], "still secret");
}

#[tokio::test]
async fn a_bot_hears_of_itself_without_the_members_intent() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL & !GUILD_MEMBERS).await;
    let role =
        house.sim.write(|state| state.add_role(house.seed.guild, "new", discord_sim::seed::EVERYONE, false, None));
    socket.event("GUILD_ROLE_CREATE").await;
    house.sim.write(|state| {
        state.give_role(house.seed.guild, house.seed.member, role);
        state.give_role(house.seed.guild, house.me(), role);
    });
    assert_eq!(socket.event("GUILD_MEMBER_UPDATE").await["user"]["id"], json!(house.me()));
    socket.is_quiet().await;
}

#[tokio::test]
async fn members_are_asked_for_by_id_by_name_or_all() {
    let house = House::build().await;
    let guild = house.seed.guild;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let names = |chunk: &serde_json::Value| -> Vec<String> {
        chunk["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["user"]["username"].as_str().unwrap().to_owned())
            .collect()
    };
    socket.send(json!({ "op": 8, "d": { "guild_id": guild, "query": "", "limit": 0, "nonce": "all" } })).await;
    let chunk = socket.event("GUILD_MEMBERS_CHUNK").await;
    assert_eq!((names(&chunk).len(), &chunk["nonce"]), (5, &json!("all")));
    assert_eq!((&chunk["chunk_index"], &chunk["chunk_count"]), (&json!(0), &json!(1)));
    socket.send(json!({ "op": 8, "d": { "guild_id": guild.get(), "query": "MI", "limit": 5 } })).await;
    assert_eq!(names(&socket.event("GUILD_MEMBERS_CHUNK").await), ["mia"]);
    socket.send(json!({ "op": 8, "d": { "guild_id": guild, "user_ids": [house.seed.staff, "1"], "limit": 0 } })).await;
    let chunk = socket.event("GUILD_MEMBERS_CHUNK").await;
    assert_eq!((names(&chunk), &chunk["not_found"]), (vec!["sam".to_owned()], &json!(["1"])));

    let (mut socket, _) = Socket::bot(&house, ALL & !GUILD_MEMBERS).await;
    socket.send(json!({ "op": 8, "d": { "guild_id": guild, "query": "", "limit": 0 } })).await;
    socket.is_quiet().await;
}

#[tokio::test]
async fn many_members_come_in_chunks_of_a_thousand() {
    let house = House::build().await;
    house.sim.write(|state| {
        for number in 0..1500 {
            let person = state.add_person(&format!("extra{number}"), "Extra", None);
            state.add_member(house.seed.guild, person);
        }
    });
    let (mut socket, _) = Socket::bot(&house, 1 | GUILD_MEMBERS).await;
    socket.send(json!({ "op": 8, "d": { "guild_id": house.seed.guild, "query": "", "limit": 0 } })).await;
    let chunks = [socket.event("GUILD_MEMBERS_CHUNK").await, socket.event("GUILD_MEMBERS_CHUNK").await];
    let sizes = chunks.each_ref().map(|chunk| chunk["members"].as_array().unwrap().len());
    assert_eq!((sizes, &chunks[1]["chunk_index"], &chunks[1]["chunk_count"]), ([1000, 505], &json!(1), &json!(2)));
}
