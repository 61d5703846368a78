use database::{ClaimOutcome, Error};
use model::{TicketKey, TicketNumber};
use tokio::task::JoinSet;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_who_claim_at_once_one_wins() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let db = db.clone();
        racing.spawn(async move {
            let user = fresh();
            (user, db.tickets().claim(ticket.key, user, &by_click()).await.unwrap())
        });
    }
    let outcomes = racing.join_all().await;
    let winner = reread(db, ticket.key).await.claimed_by.unwrap();
    for (user, outcome) in outcomes {
        match outcome {
            ClaimOutcome::Claimed(ticket) => {
                assert_eq!(user, winner);
                assert_eq!(ticket.claimed_by, Some(user));
            }
            ClaimOutcome::Taken(ticket) => {
                assert_ne!(user, winner);
                assert_eq!(ticket.claimed_by, Some(winner));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(history(db, ticket.key).await, ["opened", "channel_made", "welcomed", "claimed"]);
}

#[tokio::test]
async fn claiming_ones_own_ticket_again_changes_nothing() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    db.tickets().claim(ticket.key, STAFF, &by_click()).await.unwrap();
    let again = db.tickets().claim(ticket.key, STAFF, &by_click()).await.unwrap();
    let ClaimOutcome::Taken(ticket) = again else { panic!("{again:?}") };
    assert_eq!(ticket.claimed_by, Some(STAFF));
    assert_eq!(db.events().list(ticket.key).await.unwrap()[3].actor, Some(STAFF));
    assert_eq!(history(db, ticket.key).await.len(), 4);
}

#[tokio::test]
async fn only_an_open_ticket_is_claimed() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let unfinished = opening(db, &click()).await;
    let closed = close(db, open_ticket(db).await.key, None).await;
    for ticket in [unfinished, closed] {
        let outcome = db.tickets().claim(ticket.key, OTHER_STAFF, &by_click()).await.unwrap();
        assert_eq!(outcome, ClaimOutcome::NotOpen(ticket));
    }
}

#[tokio::test]
async fn claiming_a_ticket_that_is_not_there_is_an_error() {
    let scratch = scratch().await;
    let key = TicketKey { guild: GUILD, number: TicketNumber(1) };
    let refused = scratch.database.tickets().claim(key, STAFF, &by_click()).await.unwrap_err();
    assert!(matches!(refused, Error::NoTicket(_)));
    assert_eq!(refused.to_string(), "there is no ticket 1001/1");
}
