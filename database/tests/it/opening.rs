use database::{Error, NewPanel, NewTicket, OpenOutcome, scratch::Scratch};
use model::{CloseStep, PanelId, Ticket, TicketEvent, TicketNumber, TicketState};
use tokio::task::JoinSet;
use twilight_model::id::Id;

use crate::support::*;

/// All clicks at once, over several pools; the outcomes in no order.
async fn race(clicks: Vec<NewTicket>) -> (Scratch, Vec<OpenOutcome>) {
    let scratch = scratch().await;
    let outcomes = race_in(&scratch, clicks).await;
    (scratch, outcomes)
}

async fn race_in(scratch: &Scratch, clicks: Vec<NewTicket>) -> Vec<OpenOutcome> {
    let pools = [another(scratch, 10).await, another(scratch, 10).await];
    let mut racing = JoinSet::new();
    for (i, click) in clicks.into_iter().enumerate() {
        let db = pools[i % pools.len()].clone();
        racing.spawn(async move { db.tickets().begin_opening(&click).await.unwrap() });
    }
    racing.join_all().await
}

fn begun_of(outcomes: &[OpenOutcome]) -> Vec<&Ticket> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            OpenOutcome::Begun(ticket) => Some(ticket),
            _ => None,
        })
        .collect()
}

#[track_caller]
fn assert_gap_free(tickets: &[&Ticket]) {
    let mut numbers: Vec<i32> = tickets.iter().map(|t| t.key.number.0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as i32).collect::<Vec<_>>());
}

