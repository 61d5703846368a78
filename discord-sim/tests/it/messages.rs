use discord_sim::state::flags;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{Id, marker::MessageMarker},
};

use crate::{
    house::{Answer, House, id},
    socket::{ALL, Socket},
};

fn contents(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_created_edited_and_deleted_and_everybody_hears_of_it() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let member = house.person(house.seed.member);
    let sent = member.post(&path, json!({ "content": "hello", "nonce": "7" })).await.ok();
    assert_eq!(sent["nonce"], "7");
    let heard = socket.event("MESSAGE_CREATE").await;
    assert_eq!((&heard["id"], &heard["nonce"], &heard["content"]), (&sent["id"], &json!("7"), &json!("hello")));
    assert_eq!(heard["guild_id"], json!(house.seed.guild));
    assert_eq!(heard["channel_type"], 0);
    assert!(heard["member"]["joined_at"].is_string());
    assert!(heard["member"].get("user").is_none(), "the author says who it is");

    let one = format!("{path}/{}", id::<MessageMarker>(&sent["id"]));
    let edited = member.patch(&one, json!({ "content": "hello!" })).await.ok();
    assert!(edited["edited_timestamp"].is_string());
    let heard = socket.event("MESSAGE_UPDATE").await;
    assert_eq!((&heard["content"], &heard["author"]["username"]), (&json!("hello!"), &json!("mia")));
    assert!(heard.get("nonce").is_none());
    member.delete(&one).await.ok();
    let wanted = json!({ "id": sent["id"], "channel_id": house.seed.general, "guild_id": house.seed.guild });
    assert_eq!(socket.event("MESSAGE_DELETE").await, wanted);
    member.get(&one).await.refused(404, 10008);
}

#[tokio::test]
async fn a_channel_is_read_page_by_page_newest_first() {
    let house = House::build().await;
    let room = house.channel("room");
    let ids: Vec<Id<MessageMarker>> = house.sim.write(|state| {
        (1..=5).map(|number| state.say(room, house.seed.member, &number.to_string()).unwrap()).collect()
    });
    let read = async |query: String| house.bot().get(format!("/channels/{room}/messages?{query}")).await.ok();
    assert_eq!(contents(&read("limit=2".into()).await), ["5", "4"]);
    assert_eq!(contents(&read(format!("limit=2&before={}", ids[3])).await), ["3", "2"]);
    assert_eq!(contents(&read(format!("limit=2&after={}", ids[1])).await), ["4", "3"]);
    assert_eq!(contents(&read(format!("limit=3&around={}", ids[2])).await), ["4", "3", "2"]);
    house.revoke(Permissions::READ_MESSAGE_HISTORY);
    assert_eq!(read("limit=2".into()).await, json!([]));
}

#[tokio::test]
async fn a_reply_shows_what_it_answers_and_mentions_its_author() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let question = house.sim.write(|state| state.say(house.seed.general, house.seed.member, "why?").unwrap());
    let reply = async |more: Value| {
        let mut body = json!({ "content": "because", "message_reference": { "message_id": question } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.bot().post(&path, body).await.ok()
    };
    let sent = reply(json!({})).await;
    assert_eq!((&sent["type"], &sent["referenced_message"]["content"]), (&json!(19), &json!("why?")));
    assert_eq!(sent["mentions"][0]["username"], "mia");
    assert_eq!(reply(json!({ "allowed_mentions": { "parse": [] } })).await["mentions"], json!([]));
    let lost = json!({ "content": "x", "message_reference": { "message_id": "1" } });
    house.bot().post(&path, lost).await.form_error("message_reference", "REPLIES_UNKNOWN_MESSAGE");
    let lost = json!({ "content": "x", "message_reference": { "message_id": "1", "fail_if_not_exists": false } });
    assert_eq!(house.bot().post(&path, lost).await.ok()["type"], 0);
}

#[tokio::test]
async fn mentions_are_what_the_sender_allows_and_may() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let text = format!("<@{}> <@!{}> @everyone", house.seed.member, house.seed.staff);
    let send = async |allowed: Value| {
        let sent = house.bot().post(&path, json!({ "content": text, "allowed_mentions": allowed })).await.ok();
        (sent["mentions"].as_array().unwrap().len(), sent["mention_everyone"].as_bool().unwrap())
    };
    assert_eq!(send(json!({ "parse": ["users", "everyone"] })).await, (2, true));
    assert_eq!(send(json!({ "parse": [] })).await, (0, false));
    assert_eq!(send(json!({ "users": [house.seed.staff] })).await, (1, false));
    let by_member = house.person(house.seed.member).post(&path, json!({ "content": text })).await.ok();
    assert_eq!(by_member["mention_everyone"], false, "a member may not ring for everyone");
}

