use discord_sim::state::flags;
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{Id, marker::ChannelMarker},
};

use crate::{
    house::{House, id},
    socket::{ALL, Socket},
};

async fn start(house: &House, more: Value) -> Id<ChannelMarker> {
    let mut body = json!({ "name": "talk", "type": 11 });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    id(&house.bot().post(format!("/channels/{}/threads", house.seed.general), body).await.ok()["id"])
}

#[tokio::test]
async fn a_thread_of_a_message_has_its_id_and_there_is_one() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let general = house.seed.general;
    let said = house.sim.write(|state| state.say(general, house.seed.member, "talk?").unwrap());
    socket.event("MESSAGE_CREATE").await;
    let path = format!("/channels/{general}/messages/{said}");
    let body = json!({ "name": "talk", "auto_archive_duration": 60 });
    let made = house.bot().post(format!("{path}/threads"), body.clone()).await.ok();
    assert_eq!(
        (&made["id"], &made["owner_id"], &made["parent_id"]),
        (&json!(said), &json!(house.me()), &json!(general))
    );
    assert_eq!(made["member"]["user_id"], json!(house.me()));
    let heard = socket.event("THREAD_CREATE").await;
    assert_eq!(
        (&heard["newly_created"], &heard["thread_metadata"]["auto_archive_duration"]),
        (&json!(true), &json!(60))
    );
    assert_eq!(socket.event("MESSAGE_UPDATE").await["flags"], flags::HAS_THREAD);
    assert_eq!(house.bot().get(&path).await.ok()["thread"]["id"], json!(said));
    house.bot().post(format!("{path}/threads"), body).await.refused(400, 160_004);
}

#[tokio::test]
async fn an_archived_thread_is_opened_by_a_message_unless_it_is_locked() {
    let house = House::build().await;
    let (general, thread) = (house.seed.general, start(&house, json!({})).await);
    let member = house.person(house.seed.member);
    let path = format!("/channels/{thread}");
    house.bot().patch(&path, json!({ "archived": true })).await.ok();
    let archived = house.bot().get(format!("/channels/{general}/threads/archived/public")).await.ok();
    assert_eq!(archived["threads"][0]["id"], json!(thread));
    house.bot().patch(&path, json!({ "name": "renamed" })).await.refused(400, 50083);
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    member.post(format!("{path}/messages"), json!({ "content": "still here" })).await.ok();
    assert_eq!(socket.event("THREAD_UPDATE").await["thread_metadata"]["archived"], false);
    house.bot().patch(&path, json!({ "locked": true, "archived": true })).await.ok();
    member.post(format!("{path}/messages"), json!({ "content": "x" })).await.refused(400, 160_005);
    member.patch(&path, json!({ "archived": false })).await.refused(403, 50013);
}

#[tokio::test]
async fn a_private_thread_is_seen_by_its_members() {
    let house = House::build().await;
    let (guild, thread) = (house.seed.guild, start(&house, json!({ "type": 12, "invitable": false })).await);
    let path = format!("/channels/{thread}");
    let member = house.person(house.seed.member);
    let mut mia = Socket::person(&house, house.seed.member).await;
    member.get(&path).await.refused(403, 50001);
    let active = format!("/guilds/{guild}/threads/active");
    assert_eq!(member.get(&active).await.ok()["threads"], json!([]));
    house.bot().put(format!("{path}/thread-members/{}", house.seed.member), None).await.ok();
    assert_eq!(mia.event("THREAD_MEMBERS_UPDATE").await["added_members"][0]["user_id"], json!(house.seed.member));
    assert_eq!(mia.event("THREAD_CREATE").await["id"], json!(thread));
    assert_eq!(member.get(&active).await.ok()["threads"][0]["id"], json!(thread));
    assert_eq!(house.bot().get(format!("{path}/thread-members")).await.ok().as_array().unwrap().len(), 2);
    member.delete(format!("{path}/thread-members/@me")).await.ok();
    assert_eq!(mia.event("THREAD_MEMBERS_UPDATE").await["removed_member_ids"], json!([house.seed.member]));
    member.get(&path).await.refused(403, 50001);
    house.bot().put(format!("{path}/thread-members/1"), None).await.refused(404, 10007);
}

#[tokio::test]
async fn threads_go_with_their_channel() {
    let house = House::build().await;
    let thread = start(&house, json!({})).await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    house.bot().delete(format!("/channels/{}", house.seed.general)).await.ok();
    let gone = json!({ "id": thread, "guild_id": house.seed.guild, "parent_id": house.seed.general, "type": 11 });
    assert_eq!(socket.event("THREAD_DELETE").await, gone);
    socket.event("CHANNEL_DELETE").await;
    house.bot().get(format!("/channels/{thread}")).await.refused(404, 10003);
}

#[tokio::test]
async fn opening_a_thread_is_a_permission() {
    let house = House::build().await;
    house.revoke(Permissions::CREATE_PRIVATE_THREADS);
    let path = format!("/channels/{}/threads", house.seed.general);
    house.bot().post(&path, json!({ "name": "x", "type": 12 })).await.refused(403, 50013);
    house.bot().post(&path, json!({ "name": "x", "type": 11 })).await.ok();
}