async fn assert_limit_holds(limit: u8) {
    let clicks = (0..50).map(|_| NewTicket { limit, ..click() }).collect();
    let scratch = scratch().await;
    // In a guild's first race the making of its counter lets one go ahead; this is not about that.
    let first = opening(&scratch.database, &click_of_another()).await;
    let outcomes = race_in(&scratch, clicks).await;
    let mut begun = begun_of(&outcomes);
    assert_eq!(begun.len(), usize::from(limit));
    begun.push(&first);
    assert_gap_free(&begun);
    for outcome in &outcomes {
        if let OpenOutcome::LimitReached { open } = outcome {
            assert_eq!(open.len(), usize::from(limit));
        }
    }
    let open = scratch.database.tickets().list_open_by_opener(GUILD, OPENER).await.unwrap();
    assert_eq!(open.len(), usize::from(limit));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_racing_clicks_never_exceed_a_limit_of_one() {
    assert_limit_holds(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_racing_clicks_never_exceed_a_limit_of_three() {
    assert_limit_holds(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_members_get_numbers_without_a_gap() {
    let (_scratch, outcomes) = race((0..50).map(|_| click_of_another()).collect()).await;
    let begun = begun_of(&outcomes);
    assert_eq!(begun.len(), 50);
    assert_gap_free(&begun);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_click_that_comes_twenty_times_gets_one_ticket() {
    let click = NewTicket { limit: 5, ..click() };
    let (scratch, outcomes) = race(vec![click; 20]).await;
    assert_eq!(begun_of(&outcomes).len(), 1);
    for outcome in &outcomes {
        match outcome {
            OpenOutcome::Begun(ticket) | OpenOutcome::Existing(ticket) => {
                assert_eq!(ticket.key.number, TicketNumber(1));
            }
            OpenOutcome::LimitReached { .. } => panic!("{outcome:?}"),
        }
    }
    assert_eq!(history(&scratch.database, begun_of(&outcomes)[0].key).await, ["opened"]);
}

#[tokio::test]
async fn an_opening_holds_a_slot_a_lease_and_a_nonce() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let new = click();
    let ticket = opening(db, &new).await;
    assert_eq!(ticket.state, TicketState::Opening);
    assert_eq!((ticket.bot, ticket.opener), (BOT, OPENER));
    assert_eq!(ticket.channel, None);
    assert!(ticket.leased_until.unwrap() > ticket.opened_at);
    assert!(!ticket.nonce.is_nil());
    assert_eq!(db.tickets().by_nonce(GUILD, ticket.nonce).await.unwrap(), Some(ticket.clone()));
    let event = &db.events().list(ticket.key).await.unwrap()[0];
    assert_eq!(event.actor, Some(OPENER));
    assert_eq!(
        event.event,
        TicketEvent::Opened { bot: BOT, opener: OPENER, panel: None, interaction: new.interaction }
    );
}

#[tokio::test]
async fn a_refused_click_names_the_tickets_and_uses_no_number() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let first = open_from(db, &click()).await;
    let refused = db.tickets().begin_opening(&click()).await.unwrap();
    assert_eq!(refused, OpenOutcome::LimitReached { open: vec![first] });
    let next = opening(db, &click_of_another()).await;
    assert_eq!(next.key.number, TicketNumber(2));
}

#[tokio::test]
async fn a_limit_of_zero_refuses() {
    let scratch = scratch().await;
    let refused = scratch.database.tickets().begin_opening(&NewTicket { limit: 0, ..click() }).await.unwrap();
    assert_eq!(refused, OpenOutcome::LimitReached { open: vec![] });
}

#[tokio::test]
async fn the_slot_is_free_once_the_member_is_locked_out() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let first = open_from(db, &click()).await;
    closing(db, first.key, LEASE).await;
    let refused = db.tickets().begin_opening(&click()).await.unwrap();
    assert!(matches!(refused, OpenOutcome::LimitReached { .. }));
    db.tickets().set_close_step(first.key, CloseStep::Begun, CloseStep::Locked, LEASE).await.unwrap().unwrap();
    opening(db, &click()).await;
}

#[tokio::test]
async fn an_abandoned_opening_frees_its_slot_and_keeps_its_number() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let first = opening(db, &click()).await;
    let abandoned = db.tickets().set_abandoned(first.key, "no permission").await.unwrap();
    assert_eq!(abandoned.state, TicketState::Abandoned);
    assert_eq!(abandoned.leased_until, None);
    assert!(abandoned.closed_at.is_some());
    assert_eq!(history(db, first.key).await, ["opened", "abandoned"]);
    assert_eq!(opening(db, &click()).await.key.number, TicketNumber(2));
}

#[tokio::test]
async fn an_abandoned_ticket_never_opens() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = opening(db, &click()).await;
    db.tickets().set_abandoned(ticket.key, "slow").await.unwrap();
    let late = db.tickets().set_channel(ticket.key, fresh()).await.unwrap();
    assert_eq!((late.state, late.channel), (TicketState::Abandoned, None));
    let late = db.tickets().set_open(ticket.key, None).await.unwrap_err();
    assert!(matches!(late, Error::State { found: TicketState::Abandoned, .. }), "{late}");
    assert_eq!(history(db, ticket.key).await, ["opened", "abandoned"]);
}

#[tokio::test]
async fn an_open_ticket_is_found_by_its_channel() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = opening(db, &click()).await;
    let channel = fresh();
    let message = fresh();
    let opening = db.tickets().set_channel(ticket.key, channel).await.unwrap();
    assert_eq!((opening.state, opening.channel), (TicketState::Opening, Some(channel)));
    assert_eq!(db.tickets().by_channel(GUILD, channel).await.unwrap(), Some(opening));
    let open = db.tickets().set_open(ticket.key, Some(message)).await.unwrap();
    assert_eq!(open.state, TicketState::Open);
    assert_eq!((open.channel, open.welcome_message), (Some(channel), Some(message)));
    assert_eq!(open.leased_until, None);
    assert_eq!(db.tickets().by_channel(GUILD, channel).await.unwrap(), Some(open));
    assert_eq!(history(db, ticket.key).await, ["opened", "channel_made", "welcomed"]);
}

