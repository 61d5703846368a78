//! Every dispatch in the form that Discord's documentation gives it, as twilight's types read it.

use serde::de::DeserializeSeed;
use serde_json::json;
use twilight_model::gateway::event::{GatewayEvent, GatewayEventDeserializer};

use crate::{
    house::{House, id},
    interactions::{Reply, with_command},
    socket::Socket,
};

#[tokio::test]
async fn every_event_is_one_that_twilight_reads() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let (guild, general, member) = (house.seed.guild, house.seed.general, house.seed.member);
    let (bot, mia) = (house.bot(), house.person(member));

    let said = mia
        .post(format!("/channels/{general}/messages"), json!({ "content": format!("<@{}> hello", house.me()) }))
        .await
        .ok();
    let one = format!("/channels/{general}/messages/{}", id::<()>(&said["id"]));
    mia.patch(&one, json!({ "content": "hello!" })).await.ok();
    bot.put(format!("{one}/reactions/x:1/@me"), None).await.ok();
    bot.delete(format!("{one}/reactions/x:1/@me")).await.ok();
    bot.put(format!("{one}/reactions/x:1/@me"), None).await.ok();
    bot.delete(format!("{one}/reactions/x:1")).await.ok();
    bot.delete(format!("{one}/reactions")).await.ok();
    bot.put(format!("/channels/{general}/messages/pins/{}", id::<()>(&said["id"])), None).await.ok();
    bot.post(format!("/channels/{general}/typing"), json!({})).await.ok();
    bot.post(format!("{one}/threads"), json!({ "name": "talk" })).await.ok();
    let thread = bot.post(format!("/channels/{general}/threads"), json!({ "name": "private", "type": 12 })).await.ok();
    let thread = format!("/channels/{}", id::<()>(&thread["id"]));
    bot.put(format!("{thread}/thread-members/{member}"), None).await.ok();
    bot.delete(format!("{thread}/thread-members/{member}")).await.ok();
    bot.patch(&thread, json!({ "archived": true })).await.ok();
    bot.delete(&thread).await.ok();
    let room = bot.post(format!("/guilds/{guild}/channels"), json!({ "name": "room" })).await.ok();
    let room = format!("/channels/{}", id::<()>(&room["id"]));
    bot.patch(&room, json!({ "topic": "x" })).await.ok();
    bot.post(format!("{room}/webhooks"), json!({ "name": "x" })).await.ok();
    bot.delete(&room).await.ok();
    let role = bot.post(format!("/guilds/{guild}/roles"), json!({ "name": "x" })).await.ok();
    let role = id::<()>(&role["id"]);
    bot.patch(format!("/guilds/{guild}/roles/{role}"), json!({ "name": "y" })).await.ok();
    bot.put(format!("/guilds/{guild}/members/{member}/roles/{role}"), None).await.ok();
    bot.delete(format!("/guilds/{guild}/roles/{role}")).await.ok();
    bot.delete(&one).await.ok();

    house.sim.command(member, general, "ask", &json!([{ "name": "topic", "type": 3, "value": "x" }])).unwrap();
    let asked = socket.until("INTERACTION_CREATE").await;
    Reply::to(&house, &asked).callback(4, json!({ "content": "x" })).await.ok();
    socket.send(json!({ "op": 8, "d": { "guild_id": guild, "query": "", "limit": 0 } })).await;
    socket.until("GUILD_MEMBERS_CHUNK").await;
    house.sim.write(|state| {
        let two = [state.say(general, member, "x").unwrap(), state.say(general, member, "x").unwrap()];
        for message in two {
            state.remove_message(general, message);
        }
        let direct = state.direct_channel(member, house.me());
        state.say(direct, member, "x");
        state.set_unavailable(guild, true);
        state.set_unavailable(guild, false);
        state.remove_member(guild, house.seed.staff);
        state.add_member(guild, house.seed.staff);
        state.remove_member(guild, house.me());
    });

    let frames = house.state(|state| {
        state.ledger.dispatches.iter().map(|sent| (sent.kind.clone(), sent.frame.to_string())).collect::<Vec<_>>()
    });
    for (kind, frame) in &frames {
        let seed = GatewayEventDeserializer::from_json(frame).expect("an opcode");
        let read = seed.deserialize(&mut serde_json::Deserializer::from_str(frame));
        let event = read.unwrap_or_else(|error| panic!("{kind}: {error}\n{frame}"));
        assert!(matches!(event, GatewayEvent::Dispatch(..)), "{kind}");
    }
    let mut kinds: Vec<_> = frames.into_iter().map(|(kind, _)| kind).collect();
    kinds.sort();
    kinds.dedup();
    assert!(kinds.len() >= 28, "only {kinds:?}");
}

#[tokio::test]
async fn what_people_say_and_do_in_tests_is_what_clients_see() {
    let house = House::build().await;
    let mut noah = Socket::person(&house, house.seed.other_member).await;
    house.sim.write(|state| state.say(house.seed.general, house.seed.member, "hello"));
    assert_eq!(noah.event("MESSAGE_CREATE").await["author"]["global_name"], "Mia");
    let found = house.state(|state| {
        state.find_message(house.seed.general, |message| message.content == "hello").map(|found| found.author_id)
    });
    assert_eq!(found, Some(house.seed.member));
}
