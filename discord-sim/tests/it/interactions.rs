use std::time::Duration;

use discord_sim::state::flags;
use serde_json::{Value, json};
use twilight_model::id::{Id, marker::InteractionMarker};

use crate::{
    house::{Answer, House, Rest},
    socket::{ALL, Socket},
};

/// A guild with `/ask`, and its bot at the gateway.
pub(crate) async fn with_command(house: &House) -> Socket {
    let ask = json!({
        "name": "ask", "description": "x",
        "options": [{ "type": 3, "name": "topic", "description": "x", "required": true, "autocomplete": true }],
    });
    let path = format!("/applications/{}/commands", house.seed.application);
    house.bot().put(&path, Some(json!([ask]))).await.ok();
    Socket::bot(house, ALL).await.0
}

fn asks(house: &House) -> Id<InteractionMarker> {
    let options = json!([{ "name": "topic", "type": 3, "value": "billing" }]);
    house.sim.command(house.seed.member, house.seed.general, "ask", &options).unwrap()
}

/// How an interaction is answered.
pub(crate) struct Reply {
    rest: Rest,
    id: String,
    token: String,
    application: String,
}

impl Reply {
    pub(crate) fn to(house: &House, interaction: &Value) -> Self {
        let text = |field: &str| interaction[field].as_str().unwrap().to_owned();
        Self {
            rest: house.rest(String::new()),
            id: text("id"),
            token: text("token"),
            application: text("application_id"),
        }
    }

    pub(crate) async fn callback(&self, kind: u8, data: Value) -> Answer {
        self.rest
            .post(format!("/interactions/{}/{}/callback", self.id, self.token), json!({ "type": kind, "data": data }))
            .await
    }

    async fn callback_with_response(&self, kind: u8, data: Value) -> Answer {
        let path = format!("/interactions/{}/{}/callback?with_response=true", self.id, self.token);
        self.rest.post(path, json!({ "type": kind, "data": data })).await
    }

    fn webhook(&self, rest: &str) -> String {
        format!("/webhooks/{}/{}{rest}", self.application, self.token)
    }
}

#[tokio::test]
async fn a_command_comes_with_all_that_discord_sends() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let id = asks(&house);
    let came = socket.event("INTERACTION_CREATE").await;
    assert_eq!((&came["id"], &came["type"], &came["version"]), (&json!(id), &json!(2), &json!(1)));
    assert_eq!(came["data"]["options"], json!([{ "name": "topic", "type": 3, "value": "billing" }]));
    assert_eq!(came["member"]["user"]["username"], "mia");
    for field in ["guild", "channel", "app_permissions", "locale", "guild_locale", "entitlements", "context"] {
        assert!(came.get(field).is_some_and(|value| !value.is_null()), "{field}");
    }
    assert_eq!(came["authorizing_integration_owners"], json!({ "0": house.seed.guild }));
    assert!(came["member"]["permissions"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(came["attachment_size_limit"], 10_485_760);
}

#[tokio::test]
async fn the_first_answer_counts_and_the_second_is_refused() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let mut mia = Socket::person(&house, house.seed.member).await;
    let id = asks(&house);
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    let answered = reply.callback_with_response(4, json!({ "content": "noted" })).await.ok();
    assert_eq!(answered["resource"]["message"]["content"], "noted");
    assert_eq!(answered["interaction"]["response_message_ephemeral"], false);
    reply.callback(4, json!({ "content": "again" })).await.refused(400, 40060);
    mia.event("INTERACTION_CREATE").await;
    let shown = mia.event("MESSAGE_CREATE").await;
    assert_eq!((&shown["type"], &shown["interaction_metadata"]["id"]), (&json!(20), &json!(id)));
    assert_eq!(shown["interaction_metadata"]["user"]["username"], "mia");
    assert_eq!(mia.event("INTERACTION_SUCCESS").await["id"], json!(id));
    let wrong = Reply {
        token: "wrong".into(),
        ..Reply::to(&house, &json!({ "id": reply.id, "token": "", "application_id": "1" }))
    };
    wrong.callback(4, json!({ "content": "x" })).await.refused(404, 10062);
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_too_late() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let mut mia = Socket::person(&house, house.seed.member).await;
    house.sim.write(|state| state.interaction_deadline = Some(Duration::ZERO));
    let id = asks(&house);
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    assert!(house.sim.answered(id).await.failed);
    reply.callback(4, json!({ "content": "sorry" })).await.refused(404, 10062);
    reply.rest.post(reply.webhook(""), json!({ "content": "sorry" })).await.refused(404, 10015);
    mia.event("INTERACTION_CREATE").await;
    assert_eq!(mia.event("INTERACTION_FAILURE").await["id"], json!(id));
}

