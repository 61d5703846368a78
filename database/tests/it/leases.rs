use std::{collections::HashSet, time::Duration};

use database::NewTicket;
use model::{CloseStep, TicketState};
use tokio::{task::JoinSet, time::timeout};

use crate::support::*;

#[tokio::test]
async fn what_a_crash_left_is_taken_over_with_a_new_lease() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let stuck_opening = opening(db, &NewTicket { lease: ENDED, ..click_of_another() }).await;
    let stuck_closing = closing(db, open_ticket(db).await.key, ENDED).await;
    let _held_opening = opening(db, &click_of_another()).await;
    let _held_closing = closing(db, open_ticket(db).await.key, LEASE).await;
    let _open = open_ticket(db).await;
    let taken = db.tickets().lease_stuck(BOT, 10, LEASE).await.unwrap();
    let keys: Vec<_> = taken.iter().map(|ticket| ticket.key).collect();
    assert_eq!(keys, [stuck_opening.key, stuck_closing.key]);
    for ticket in &taken {
        assert!(ticket.leased_until > stuck_closing.leased_until);
        assert_eq!(*ticket, reread(db, ticket.key).await);
    }
    assert!(db.tickets().lease_stuck(BOT, 10, LEASE).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_bot_takes_over_its_own_tickets_only() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let new = NewTicket { lease: ENDED, bot: OTHER_BOT, ..click() };
    let ticket = opening(db, &new).await;
    assert!(db.tickets().lease_stuck(BOT, 10, LEASE).await.unwrap().is_empty());
    let taken = db.tickets().lease_stuck(OTHER_BOT, 10, LEASE).await.unwrap();
    assert_eq!(taken[0].key, ticket.key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_reconcilers_never_get_the_same_ticket() {
    let scratch = scratch().await;
    let db = &scratch.database;
    for _ in 0..40 {
        opening(db, &NewTicket { lease: ENDED, ..click_of_another() }).await;
    }
    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let db = db.clone();
        racing.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let taken = db.tickets().lease_stuck(BOT, 3, LEASE).await.unwrap();
                if taken.is_empty() {
                    return mine;
                }
                mine.extend(taken.into_iter().map(|ticket| ticket.key));
            }
        });
    }
    let all: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 40);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 40);
}

#[tokio::test]
async fn a_reconciler_passes_over_what_another_is_just_taking() {
    let scratch = scratch().await;
    let db = &scratch.database;
    for _ in 0..3 {
        opening(db, &NewTicket { lease: ENDED, ..click_of_another() }).await;
    }
    let mut tx = db.begin().await.unwrap();
    let first = tx.tickets().lease_stuck(BOT, 1, LEASE).await.unwrap();
    let mut tickets = db.tickets();
    let second = timeout(Duration::from_secs(10), tickets.lease_stuck(BOT, 10, LEASE));
    let second = second.await.expect("does not wait for the other").unwrap();
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|ticket| ticket.key != first[0].key));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_lease_is_extended_and_released_by_its_holder_only() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let mut tickets = db.tickets();
    let lost = opening(db, &NewTicket { lease: ENDED, ..click() }).await;
    let held = tickets.lease_stuck(BOT, 1, LEASE).await.unwrap().remove(0);
    assert_eq!(tickets.extend_lease(&lost, LEASE).await.unwrap(), None);
    assert!(!tickets.release_lease(&lost).await.unwrap());
    let extended = tickets.extend_lease(&held, 2 * LEASE).await.unwrap().unwrap();
    assert!(extended.leased_until > held.leased_until);
    assert!(!tickets.release_lease(&held).await.unwrap());
    assert!(tickets.release_lease(&extended).await.unwrap());
    assert_eq!(tickets.lease_stuck(BOT, 1, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lease_is_no_change_of_the_ticket() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = opening(db, &NewTicket { lease: ENDED, ..click() }).await;
    let taken = db.tickets().lease_stuck(BOT, 1, LEASE).await.unwrap().remove(0);
    assert_eq!(taken.version, ticket.version);
    assert_eq!(history(db, ticket.key).await, ["opened"]);
}

#[tokio::test]
async fn each_step_of_closing_is_leased_anew() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = closing(db, open_ticket(db).await.key, ENDED).await;
    let stepped =
        db.tickets().set_close_step(ticket.key, CloseStep::Begun, CloseStep::Locked, LEASE).await.unwrap().unwrap();
    assert!(stepped.leased_until > ticket.leased_until);
    assert!(db.tickets().lease_stuck(BOT, 10, LEASE).await.unwrap().is_empty());
    assert_eq!(stepped.state, TicketState::Closing);
}
