//! One click or event, at most one effect, however often it comes.

use std::time::Duration;

use model::{CloseStep, TicketState};
use serde_json::json;
use tokio::task::JoinSet;
use twilight_model::id::{Id, marker::InteractionMarker};
use worker::{answer::gateway, dispatch, events, interaction::Interaction, reply::Reply, tickets::reconcile};

use crate::{events::event, house::House};

/// The same click twenty times at once, as a gateway brings it whose sharder died again and again.
async fn deliver(house: &House, id: Id<InteractionMarker>) {
    let made = house.sim.read(|state| state.interactions[&id].clone());
    let event = event(house, "INTERACTION_CREATE", &made.payload);
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let (cx, event) = (house.cx.clone(), event.clone());
        let read = Interaction::parse(made.payload.to_string().as_bytes()).unwrap();
        racing.spawn(async move { gateway::answer(&cx, read, &event).await });
    }
    for answered in racing.join_all().await {
        answered.unwrap();
    }
}

async fn count(house: &House, number: i32, kind: &str) -> usize {
    let events = house.cx.db.events().list(house.key(number)).await.unwrap();
    events.iter().filter(|recorded| recorded.event.kind() == kind).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_click_that_comes_twenty_times_at_once_has_one_effect() {
    let house = House::furnished().await;
    let seed = house.seed;
    house.set_endpoint(None);
    deliver(&house, house.click(seed.member, seed.support, "t1:open:1")).await;
    let channel = house.ticket_in(1, TicketState::Open).await.channel.unwrap();
    assert_eq!(house.ticket_channels().len(), 1);
    assert_eq!(count(&house, 1, "opened").await, 1);

    deliver(&house, house.click(seed.staff, channel, "t1:claim:1")).await;
    assert_eq!(count(&house, 1, "claimed").await, 1);
    assert_eq!(house.messages(channel).len(), 2, "welcome and one notice");

    deliver(&house, house.sim.command(seed.staff, channel, "close", &json!([])).unwrap()).await;
    house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(count(&house, 1, "close_begun").await, 1);
    assert_eq!(house.transcripts().await.len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn the_answer_of_a_closing_that_comes_again_is_the_first_one() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    let id = house.sim.command(seed.member, channel, "close", &json!([])).unwrap();
    let first = house.sim.response(id).await.content;
    house.ticket_in(1, TicketState::Closed).await;
    let payload = house.sim.read(|state| state.interactions[&id].payload.clone());
    let again = Interaction::parse(payload.to_string().as_bytes()).unwrap();
    let Reply::Message(answer) = dispatch::dispatch(&house.cx, &again, "late").await else { panic!("no message") };
    assert_eq!(answer.content, first);
    assert_eq!(count(&house, 1, "close_begun").await, 1);
    house.leave().await;
}

#[tokio::test]
async fn a_setup_that_comes_again_makes_nothing_even_where_its_panel_was_deleted() {
    let house = House::new().await;
    let seed = house.seed;
    let id = house.sim.command(seed.admin, seed.support, "setup", &json!([])).unwrap();
    house.sim.response(id).await;
    let panel = house.button(seed.support, "t1:open:1").unwrap();
    house.sim.write(|state| state.messages.get_mut(&seed.support).unwrap().remove(&panel));
    let requests = house.sim.read(|state| state.ledger.requests.len());

    let payload = house.sim.read(|state| state.interactions[&id].payload.clone());
    let again = Interaction::parse(payload.to_string().as_bytes()).unwrap();
    let Reply::Message(answer) = dispatch::dispatch(&house.cx, &again, "late").await else { panic!("no message") };
    assert_eq!(answer.content.matches("reused: ").count(), 4, "{}", answer.content);
    assert_eq!(house.sim.read(|state| state.ledger.requests.len()), requests);

    // Another one does.
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("made: panel"), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn a_deletion_that_comes_again_goes_on_where_a_crash_broke_it_off() {
    let house = House::furnished().await;
    let ticket = house.opened().await;
    let data = json!({"id": ticket.channel, "guild_id": house.seed.guild, "type": 0});
    let deleted = event(&house, "CHANNEL_DELETE", &data);
    let cause = database::Cause::event(deleted.bot, &deleted.session, deleted.sequence);
    let lease = Duration::from_secs(60);
    house.cx.db.tickets().begin_closing(ticket.key, None, None, lease, Some(&cause)).await.unwrap();
    assert_eq!(house.ticket(1).await.close_step, Some(CloseStep::Begun));

    // Nobody waits for the lease of the one that died.
    for _ in 0..2 {
        events::handle(&house.cx, &deleted).await.unwrap();
    }
    house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(count(&house, 1, "close_begun").await, 1);
    house.leave().await;
}

#[tokio::test]
async fn the_inbox_forgets_what_is_too_old_to_come_again() {
    let house = House::furnished().await;
    house.opened().await;
    assert_eq!(reconcile::purge(&house.cx, reconcile::INBOX_KEPT).await.unwrap(), 0);
    // The setup and the opening.
    assert_eq!(reconcile::purge(&house.cx, Duration::ZERO).await.unwrap(), 2);
    house.leave().await;
}