#[tokio::test]
async fn an_ephemeral_answer_is_seen_by_one() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let (mut mia, mut noah) =
        (Socket::person(&house, house.seed.member).await, Socket::person(&house, house.seed.other_member).await);
    asks(&house);
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    reply.callback(4, json!({ "content": "psst", "flags": flags::EPHEMERAL })).await.ok();
    let shown = mia.until("MESSAGE_CREATE").await;
    assert_eq!(shown["content"], "psst");
    noah.is_quiet().await;
    socket.is_quiet().await;
    let one = format!("/channels/{}/messages/{}", house.seed.general, shown["id"].as_str().unwrap());
    house.person(house.seed.other_member).get(&one).await.refused(404, 10008);
    house.bot().get(&one).await.refused(404, 10008);
    house.bot().delete(&one).await.refused(404, 10008);
    assert_eq!(reply.rest.get(reply.webhook("/messages/@original")).await.ok()["content"], "psst");
    reply.rest.delete(reply.webhook("/messages/@original")).await.ok();
    mia.until("MESSAGE_DELETE").await;
}

#[tokio::test]
async fn a_deferred_answer_is_filled_by_the_first_follow_up() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let id = asks(&house);
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    assert!(reply.callback_with_response(5, json!({})).await.ok().get("resource").is_none());
    let thinking = socket.event("MESSAGE_CREATE").await;
    assert_eq!(thinking["flags"], flags::LOADING);
    let filled = reply.rest.post(reply.webhook(""), json!({ "content": "found" })).await.ok();
    assert_eq!(
        (&filled["id"], &filled["flags"], &filled["edited_timestamp"]),
        (&thinking["id"], &json!(0), &json!(null))
    );
    assert_eq!(house.sim.response(id).await.content, "found");
    let more = reply.rest.post(reply.webhook(""), json!({ "content": "more" })).await.ok();
    assert_ne!(more["id"], filled["id"]);
    let edited = reply.rest.patch(reply.webhook("/messages/@original"), json!({ "content": "found it" })).await.ok();
    assert!(edited["edited_timestamp"].is_string());
    let path = reply.webhook(&format!("/messages/{}", more["id"].as_str().unwrap()));
    reply.rest.patch(&path, json!({ "content": "much more" })).await.ok();
    reply.rest.delete(&path).await.ok();
    reply.rest.get(&path).await.refused(404, 10008);
}

#[tokio::test]
async fn a_token_lives_a_quarter_of_an_hour_and_only_once_it_was_answered() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let id = asks(&house);
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    reply.rest.post(reply.webhook(""), json!({ "content": "early" })).await.refused(404, 10015);
    reply.callback(4, json!({ "content": "noted" })).await.ok();
    house.sim.write(|state| state.interactions.get_mut(&id).unwrap().created_at -= Duration::from_secs(15 * 60 + 1));
    reply.rest.post(reply.webhook(""), json!({ "content": "late" })).await.refused(401, 50027);
}

#[tokio::test]
async fn each_kind_of_interaction_takes_its_kinds_of_answers() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    asks(&house);
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    for kind in [6, 7, 8] {
        reply.callback(kind, json!({ "content": "x", "choices": [] })).await.form_error("type", "BASE_TYPE_CHOICES");
    }
    // What was refused has not answered it.
    reply.callback(4, json!({ "content": "x" })).await.ok();
}

#[tokio::test]
async fn autocomplete_offers_up_to_25_choices() {
    let house = House::build().await;
    house.provokes();
    let mut socket = with_command(&house).await;
    let mut mia = Socket::person(&house, house.seed.member).await;
    let typed = json!([{ "name": "topic", "type": 3, "value": "b", "focused": true }]);
    house.sim.autocomplete(house.seed.member, house.seed.general, "ask", &typed).unwrap();
    let asked = socket.event("INTERACTION_CREATE").await;
    assert_eq!((&asked["type"], &asked["data"]["options"]), (&json!(4), &typed));
    let choices =
        |count: usize| (0..count).map(|n| json!({ "name": n.to_string(), "value": n.to_string() })).collect::<Vec<_>>();
    let reply = Reply::to(&house, &asked);
    assert_eq!(reply.callback(8, json!({ "choices": choices(26) })).await.status, 400);
    reply.callback(8, json!({ "choices": choices(25) })).await.ok();
    let offered = mia.until("APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE").await;
    assert_eq!(offered["choices"].as_array().unwrap().len(), 25);
}