#[tokio::test]
async fn setting_open_twice_changes_nothing() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let open = open_ticket(db).await;
    assert_eq!(db.tickets().set_open(open.key, Some(fresh())).await.unwrap(), open);
    assert_eq!(history(db, open.key).await, ["opened", "channel_made", "welcomed"]);
}

#[tokio::test]
async fn the_first_channel_that_is_noted_stays() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = opening(db, &click()).await;
    let first = db.tickets().set_channel(ticket.key, fresh()).await.unwrap();
    assert_eq!(db.tickets().set_channel(ticket.key, fresh()).await.unwrap(), first);
    assert_eq!(db.tickets().set_channel(ticket.key, first.channel.unwrap()).await.unwrap(), first);
    let open = db.tickets().set_open(ticket.key, None).await.unwrap();
    assert_eq!(db.tickets().set_channel(ticket.key, fresh()).await.unwrap(), open);
    assert_eq!(history(db, ticket.key).await, ["opened", "channel_made", "welcomed"]);
}

#[tokio::test]
async fn a_ticket_without_a_channel_does_not_open() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = opening(db, &click()).await;
    let refused = db.tickets().set_open(ticket.key, None).await;
    assert!(matches!(refused, Err(Error::State { found: TicketState::Opening, .. })), "{refused:?}");
    assert_eq!(reread(db, ticket.key).await, ticket);
}

#[tokio::test]
async fn a_channel_belongs_to_one_ticket() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let first = open_ticket(db).await;
    let second = opening(db, &click_of_another()).await;
    let refused = db.tickets().set_channel(second.key, first.channel.unwrap()).await;
    assert!(matches!(refused, Err(Error::ChannelTaken { .. })), "{refused:?}");
    assert_eq!(reread(db, second.key).await, second);
}

#[tokio::test]
async fn a_ticket_keeps_its_subject() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let new = NewTicket { subject: Some("lost\0 save".to_owned()), ..click() };
    let ticket = opening(db, &new).await;
    assert_eq!(ticket.subject.as_deref(), Some("lost\u{fffd} save"));
    assert_eq!(reread(db, ticket.key).await, ticket);
}

#[tokio::test]
async fn a_panel_must_be_one_of_the_guild() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let panel = NewPanel {
        guild: OTHER_GUILD,
        channel: Id::new(7),
        title: "Help".to_owned(),
        body: "Press".to_owned(),
        button_label: "Open".to_owned(),
    };
    let foreign = db.panels().insert(&panel).await.unwrap().id;
    for panel in [foreign, PanelId(999_999)] {
        let new = NewTicket { panel: Some(panel), ..click() };
        let refused = db.tickets().begin_opening(&new).await;
        assert!(matches!(refused, Err(Error::NoPanel { guild, .. }) if guild == GUILD), "{refused:?}");
    }
    assert_eq!(opening(db, &click()).await.key.number, TicketNumber(1));
}

#[tokio::test]
async fn an_opening_of_an_undone_transaction_leaves_nothing() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let mut tx = db.begin().await.unwrap();
    let undone = begun(tx.tickets().begin_opening(&click()).await.unwrap());
    tx.rollback().await.unwrap();
    assert_eq!(db.tickets().by_number(undone.key).await.unwrap(), None);
    assert_eq!(opening(db, &click()).await.key, undone.key);
}

#[tokio::test]
async fn a_change_without_its_event_does_not_happen() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    sqlx::query(
        "insert into ticket_events (guild_id, number, version, payload) values ($1, $2, 4, '{\"type\": \"x\"}')",
    )
    .bind(ticket.key.guild.get().cast_signed())
    .bind(ticket.key.number.0)
    .execute(&mut raw(&scratch).await)
    .await
    .unwrap();
    let failed = db.tickets().claim(ticket.key, STAFF, &by_click()).await;
    assert!(matches!(failed, Err(Error::Query { .. })), "{failed:?}");
    assert_eq!(reread(db, ticket.key).await, ticket);
}