#[tokio::test]
async fn a_repeated_nonce_makes_no_second_message() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let body = json!({ "content": "once", "nonce": "abc", "enforce_nonce": true });
    let (one, two) = (house.bot().post(&path, body.clone()).await.ok(), house.bot().post(&path, body).await.ok());
    assert_eq!(one["id"], two["id"]);
}

#[tokio::test]
async fn files_are_kept_and_an_edit_drops_those_it_does_not_name() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let about = json!({ "content": "files", "attachments": [{ "id": 0, "description": "a greeting" }] });
    let form = Form::new()
        .part("payload_json", Part::text(about.to_string()).mime_str("application/json").unwrap())
        .part("files[0]", Part::bytes(b"hello".to_vec()).file_name("hello.txt"))
        .part("files[1]", Part::bytes(vec![1, 2, 3]).file_name("data.bin"));
    let sent = house.bot().request(reqwest::Method::POST, &path).multipart(form).send().await.unwrap();
    let sent = Answer::of(sent).await.ok();
    let (text, data) = (&sent["attachments"][0], &sent["attachments"][1]);
    assert_eq!(
        (&text["filename"], &text["size"], &text["description"]),
        (&json!("hello.txt"), &json!(5), &json!("a greeting"))
    );
    assert_eq!(data["content_type"], "application/octet-stream");
    let file = reqwest::get(text["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(file.headers()["x-content-type-options"], "nosniff");
    assert_eq!(file.text().await.unwrap(), "hello");

    let one = format!("{path}/{}", id::<MessageMarker>(&sent["id"]));
    let edited = house.bot().patch(&one, json!({ "attachments": [{ "id": data["id"] }] })).await.ok();
    assert_eq!(edited["attachments"].as_array().unwrap().len(), 1);
    assert_eq!(edited["content"], "files", "what an edit does not name stays");
}

#[tokio::test]
async fn reactions_are_counted_and_taken_back() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let general = house.seed.general;
    let said = house.sim.write(|state| state.say(general, house.seed.member, "nice").unwrap());
    socket.event("MESSAGE_CREATE").await;
    let one = format!("/channels/{general}/messages/{said}");
    let thumb = format!("{one}/reactions/%F0%9F%91%8D");
    house.bot().put(format!("{thumb}/@me"), None).await.ok();
    let added = socket.event("MESSAGE_REACTION_ADD").await;
    assert_eq!((&added["emoji"], &added["user_id"]), (&json!({ "id": null, "name": "\u{1f44d}" }), &json!(house.me())));
    assert_eq!(
        (&added["member"]["user"]["username"], &added["message_author_id"]),
        (&json!("Tickets"), &json!(house.seed.member))
    );
    house.person(house.seed.staff).put(format!("{thumb}/@me"), None).await.ok();
    let reaction = house.bot().get(&one).await.ok()["reactions"][0].clone();
    assert_eq!((&reaction["count"], &reaction["me"]), (&json!(2), &json!(true)));
    assert_eq!(house.person(house.seed.member).get(&one).await.ok()["reactions"][0]["me"], false);
    assert_eq!(house.bot().get(&thumb).await.ok().as_array().unwrap().len(), 2);
    house.bot().delete(format!("{thumb}/{}", house.seed.staff)).await.ok();
    house.bot().delete(format!("{thumb}/@me")).await.ok();
    assert!(house.bot().get(&one).await.ok().get("reactions").is_none());
    house.bot().put(format!("{thumb}/@me"), None).await.ok();
    house.bot().delete(format!("{one}/reactions")).await.ok();
    socket.until("MESSAGE_REACTION_REMOVE_ALL").await;
    // Whoever may not add a reaction may join one.
    house.revoke(Permissions::ADD_REACTIONS);
    house.bot().put(format!("{thumb}/@me"), None).await.refused(403, 50013);
    house.person(house.seed.admin).put(format!("{thumb}/@me"), None).await.ok();
    house.bot().put(format!("{thumb}/@me"), None).await.ok();
}

#[tokio::test]
async fn pins_are_listed_by_both_routes() {
    let house = House::build().await;
    let general = house.seed.general;
    let said = house.sim.write(|state| state.say(general, house.seed.member, "rules").unwrap());
    house.bot().put(format!("/channels/{general}/messages/pins/{said}"), None).await.ok();
    assert_eq!(
        house.bot().get(format!("/channels/{general}/messages/pins")).await.ok()["items"][0]["message"]["id"],
        json!(said)
    );
    assert_eq!(house.bot().get(format!("/channels/{general}/pins")).await.ok()[0]["pinned"], true);
    house.bot().delete(format!("/channels/{general}/pins/{said}")).await.ok();
    assert_eq!(house.bot().get(format!("/channels/{general}/pins")).await.ok(), json!([]));
    house.bot().put(format!("/channels/{general}/pins/1"), None).await.refused(404, 10008);
}

