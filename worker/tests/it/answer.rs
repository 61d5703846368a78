use std::time::Duration;

use discord_sim::{RestFault, state::Interaction as Made};
use model::topics::GatewayEvent;
use serde_json::json;
use time::OffsetDateTime;
use worker::{answer::gateway, interaction::Interaction};

use crate::{events::event, house::House};

/// The member's press on the panel, which nobody has answered yet, as an event and as the worker reads it.
async fn pressed(house: &House) -> (Made, GatewayEvent, Interaction) {
    house.set_endpoint(None);
    let id = house.click(house.seed.member, house.seed.support, "t1:open:1");
    let made = house.sim.read(|state| state.interactions[&id].clone());
    let event = event(house, "INTERACTION_CREATE", &made.payload);
    let read = Interaction::parse(made.payload.to_string().as_bytes()).unwrap();
    (made, event, read)
}

#[tokio::test]
async fn what_takes_longer_than_two_seconds_is_deferred_and_then_finished() {
    let house = House::furnished().await;
    let (made, event, read) = pressed(&house).await;
    house.fail("POST", "/guilds/{guild_id}/channels", RestFault::Delay(Duration::from_millis(2_300)));
    gateway::answer(&house.cx, read, &event).await;
    assert_eq!(house.sim.answered(made.id).await.acknowledged.unwrap().kind, 5);
    let answer = house.sim.response(made.id).await;
    assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn a_click_that_comes_again_keeps_its_first_answer() {
    let house = House::furnished().await;
    let (made, event, read) = pressed(&house).await;
    gateway::answer(&house.cx, read.clone(), &event).await;
    let first = house.sim.answered(made.id).await.acknowledged.unwrap();
    gateway::answer(&house.cx, read, &event).await;
    let again = house.sim.answered(made.id).await.acknowledged.unwrap();
    assert_eq!(first, again);
    assert_eq!(house.ticket_channels().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_deferral_that_a_crash_left_is_finished_when_the_click_comes_again() {
    let house = House::furnished().await;
    let (made, event, read) = pressed(&house).await;
    let deferred = worker::reply::deferred();
    let client = house.cx.discord.requests().interaction(house.cx.bot);
    house.cx.discord.send(client.create_response(made.id, &made.token, &deferred)).await.unwrap();
    gateway::answer(&house.cx, read, &event).await;
    let answer = house.sim.response(made.id).await;
    assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn an_old_click_that_nobody_can_answer_has_no_effect() {
    let house = House::furnished().await;
    let (made, mut event, read) = pressed(&house).await;
    event.received_at = OffsetDateTime::now_utc() - time::Duration::seconds(10);
    house.sim.write(|state| state.interactions.get_mut(&made.id).unwrap().failed = true);
    gateway::answer(&house.cx, read, &event).await;
    assert!(house.ticket_channels().is_empty());
    assert!(house.cx.db.tickets().by_number(house.key(1)).await.unwrap().is_none());
    house.leave().await;
}

#[tokio::test]
async fn the_route_refuses_what_is_no_interaction_of_our_bot() {
    let house = House::furnished().await;
    let (made, _, _) = pressed(&house).await;
    let client = common::http::client("test").unwrap();
    let url = house.endpoint.clone();
    let status = async |body: String| client.post(&url).body(body).send().await.unwrap().status().as_u16();
    assert_eq!(status("{}".to_owned()).await, 400);
    let mut foreign = made.payload;
    foreign["application_id"] = json!("99");
    assert_eq!(status(foreign.to_string()).await, 421);
    let ping = json!({"id": "1", "application_id": house.seed.application, "type": 1, "token": "t"});
    assert_eq!(status(ping.to_string()).await, 200);
    house.leave().await;
}
