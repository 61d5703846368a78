use serde_json::{Value, json};

use crate::{
    house::House,
    interactions::{Reply, with_command},
    socket::Socket,
};

async fn opened(
    house: &House,
    socket: &mut Socket,
    modal: Value,
) -> twilight_model::id::Id<twilight_model::id::marker::InteractionMarker> {
    let options = json!([{ "name": "topic", "type": 3, "value": "x" }]);
    let id = house.sim.command(house.seed.member, house.seed.general, "ask", &options).unwrap();
    Reply::to(house, &socket.event("INTERACTION_CREATE").await).callback(9, modal).await.ok();
    id
}

fn form() -> Value {
    let reason = json!({ "type": 4, "custom_id": "reason", "style": 2, "min_length": 3, "max_length": 10 });
    let note = json!({ "type": 4, "custom_id": "note", "style": 1, "required": false });
    json!({
        "custom_id": "form", "title": "Tell us more",
        "components": [{ "type": 18, "label": "Reason", "component": reason }, { "type": 18, "label": "Note", "component": note }],
    })
}

#[tokio::test]
async fn a_modal_opens_and_its_fields_come_back() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let mut mia = Socket::person(&house, house.seed.member).await;
    let id = opened(&house, &mut socket, form()).await;
    let shown = mia.until("INTERACTION_MODAL_CREATE").await;
    assert_eq!(
        (&shown["id"], &shown["custom_id"], &shown["title"]),
        (&json!(id), &json!("form"), &json!("Tell us more"))
    );
    assert_eq!(shown["components"][0]["component"]["id"], 2);

    house.sim.submit(id, &[("reason", "it broke")]).unwrap();
    let sent = socket.event("INTERACTION_CREATE").await;
    assert_eq!((&sent["type"], &sent["data"]["custom_id"]), (&json!(5), &json!("form")));
    let field = |index: usize| sent["data"]["components"][index]["component"]["value"].clone();
    assert_eq!((field(0), field(1)), (json!("it broke"), json!("")));
    let reply = Reply::to(&house, &sent);
    reply.callback(9, form()).await.form_error("type", "BASE_TYPE_CHOICES");
    reply.callback(4, json!({ "content": "thanks", "flags": 64 })).await.ok();
    assert_eq!(mia.until("MESSAGE_CREATE").await["content"], "thanks");
}

#[tokio::test]
async fn a_form_is_checked_by_its_bounds() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let id = opened(&house, &mut socket, form()).await;
    for value in ["", "ab", "longer than ten"] {
        assert_eq!(house.sim.submit(id, &[("reason", value)]).unwrap_err().code, 50035, "{value:?}");
    }
    house.sim.submit(id, &[("reason", "fits"), ("note", "and more")]).unwrap();
}

#[tokio::test]
async fn a_modal_that_is_none_is_refused_and_answers_nothing() {
    let house = House::build().await;
    house.provokes();
    let mut socket = with_command(&house).await;
    let options = json!([{ "name": "topic", "type": 3, "value": "x" }]);
    let id = house.sim.command(house.seed.member, house.seed.general, "ask", &options).unwrap();
    let reply = Reply::to(&house, &socket.event("INTERACTION_CREATE").await);
    for broken in [
        json!({ "custom_id": "form", "components": [] }),
        json!({ "title": "x", "custom_id": "form", "components": [] }),
    ] {
        assert_eq!(reply.callback(9, broken).await.status, 400);
    }
    assert!(house.sim.interaction(id).unwrap().acknowledged.is_none());
    reply.callback(9, form()).await.ok();
}

#[tokio::test]
async fn only_who_opened_a_modal_sends_it_off() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let id = opened(&house, &mut socket, form()).await;
    let wish = json!({
        "type": 5, "application_id": house.seed.application, "guild_id": house.seed.guild, "channel_id": house.seed.general,
        "data": { "id": id, "custom_id": "form", "components": [] },
    });
    house.person(house.seed.other_member).post("/interactions", wish).await.refused(404, 10062);
}
