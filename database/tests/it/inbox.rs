//! One click or event, at most one effect.

use std::time::Duration;

use database::{Cause, ClaimOutcome, CloseOutcome, Database, NewTicket, OpenOutcome, SetupTurn, scratch::Scratch};
use model::TicketState;
use tokio::task::JoinSet;
use twilight_model::id::Id;

use crate::support::*;

/// So often one click comes at once.
const DELIVERIES: usize = 20;

/// Twenty deliveries at once, over two pools, as two workers get them.
async fn deliver<T, F>(scratch: &Scratch, effect: impl Fn(Database) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let pools = [another(scratch, 10).await, another(scratch, 10).await];
    let mut racing = JoinSet::new();
    for delivery in 0..DELIVERIES {
        racing.spawn(effect(pools[delivery % pools.len()].clone()));
    }
    racing.join_all().await
}

/// Rows of the inbox.
async fn spent(scratch: &Scratch) -> i64 {
    sqlx::query_scalar("select count(*) from inbox").fetch_one(&mut raw(scratch).await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_click_that_claims_twenty_times_claims_once() {
    let scratch = scratch().await;
    let ticket = open_ticket(&scratch.database).await;
    let cause = by_click();
    let before = spent(&scratch).await;
    let outcomes = deliver(&scratch, |db| {
        let cause = cause.clone();
        async move { db.tickets().claim(ticket.key, STAFF, &cause).await.unwrap() }
    })
    .await;
    let first = outcomes.iter().filter(|outcome| matches!(outcome, ClaimOutcome::Claimed(_))).count();
    let again = outcomes.iter().filter(|outcome| matches!(outcome, ClaimOutcome::Repeated(_))).count();
    assert_eq!((first, again), (1, DELIVERIES - 1), "{outcomes:?}");
    assert_eq!(history(&scratch.database, ticket.key).await, ["opened", "channel_made", "welcomed", "claimed"]);
    assert_eq!(spent(&scratch).await, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_click_that_closes_twenty_times_closes_once() {
    let scratch = scratch().await;
    let ticket = open_ticket(&scratch.database).await;
    let cause = by_click();
    let outcomes = deliver(&scratch, |db| {
        let cause = cause.clone();
        async move { db.tickets().begin_closing(ticket.key, Some(STAFF), None, LEASE, Some(&cause)).await.unwrap() }
    })
    .await;
    let first = outcomes.iter().filter(|outcome| matches!(outcome, CloseOutcome::Begun(_))).count();
    let again = outcomes.iter().filter(|outcome| matches!(outcome, CloseOutcome::Repeated(_))).count();
    assert_eq!((first, again), (1, DELIVERIES - 1), "{outcomes:?}");
    assert_eq!(history(&scratch.database, ticket.key).await, ["opened", "channel_made", "welcomed", "close_begun"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_click_that_opens_twenty_times_opens_once_and_is_never_over_the_limit() {
    let scratch = scratch().await;
    let new = click();
    let outcomes = deliver(&scratch, |db| {
        let new = new.clone();
        async move { db.tickets().begin_opening(&new).await.unwrap() }
    })
    .await;
    let first = outcomes.iter().filter(|outcome| matches!(outcome, OpenOutcome::Begun(_))).count();
    let again = outcomes.iter().filter(|outcome| matches!(outcome, OpenOutcome::Existing(_))).count();
    assert_eq!((first, again), (1, DELIVERIES - 1), "{outcomes:?}");
    assert_eq!(spent(&scratch).await, 1);
    let counts: i64 =
        sqlx::query_scalar("select count(*) from ticket_events").fetch_one(&mut raw(&scratch).await).await.unwrap();
    assert_eq!(counts, 1);
}

#[tokio::test]
async fn what_was_undone_by_a_crash_is_done_by_the_next_delivery() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let (opens, claims, closes) = (click(), by_click(), by_click());

    // Dropped in the midst, as a process that dies drops its connection.
    let mut tx = db.begin().await.unwrap();
    begun(tx.tickets().begin_opening(&opens).await.unwrap());
    drop(tx);
    let ticket = open_from(db, &opens).await;

    let mut tx = db.begin().await.unwrap();
    let outcome = tx.tickets().claim(ticket.key, STAFF, &claims).await.unwrap();
    assert!(matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");
    drop(tx);
    let outcome = db.tickets().claim(ticket.key, STAFF, &claims).await.unwrap();
    assert!(matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");

    let mut tx = db.begin().await.unwrap();
    tx.tickets().begin_closing(ticket.key, None, None, LEASE, Some(&closes)).await.unwrap();
    drop(tx);
    let outcome = db.tickets().begin_closing(ticket.key, None, None, LEASE, Some(&closes)).await.unwrap();
    assert!(matches!(outcome, CloseOutcome::Begun(_)), "{outcome:?}");
    assert_eq!(history(db, ticket.key).await, ["opened", "channel_made", "welcomed", "claimed", "close_begun"]);

    let by = fresh();
    db.settings().begin_setup(GUILD, BOT, by, LEASE).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert!(tx.settings().end_setup(GUILD, BOT, by, true).await.unwrap());
    drop(tx);
    assert_eq!(
        db.settings().begin_setup(GUILD, BOT, by, LEASE).await.unwrap(),
        SetupTurn::Begun { since: by, fresh: false }
    );
}

#[tokio::test]
async fn a_click_has_no_second_effect_where_its_first_was_taken_back() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let cause = by_click();
    db.tickets().claim(ticket.key, STAFF, &cause).await.unwrap();
    // As if a member of staff had given it back: the ticket is as the click found it.
    let give_back = sqlx::query("update tickets set claimed_by = null");
    give_back.execute(&mut raw(&scratch).await).await.unwrap();

    let outcome = db.tickets().claim(ticket.key, STAFF, &cause).await.unwrap();
    let ClaimOutcome::Repeated(found) = outcome else { panic!("{outcome:?}") };
    assert_eq!(found.claimed_by, None);
    let outcome = db.tickets().claim(ticket.key, STAFF, &by_click()).await.unwrap();
    assert!(matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_click_that_was_refused_had_no_effect() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let (first, waiting) = (open_from(db, &click()).await, click());
    let refused = db.tickets().begin_opening(&waiting).await.unwrap();
    assert!(matches!(refused, OpenOutcome::LimitReached { .. }), "{refused:?}");
    close(db, first.key, None).await;
    begun(db.tickets().begin_opening(&waiting).await.unwrap());
}

#[tokio::test]
async fn an_event_closes_once_and_the_next_of_its_session_is_another() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let [one, two] = [open_ticket(db).await, open_ticket(db).await];
    let event = Cause::event(BOT, "session", 7);
    for _ in 0..2 {
        db.tickets().begin_closing(one.key, None, None, LEASE, Some(&event)).await.unwrap();
    }
    assert_eq!(history(db, one.key).await.len(), 4);
    // Its effect is spent, also for another ticket.
    let outcome = db.tickets().begin_closing(two.key, None, None, LEASE, Some(&event)).await.unwrap();
    assert!(matches!(outcome, CloseOutcome::Already(_)), "{outcome:?}");
    assert_eq!(reread(db, two.key).await.state, TicketState::Open);
    let next = Cause::event(BOT, "session", 8);
    let outcome = db.tickets().begin_closing(two.key, None, None, LEASE, Some(&next)).await.unwrap();
    assert!(matches!(outcome, CloseOutcome::Begun(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_click_on_another_bot_changes_no_ticket_of_this_one() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let foreign = Cause::click(OTHER_BOT, fresh());
    let outcome = db.tickets().claim(ticket.key, STAFF, &foreign).await.unwrap();
    assert!(!matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");
    db.tickets().begin_closing(ticket.key, None, None, LEASE, Some(&foreign)).await.unwrap();
    assert_eq!(reread(db, ticket.key).await, ticket);

    // One number, two bots: two clicks.
    let id = fresh();
    let here = NewTicket { interaction: id, ..click_of_another() };
    let there = NewTicket { bot: OTHER_BOT, ..click_of_another() };
    begun(db.tickets().begin_opening(&here).await.unwrap());
    begun(db.tickets().begin_opening(&NewTicket { interaction: id, ..there }).await.unwrap());
}

#[tokio::test]
async fn old_causes_of_a_bot_are_forgotten_in_small_batches() {
    let scratch = scratch().await;
    let db = &scratch.database;
    for _ in 0..5 {
        opening(db, &click_of_another()).await;
    }
    opening(db, &NewTicket { bot: OTHER_BOT, ..click_of_another() }).await;
    let age = sqlx::query("update inbox set at = now() - interval '15 days' - interval '1 minute'");
    age.execute(&mut raw(&scratch).await).await.unwrap();
    let young = click_of_another();
    opening(db, &young).await;

    let kept = Duration::from_secs(15 * 24 * 60 * 60);
    let mut inbox = db.inbox();
    let mut batches = Vec::new();
    for _ in 0..3 {
        batches.push(inbox.purge(BOT, kept, 3).await.unwrap());
    }
    assert_eq!(batches, [3, 2, 0]);
    assert_eq!(spent(&scratch).await, 2);
    let again = db.tickets().begin_opening(&young).await.unwrap();
    assert!(matches!(again, OpenOutcome::Existing(_)), "{again:?}");
}

#[tokio::test]
async fn clicks_from_before_the_inbox_are_known() {
    let scratch = scratch().await;
    let mut connection = raw(&scratch).await;
    let mut run = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    };
    // The tables as they were, in a schema of their own.
    run("create schema before; set search_path to before").await;
    for migration in [
        include_str!("../../../migrations/0001_guild_settings.sql"),
        include_str!("../../../migrations/0002_panels.sql"),
        include_str!("../../../migrations/0003_tickets.sql"),
        include_str!("../../../migrations/0004_ticket_events.sql"),
    ] {
        run(migration).await;
    }
    run("insert into tickets (guild_id, number, bot_id, opener_id, opening_interaction, leased_until)
        values (1, 1, 2001, 3, 4711, now());
        insert into ticket_events (guild_id, number, version, payload) values (1, 1, 1, '{\"type\":\"opened\"}')")
    .await;
    run(include_str!("../../../migrations/0006_inbox.sql")).await;
    let cause: String =
        sqlx::query_scalar("select cause from before.inbox where bot_id = 2001 and guild_id = 1 and number = 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(Cause::click(BOT, Id::new(4711)).to_string(), format!("{cause} of bot 2001"));
}
