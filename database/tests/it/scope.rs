//! Nothing of one guild is visible to, or changed from, another guild.

use std::fmt::Debug;

use database::{Error, NewPanel, OpenOutcome};
use model::{CapturedMessage, CloseStep, MessageEdit, TicketKey};
use time::OffsetDateTime;
use twilight_model::id::Id;

use crate::support::*;

#[track_caller]
fn assert_no_ticket<T: Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::NoTicket(_))), "{result:?}");
}

#[track_caller]
fn assert_no_panel<T: Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::NoPanel { .. })), "{result:?}");
}

#[tokio::test]
async fn another_guilds_ticket_is_not_found() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let foreign = TicketKey { guild: OTHER_GUILD, ..ticket.key };
    let mut tickets = db.tickets();
    assert_eq!(tickets.by_number(foreign).await.unwrap(), None);
    assert_eq!(tickets.by_channel(OTHER_GUILD, ticket.channel.unwrap()).await.unwrap(), None);
    assert_eq!(tickets.by_nonce(OTHER_GUILD, ticket.nonce).await.unwrap(), None);
    assert!(tickets.list_open_by_opener(OTHER_GUILD, ticket.opener).await.unwrap().is_empty());
    assert!(tickets.list_live(OTHER_GUILD).await.unwrap().is_empty());
    assert_eq!(tickets.list_live(GUILD).await.unwrap(), [ticket]);
    assert!(db.events().list(foreign).await.unwrap().is_empty());
}

#[tokio::test]
async fn another_guilds_ticket_is_not_changed() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let unfinished = opening(db, &click_of_another()).await;
    let open = open_ticket(db).await;
    let closing = closing(db, open_ticket(db).await.key, LEASE).await;
    for ticket in [&unfinished, &open, &closing] {
        let foreign = TicketKey { guild: OTHER_GUILD, ..ticket.key };
        let mut tickets = db.tickets();
        assert_no_ticket(tickets.set_channel(foreign, fresh()).await);
        assert_no_ticket(tickets.set_open(foreign, None).await);
        assert_no_ticket(tickets.set_abandoned(foreign, "no").await);
        assert_no_ticket(tickets.claim(foreign, STAFF, &by_click()).await);
        assert_no_ticket(tickets.begin_closing(foreign, None, None, LEASE, Some(&by_click())).await);
        let step = tickets.set_close_step(foreign, CloseStep::Begun, CloseStep::Locked, LEASE);
        assert_no_ticket(step.await);
        assert_no_ticket(tickets.set_closed(foreign).await);
        let mut held = ticket.clone();
        held.key = foreign;
        assert_eq!(tickets.extend_lease(&held, LEASE).await.unwrap(), None);
        assert!(!tickets.release_lease(&held).await.unwrap());
        assert_eq!(tickets.hold_up_closing(&held, "no", LEASE).await.unwrap(), None);
        assert_eq!(reread(db, ticket.key).await, *ticket);
        history(db, ticket.key).await;
    }
}

#[tokio::test]
async fn limits_and_numbers_of_guilds_are_their_own() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let here = opening(db, &click()).await;
    let mut there = click();
    there.guild = OTHER_GUILD;
    let there = opening(db, &there).await;
    assert_eq!(here.key.number, there.key.number);
    let refused = db.tickets().begin_opening(&click()).await.unwrap();
    assert_eq!(refused, OpenOutcome::LimitReached { open: vec![here] });
}

#[tokio::test]
async fn a_click_of_another_guild_is_not_taken_for_a_known_one() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let mut new = click();
    opening(db, &new).await;
    new.guild = OTHER_GUILD;
    let refused = db.tickets().begin_opening(&new).await;
    assert!(matches!(refused, Err(Error::Spent { .. })), "{refused:?}");
}

#[tokio::test]
async fn another_guilds_messages_are_not_read_or_changed() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let foreign = TicketKey { guild: OTHER_GUILD, ..ticket.key };
    let channel = ticket.channel.unwrap();
    let at = OffsetDateTime::UNIX_EPOCH;
    let message = CapturedMessage {
        guild: GUILD,
        channel,
        id: fresh(),
        author: OPENER,
        author_name: "Ada".to_owned(),
        author_is_bot: false,
        content: "hello".to_owned(),
        attachments: vec![],
        embeds: serde_json::Value::Null,
        reply_to: None,
        sent_at: at,
        edited_at: None,
        deleted_at: None,
    };
    let mut messages = db.messages();
    messages.upsert(BOT, &message).await.unwrap();
    let edit = MessageEdit {
        guild: OTHER_GUILD,
        channel,
        id: message.id,
        content: Some("changed".to_owned()),
        attachments: None,
        embeds: None,
        edited_at: Some(at),
    };
    assert!(messages.list(foreign).await.unwrap().is_empty());
    assert!(!messages.mark_edited(BOT, &edit).await.unwrap());
    let own_guild = MessageEdit { guild: GUILD, ..edit };
    assert!(!messages.mark_edited(OTHER_BOT, &own_guild).await.unwrap());
    let ids = [message.id];
    assert_eq!(messages.mark_deleted(BOT, OTHER_GUILD, channel, &ids, at).await.unwrap(), 0);
    assert_eq!(messages.mark_deleted(OTHER_BOT, GUILD, channel, &ids, at).await.unwrap(), 0);
    assert_eq!(messages.mark_missing(foreign, &[Id::new(u64::MAX >> 1)], at).await.unwrap(), 0);
    let swept = CapturedMessage { guild: OTHER_GUILD, content: "swept".to_owned(), ..message.clone() };
    assert_eq!(messages.upsert_swept(foreign, &[swept]).await.unwrap(), 0);
    assert_eq!(messages.list(ticket.key).await.unwrap(), [message]);
}

#[tokio::test]
async fn another_guilds_panel_is_not_found_or_changed() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let panel = NewPanel {
        guild: GUILD,
        channel: fresh(),
        title: "Help".to_owned(),
        body: "Press".to_owned(),
        button_label: "Open".to_owned(),
    };
    let panel = db.panels().insert(&panel).await.unwrap();
    let mut panels = db.panels();
    assert!(panels.list(OTHER_GUILD).await.unwrap().is_empty());
    assert_no_panel(panels.set_posting(OTHER_GUILD, panel.id, fresh()).await);
    assert_no_panel(panels.set_posted(OTHER_GUILD, panel.id, fresh()).await);
    assert_no_panel(panels.set_unposted(OTHER_GUILD, panel.id).await);
    assert_eq!(panels.list(GUILD).await.unwrap(), [panel]);
}

#[tokio::test]
async fn another_guilds_settings_are_its_own() {
    let scratch = scratch().await;
    let db = &scratch.database;
    db.settings().set_category(GUILD, Some(fresh())).await.unwrap();
    let other = db.settings().by_guild(OTHER_GUILD).await.unwrap();
    assert_eq!(other, model::GuildSettings::unset(OTHER_GUILD));
}
