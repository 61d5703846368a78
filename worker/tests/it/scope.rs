use model::TicketState;
use serde_json::{Value, json};
use worker::{dispatch::dispatch, interaction::Interaction, reply::Reply};

use crate::house::House;

/// The member's press on the close button, altered, as a reply's text.
async fn pressed(house: &House, custom_id: &str, alter: impl FnOnce(&mut Value)) -> String {
    house.set_endpoint(None);
    let channel = house.ticket(1).await.channel.unwrap();
    let id = house.click(house.seed.member, channel, "t1:close:1");
    let mut payload = house.sim.read(|state| state.interactions[&id].payload.clone());
    payload["data"]["custom_id"] = custom_id.into();
    alter(&mut payload);
    let press = Interaction::parse(payload.to_string().as_bytes()).unwrap();
    match dispatch(&house.cx, &press, "test").await {
        Reply::Message(message) | Reply::Update(message) => message.content,
        other => panic!("{other:?}"),
    }
}

const ELSEWHERE: &str = "This button belongs to a ticket that is not in this channel.";

#[tokio::test]
async fn another_guilds_ticket_is_untouchable() {
    let house = House::furnished().await;
    house.opened().await;
    let answer = pressed(&house, "t1:close-yes:1", |payload| payload["guild_id"] = "99".into()).await;
    assert_eq!(answer, ELSEWHERE);
    let admin = |payload: &mut Value| {
        payload["guild_id"] = "99".into();
        payload["member"]["permissions"] = "8".into();
    };
    assert_eq!(pressed(&house, "t1:close-yes:1", admin).await, ELSEWHERE);
    let answer = pressed(&house, "t1:open:1", |payload| payload["guild_id"] = "99".into()).await;
    assert!(answer.starts_with("This panel was deleted"), "{answer}");
    assert_eq!(house.ticket(1).await.state, TicketState::Open);
    house.leave().await;
}

#[tokio::test]
async fn a_button_works_only_in_its_own_tickets_channel() {
    let house = House::furnished().await;
    house.opened().await;
    let general = json!(house.seed.general);
    let answer = pressed(&house, "t1:close-yes:1", |payload| {
        payload["channel"]["id"] = general.clone();
        payload["channel_id"] = general;
    })
    .await;
    assert_eq!(answer, ELSEWHERE);
    assert_eq!(pressed(&house, "t1:close-yes:2", |_| {}).await, ELSEWHERE);
    house.leave().await;
}

#[tokio::test]
async fn strangers_do_not_close_and_members_do_not_set_up() {
    let house = House::furnished().await;
    house.opened().await;
    let other = json!(house.seed.other_member);
    for custom_id in ["t1:close:1", "t1:close-yes:1", "t1:close-reason:1", "t1:close-form:1"] {
        let stranger = other.clone();
        let answer = pressed(&house, custom_id, |payload| {
            payload["member"]["user"]["id"] = stranger;
            if custom_id.contains("form") {
                payload["type"] = 5.into();
            }
        })
        .await;
        assert!(answer.starts_with("Only whoever opened this ticket"), "{custom_id}: {answer}");
    }
    let answer = pressed(&house, "", |payload| {
        payload["type"] = 2.into();
        payload["data"] = json!({"id": "1", "name": "setup", "type": 1});
    })
    .await;
    assert_eq!(answer, "Only administrators of this server can do this.");
    house.leave().await;
}

#[tokio::test]
async fn outside_guilds_and_for_foreign_ids_there_is_a_text() {
    let house = House::furnished().await;
    house.opened().await;
    let answer = pressed(&house, "t1:close:1", |payload| {
        payload.as_object_mut().unwrap().remove("guild_id");
        let user = payload["member"]["user"].take();
        payload["user"] = user;
        payload.as_object_mut().unwrap().remove("member");
    })
    .await;
    assert_eq!(answer, "This works only in a server.");
    let answer = pressed(&house, "t0:close:1", |_| {}).await;
    assert!(answer.starts_with("I do not know this any more"), "{answer}");
    house.leave().await;
}
