//! Tickets for tests.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use database::{Cause, CloseOutcome, Database, DatabaseConfig, NewTicket, OpenOutcome, scratch::Scratch};
use model::{CloseStep, RecordedEvent, Ticket, TicketKey};
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, UserMarker},
};

pub(crate) const GUILD: Id<GuildMarker> = Id::new(1001);
pub(crate) const OTHER_GUILD: Id<GuildMarker> = Id::new(1002);
pub(crate) const BOT: Id<ApplicationMarker> = Id::new(2001);
pub(crate) const OTHER_BOT: Id<ApplicationMarker> = Id::new(2002);
pub(crate) const OPENER: Id<UserMarker> = Id::new(3001);
pub(crate) const STAFF: Id<UserMarker> = Id::new(3002);
pub(crate) const OTHER_STAFF: Id<UserMarker> = Id::new(3003);
pub(crate) const LEASE: Duration = Duration::from_secs(60);
/// A lease that ended when it was given.
pub(crate) const ENDED: Duration = Duration::ZERO;

pub(crate) const STEPS: [CloseStep; 5] =
    [CloseStep::Begun, CloseStep::Locked, CloseStep::Swept, CloseStep::Archived, CloseStep::Removed];

pub(crate) async fn scratch() -> Scratch {
    Scratch::create().await.unwrap()
}

/// A second pool on the database, as another process has one.
pub(crate) async fn another(scratch: &Scratch, threads: u32) -> Database {
    let config = DatabaseConfig { uri: scratch.uri.clone(), threads };
    Database::connect(&config).await.unwrap()
}

/// A connection for what the crate does not offer.
pub(crate) async fn raw(scratch: &Scratch) -> PgConnection {
    PgConnection::connect(scratch.uri.expose_secret()).await.unwrap()
}

/// An id that no test has used yet.
pub(crate) fn fresh<T>() -> Id<T> {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    Id::new(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A click on `BOT` that was never seen before.
pub(crate) fn by_click() -> Cause {
    Cause::click(BOT, fresh())
}

/// A click of `OPENER` in `GUILD`, never seen before, with a limit of 1.
pub(crate) fn click() -> NewTicket {
    NewTicket {
        guild: GUILD,
        bot: BOT,
        panel: None,
        opener: OPENER,
        subject: None,
        interaction: fresh(),
        limit: 1,
        lease: LEASE,
    }
}

/// A click of a member who has no ticket.
pub(crate) fn click_of_another() -> NewTicket {
    NewTicket { opener: fresh(), ..click() }
}

#[track_caller]
pub(crate) fn begun(outcome: OpenOutcome) -> Ticket {
    match outcome {
        OpenOutcome::Begun(ticket) => ticket,
        other => panic!("not begun: {other:?}"),
    }
}

pub(crate) async fn opening(db: &Database, new: &NewTicket) -> Ticket {
    begun(db.tickets().begin_opening(new).await.unwrap())
}

/// An open ticket of a member of its own.
pub(crate) async fn open_ticket(db: &Database) -> Ticket {
    open_from(db, &click_of_another()).await
}

pub(crate) async fn open_from(db: &Database, new: &NewTicket) -> Ticket {
    let ticket = opening(db, new).await;
    let channel: Id<ChannelMarker> = fresh();
    db.tickets().set_channel(ticket.key, channel).await.unwrap();
    db.tickets().set_open(ticket.key, None).await.unwrap()
}

pub(crate) async fn closing(db: &Database, ticket: TicketKey, lease: Duration) -> Ticket {
    let mut tickets = db.tickets();
    let outcome = tickets.begin_closing(ticket, Some(STAFF), Some("solved"), lease, None);
    match outcome.await.unwrap() {
        CloseOutcome::Begun(ticket) => ticket,
        other => panic!("not begun: {other:?}"),
    }
}

pub(crate) async fn close(db: &Database, ticket: TicketKey, reason: Option<&str>) -> Ticket {
    let mut tickets = db.tickets();
    tickets.begin_closing(ticket, Some(STAFF), reason, LEASE, None).await.unwrap();
    tickets.set_close_step(ticket, CloseStep::Begun, CloseStep::Removed, LEASE).await.unwrap();
    tickets.set_closed(ticket).await.unwrap().unwrap()
}

pub(crate) async fn reread(db: &Database, ticket: TicketKey) -> Ticket {
    db.tickets().by_number(ticket).await.unwrap().unwrap()
}

/// The kinds of the ticket's events, after checking that their versions are 1, 2, 3, … up to the ticket's own.
pub(crate) async fn history(db: &Database, ticket: TicketKey) -> Vec<&'static str> {
    let events: Vec<RecordedEvent> = db.events().list(ticket).await.unwrap();
    let versions: Vec<i32> = events.iter().map(|event| event.version).collect();
    let expected: Vec<i32> = (1..=reread(db, ticket).await.version).collect();
    assert_eq!(versions, expected, "versions of ticket {ticket}");
    events.iter().map(|event| event.event.kind()).collect()
}