#[tokio::test]
async fn a_button_is_answered_by_a_reply_or_by_a_change_of_its_message() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let general = house.seed.general;
    let row = json!({ "type": 1, "components": [
        { "type": 2, "style": 1, "label": "Go", "custom_id": "go" }, { "type": 2, "style": 1, "label": "No", "custom_id": "no", "disabled": true },
    ] });
    let panel = house
        .bot()
        .post(format!("/channels/{general}/messages"), json!({ "content": "panel", "components": [row] }))
        .await
        .ok();
    socket.event("MESSAGE_CREATE").await;
    let panel = crate::house::id(&panel["id"]);
    let click = |custom_id: &str| house.sim.click(house.seed.member, general, panel, custom_id);
    assert_eq!(click("no").unwrap_err().code, 50035);
    assert_eq!(click("nothing").unwrap_err().code, 50035);

    click("go").unwrap();
    let clicked = socket.event("INTERACTION_CREATE").await;
    assert_eq!(clicked["data"], json!({ "custom_id": "go", "component_type": 2, "id": 2 }));
    assert_eq!(clicked["message"]["id"], json!(panel));
    Reply::to(&house, &clicked).callback(4, json!({ "content": "pressed" })).await.ok();
    let shown = socket.event("MESSAGE_CREATE").await;
    assert_eq!((&shown["type"], &shown["message_reference"]["message_id"]), (&json!(19), &json!(panel)));

    click("go").unwrap();
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    let updated = reply.callback_with_response(7, json!({ "content": "done", "components": [] })).await.ok();
    assert_eq!((&updated["resource"]["type"], &updated["resource"]["message"]["id"]), (&json!(7), &json!(panel)));
    let shown = socket.event("MESSAGE_UPDATE").await;
    assert_eq!((&shown["content"], &shown["components"]), (&json!("done"), &json!([])));
    assert_eq!(click("go").unwrap_err().code, 50035);
}

#[tokio::test]
async fn a_click_that_is_deferred_changes_its_message_later() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let general = house.seed.general;
    let menu = json!({ "type": 3, "custom_id": "pick", "options": [{ "label": "A", "value": "a" }, { "label": "B", "value": "b" }] });
    let body = json!({ "content": "panel", "components": [{ "type": 1, "components": [menu] }] });
    let panel = house.bot().post(format!("/channels/{general}/messages"), body).await.ok();
    socket.event("MESSAGE_CREATE").await;
    let pick = async |values: Value| {
        let wish = json!({
            "type": 3, "application_id": house.seed.application, "guild_id": house.seed.guild, "channel_id": general, "message_id": panel["id"],
            "nonce": "1", "data": { "component_type": 3, "custom_id": "pick", "values": values },
        });
        house.person(house.seed.member).post("/interactions", wish).await
    };
    pick(json!(["c"])).await.refused(400, 50035);
    pick(json!(["a", "b"])).await.refused(400, 50035);
    pick(json!(["b"])).await.ok();
    let picked = socket.event("INTERACTION_CREATE").await;
    assert_eq!(picked["data"]["values"], json!(["b"]));
    let reply = Reply::to(&house, &picked);
    reply.callback(6, json!(null)).await.ok();
    socket.is_quiet().await;
    reply.rest.patch(reply.webhook("/messages/@original"), json!({ "content": "b it is" })).await.ok();
    assert_eq!(socket.event("MESSAGE_UPDATE").await["id"], panel["id"]);
}

#[tokio::test]
async fn options_are_checked_against_the_command() {
    let house = House::build().await;
    with_command(&house).await;
    let run =
        |options: Value| house.sim.command(house.seed.member, house.seed.general, "ask", &options).unwrap_err().code;
    assert_eq!(run(json!([])), 50035);
    assert_eq!(run(json!([{ "name": "topic", "type": 3, "value": 5 }])), 50035);
    assert_eq!(
        run(json!([{ "name": "topic", "type": 3, "value": "x" }, { "name": "more", "type": 3, "value": "x" }])),
        50035
    );
    let unknown = house.sim.command(house.seed.member, house.seed.general, "nothing", &json!([])).unwrap_err();
    assert_eq!(unknown.code, 10063);
}

#[tokio::test]
async fn a_command_may_need_a_permission() {
    let house = House::build().await;
    let path = format!("/applications/{}/commands", house.seed.application);
    let setup = json!({ "name": "setup", "description": "x", "default_member_permissions": "32" });
    house.bot().put(&path, Some(json!([setup]))).await.ok();
    let run = |user| house.sim.command(user, house.seed.general, "setup", &json!([]));
    assert_eq!(run(house.seed.member).unwrap_err().code, 50013);
    run(house.seed.admin).unwrap();
}
