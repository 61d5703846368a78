use database::{CloseOutcome, Error};
use model::{CloseStep, TicketEvent, TicketState};
use tokio::task::JoinSet;

use crate::support::*;

#[tokio::test]
async fn a_closing_begins_with_its_reason_and_a_lease() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let ticket = closing(db, ticket.key, LEASE).await;
    assert_eq!(ticket.state, TicketState::Closing);
    assert_eq!(ticket.close_step, Some(CloseStep::Begun));
    assert_eq!(ticket.closed_by, Some(STAFF));
    assert_eq!(ticket.close_reason.as_deref(), Some("solved"));
    assert_eq!(ticket.closed_at, None);
    assert!(ticket.leased_until.is_some());
    let events = db.events().list(ticket.key).await.unwrap();
    assert_eq!(events[3].actor, Some(STAFF));
    assert_eq!(events[3].event, TicketEvent::CloseBegun { by: Some(STAFF), reason: Some("solved".to_owned()) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_who_close_at_once_one_begins() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let mut racing = JoinSet::new();
    for _ in 0..10 {
        let db = db.clone();
        racing.spawn(
            async move { db.tickets().begin_closing(ticket.key, Some(fresh()), None, LEASE, None).await.unwrap() },
        );
    }
    let outcomes = racing.join_all().await;
    let begun = outcomes.iter().filter(|o| matches!(o, CloseOutcome::Begun(_))).count();
    let already = outcomes.iter().filter(|o| matches!(o, CloseOutcome::Already(_))).count();
    assert_eq!((begun, already), (1, 9));
    assert_eq!(history(db, ticket.key).await, ["opened", "channel_made", "welcomed", "close_begun"]);
}

#[tokio::test]
async fn a_ticket_closes_step_by_step() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    closing(db, ticket.key, LEASE).await;
    for pair in STEPS.windows(2) {
        let done = db.tickets().set_close_step(ticket.key, pair[0], pair[1], LEASE).await.unwrap();
        assert_eq!(done.unwrap().close_step, Some(pair[1]));
    }
    let closed = db.tickets().set_closed(ticket.key).await.unwrap().unwrap();
    assert_eq!(closed.state, TicketState::Closed);
    assert_eq!(closed.leased_until, None);
    assert!(closed.closed_at.unwrap() >= closed.opened_at);
    assert_eq!(closed.channel, ticket.channel);
    assert_eq!(
        history(db, ticket.key).await,
        [
            "opened",
            "channel_made",
            "welcomed",
            "close_begun",
            "close_step_done",
            "close_step_done",
            "close_step_done",
            "close_step_done",
            "closed"
        ]
    );
}

#[tokio::test]
async fn steps_go_forward_only() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    closing(db, ticket.key, LEASE).await;
    for (i, from) in STEPS.into_iter().enumerate() {
        for to in &STEPS[..=i] {
            let refused = db.tickets().set_close_step(ticket.key, from, *to, LEASE).await;
            assert!(matches!(refused, Err(Error::StepBack { .. })), "{from} {to}");
        }
    }
    assert_eq!(reread(db, ticket.key).await.close_step, Some(CloseStep::Begun));
}

#[tokio::test]
async fn a_step_is_done_by_one_process_only() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    closing(db, ticket.key, LEASE).await;
    let mut tickets = db.tickets();
    let first = tickets.set_close_step(ticket.key, CloseStep::Begun, CloseStep::Locked, LEASE).await;
    let second = tickets.set_close_step(ticket.key, CloseStep::Begun, CloseStep::Locked, LEASE).await;
    assert!(first.unwrap().is_some());
    assert_eq!(second.unwrap(), None);
    assert_eq!(history(db, ticket.key).await.len(), 5);
}

#[tokio::test]
async fn a_ticket_is_closed_after_its_last_step_and_once() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    closing(db, ticket.key, LEASE).await;
    assert_eq!(db.tickets().set_closed(ticket.key).await.unwrap(), None);
    db.tickets().set_close_step(ticket.key, CloseStep::Begun, CloseStep::Removed, LEASE).await.unwrap().unwrap();
    assert!(db.tickets().set_closed(ticket.key).await.unwrap().is_some());
    assert_eq!(db.tickets().set_closed(ticket.key).await.unwrap(), None);
}

#[tokio::test]
async fn only_an_open_ticket_begins_to_close() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let unfinished = opening(db, &click()).await;
    let outcome = db.tickets().begin_closing(unfinished.key, None, None, LEASE, None).await.unwrap();
    assert_eq!(outcome, CloseOutcome::StillOpening(unfinished));
    let closed = close(db, open_ticket(db).await.key, None).await;
    let outcome = db.tickets().begin_closing(closed.key, None, None, LEASE, None).await.unwrap();
    assert_eq!(outcome, CloseOutcome::Already(closed));
}

#[tokio::test]
async fn frequent_reasons_come_first_and_begin_with_the_prefix() {
    let scratch = scratch().await;
    let db = &scratch.database;
    for reason in ["Solved", "solved by restart", "Duplicate", "Solved", "50% off", ""] {
        let ticket = open_ticket(db).await;
        close(db, ticket.key, Some(reason)).await;
    }
    let ticket = open_ticket(db).await;
    close(db, ticket.key, None).await;
    let mut tickets = db.tickets();
    assert_eq!(
        tickets.close_reasons(GUILD, "").await.unwrap(),
        ["Solved", "50% off", "Duplicate", "solved by restart"]
    );
    assert_eq!(tickets.close_reasons(GUILD, "SOL").await.unwrap(), ["Solved", "solved by restart"]);
    assert_eq!(tickets.close_reasons(GUILD, "50%").await.unwrap(), ["50% off"]);
    assert!(tickets.close_reasons(GUILD, "%").await.unwrap().is_empty());
    assert!(tickets.close_reasons(OTHER_GUILD, "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reason_may_hold_any_character() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let closed = close(db, ticket.key, Some("a\0b 'quoted' \\u0000 🎫")).await;
    assert_eq!(closed.close_reason.as_deref(), Some("a\u{fffd}b 'quoted' \\u0000 🎫"));
    assert_eq!(history(db, ticket.key).await.len(), 6);
}

#[tokio::test]
async fn what_holds_a_closing_up_is_noted_by_its_holder_alone() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = closing(db, open_ticket(db).await.key, ENDED).await;
    let held = db.tickets().lease_stuck(BOT, 1, LEASE).await.unwrap().remove(0);
    assert_eq!(db.tickets().hold_up_closing(&ticket, "no permission", LEASE).await.unwrap(), None);
    let noted = db.tickets().hold_up_closing(&held, "no permission", 2 * LEASE).await.unwrap().unwrap();
    assert_eq!(noted.close_step, held.close_step);
    assert!(noted.leased_until > held.leased_until);
    let events = db.events().list(ticket.key).await.unwrap();
    assert_eq!(events.last().unwrap().event, TicketEvent::CloseHeldUp { reason: "no permission".to_owned() });
}