#[tokio::test]
async fn several_messages_are_deleted_at_once() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let general = house.seed.general;
    let ids: Vec<_> =
        house.sim.write(|state| (0..3).map(|_| state.say(general, house.seed.member, "x").unwrap()).collect());
    let body = json!({ "messages": [ids[0], ids[1]] });
    house.bot().post(format!("/channels/{general}/messages/bulk-delete"), body).await.ok();
    assert_eq!(socket.until("MESSAGE_DELETE_BULK").await["ids"], json!([ids[0], ids[1]]));
    assert!(house.state(|state| state.message(general, ids[2]).is_some()));
}

#[tokio::test]
async fn those_who_manage_messages_hide_the_embeds_of_others_and_nothing_else() {
    let house = House::build().await;
    let general = house.seed.general;
    let said = house.sim.write(|state| state.say(general, house.seed.member, "x").unwrap());
    let one = format!("/channels/{general}/messages/{said}");
    let hidden = house.bot().patch(&one, json!({ "flags": flags::SUPPRESS_EMBEDS })).await.ok();
    assert_eq!(hidden["flags"], flags::SUPPRESS_EMBEDS);
    house.bot().patch(&one, json!({ "flags": 4, "content": "mine" })).await.refused(403, 50005);
    house.person(house.seed.staff).patch(&one, json!({ "flags": 4 })).await.refused(403, 50005);
}

#[tokio::test]
async fn a_direct_message_has_no_guild_and_may_be_refused() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let mut mia = Socket::person(&house, house.seed.member).await;
    let opened = house.bot().post("/users/@me/channels", json!({ "recipient_id": house.seed.member })).await.ok();
    assert_eq!(opened["recipients"][0]["username"], "mia");
    assert_eq!(mia.event("CHANNEL_CREATE").await["recipients"][0]["username"], "Tickets");
    let again = house.bot().post("/users/@me/channels", json!({ "recipient_id": house.seed.member })).await.ok();
    assert_eq!(opened["id"], again["id"]);
    let path = format!("/channels/{}/messages", opened["id"].as_str().unwrap());
    house.person(house.seed.member).post(&path, json!({ "content": "hello" })).await.ok();
    // A bot is not told of the channel, only of the message.
    let heard = socket.event("MESSAGE_CREATE").await;
    assert!(heard.get("guild_id").is_none());
    assert_eq!(heard["channel_type"], 1);
    house.person(house.seed.staff).get(&path).await.refused(403, 50001);
    house.sim.write(|state| state.users.get_mut(&house.seed.member).unwrap().dms_closed = true);
    house.bot().post(&path, json!({ "content": "hello?" })).await.refused(403, 50007);
    house.bot().post("/users/@me/channels", json!({ "recipient_id": house.me() })).await.refused(400, 50033);
}

#[tokio::test]
async fn components_are_completed_and_media_found() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let button = json!({ "type": 2, "style": 1, "label": "Go", "custom_id": "go", "emoji": { "id": null, "name": "\u{1f3ab}" } });
    let menu = json!({ "type": 3, "custom_id": "pick", "options": [{ "label": "A", "value": "a" }] });
    let rows = json!([{ "type": 1, "components": [button] }, { "type": 1, "components": [menu] }]);
    let sent = house.bot().post(&path, json!({ "content": "x", "components": rows })).await.ok();
    assert_eq!(sent["components"][1]["components"][0]["max_values"], 1);
    assert_eq!(sent["components"][0]["components"][0]["id"], 2);

    let gallery = json!({ "type": 12, "items": [{ "media": { "url": "attachment://dot.png" } }] });
    let container =
        json!({ "type": 17, "components": [{ "type": 10, "content": "# Title" }, { "type": 14 }, gallery] });
    let body = json!({ "flags": flags::IS_COMPONENTS_V2, "components": [container] });
    let form = Form::new()
        .part("payload_json", Part::text(body.to_string()).mime_str("application/json").unwrap())
        .part("files[0]", Part::bytes(vec![0]).file_name("dot.png"));
    let sent = house.bot().request(reqwest::Method::POST, &path).multipart(form).send().await.unwrap();
    let sent = Answer::of(sent).await.ok();
    assert_eq!(sent["components"][0]["components"][2]["items"][0]["media"]["url"], sent["attachments"][0]["url"]);
    let one = format!("{path}/{}", sent["id"].as_str().unwrap());
    let refused = house.bot().patch(&one, json!({ "content": "text" })).await;
    refused.form_error("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2");
}
