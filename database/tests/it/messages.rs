use model::{Attachment, CapturedMessage, CloseStep, MessageEdit, Ticket};
use serde_json::json;
use time::{Duration, OffsetDateTime, macros::datetime};
use twilight_model::id::{Id, marker::MessageMarker};

use crate::support::*;

const SENT: OffsetDateTime = datetime!(2026-03-01 12:00:00 UTC);

fn message(ticket: &Ticket) -> CapturedMessage {
    CapturedMessage {
        guild: ticket.key.guild,
        channel: ticket.channel.unwrap(),
        id: fresh(),
        author: OPENER,
        author_name: "Ada".to_owned(),
        author_is_bot: false,
        content: "first".to_owned(),
        attachments: vec![Attachment {
            id: Id::new(9),
            name: "log.txt".to_owned(),
            url: "https://cdn.example/log.txt".to_owned(),
            size: 12,
            content_type: None,
        }],
        embeds: json!([{ "title": "t" }]),
        reply_to: Some(fresh()),
        sent_at: SENT,
        edited_at: None,
        deleted_at: None,
    }
}

fn edit(of: &CapturedMessage, content: &str, after_seconds: i64) -> MessageEdit {
    MessageEdit {
        guild: of.guild,
        channel: of.channel,
        id: of.id,
        content: Some(content.to_owned()),
        attachments: None,
        embeds: None,
        edited_at: Some(SENT + Duration::seconds(after_seconds)),
    }
}

#[tokio::test]
async fn a_message_of_a_ticket_is_stored_whole_and_once() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let message = message(&ticket);
    assert!(db.messages().upsert(BOT, &message).await.unwrap());
    assert!(!db.messages().upsert(BOT, &message).await.unwrap());
    assert_eq!(db.messages().list(ticket.key).await.unwrap(), [message]);
}

#[tokio::test]
async fn a_message_lands_only_in_a_live_ticket_of_that_bot() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let message = message(&ticket);
    let elsewhere = CapturedMessage { channel: fresh(), ..message.clone() };
    let foreign = CapturedMessage { guild: OTHER_GUILD, ..message.clone() };
    assert!(!db.messages().upsert(BOT, &elsewhere).await.unwrap());
    assert!(!db.messages().upsert(BOT, &foreign).await.unwrap());
    assert!(!db.messages().upsert(OTHER_BOT, &message).await.unwrap());
    close(db, ticket.key, None).await;
    assert!(!db.messages().upsert(BOT, &message).await.unwrap());
    assert!(db.messages().list(ticket.key).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_that_comes_while_closing_is_stored() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    closing(db, ticket.key, LEASE).await;
    assert!(db.messages().upsert(BOT, &message(&ticket)).await.unwrap());
}

#[tokio::test]
async fn a_message_that_comes_while_opening_is_stored_with_its_edit_and_deletion() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = opening(db, &click()).await;
    let ticket = db.tickets().set_channel(ticket.key, fresh()).await.unwrap();
    let early = message(&ticket);
    assert!(db.messages().upsert(BOT, &early).await.unwrap());
    assert!(db.messages().mark_edited(BOT, &edit(&early, "second", 1)).await.unwrap());
    assert_eq!(db.messages().mark_deleted(BOT, GUILD, early.channel, &[early.id], SENT).await.unwrap(), 1);
}

#[tokio::test]
async fn messages_are_listed_in_the_order_they_were_written() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let (first, second) = (message(&ticket), message(&ticket));
    db.messages().upsert(BOT, &second).await.unwrap();
    db.messages().upsert(BOT, &first).await.unwrap();
    assert_eq!(db.messages().list(ticket.key).await.unwrap(), [first, second]);
}

#[tokio::test]
async fn the_newest_edit_stays_in_whatever_order_edits_come() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let original = message(&ticket);
    db.messages().upsert(BOT, &original).await.unwrap();
    assert!(db.messages().mark_edited(BOT, &edit(&original, "newest", 20)).await.unwrap());
    assert!(!db.messages().mark_edited(BOT, &edit(&original, "older", 10)).await.unwrap());
    assert!(!db.messages().upsert(BOT, &original).await.unwrap());
    let stored = db.messages().list(ticket.key).await.unwrap().remove(0);
    assert_eq!(stored.content, "newest");
    assert_eq!(stored.edited_at, Some(SENT + Duration::seconds(20)));
    assert_eq!(stored.attachments, original.attachments);
    assert_eq!(stored.embeds, original.embeds);
}

#[tokio::test]
async fn a_links_preview_is_no_edit_of_the_text() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let original = message(&ticket);
    db.messages().upsert(BOT, &original).await.unwrap();
    let preview = MessageEdit {
        content: None,
        embeds: Some(json!([{ "url": "https://example.org" }])),
        edited_at: None,
        ..edit(&original, "", 0)
    };
    assert!(db.messages().mark_edited(BOT, &preview).await.unwrap());
    let stored = db.messages().list(ticket.key).await.unwrap().remove(0);
    assert_eq!((stored.content.as_str(), stored.edited_at), ("first", None));
    assert_eq!(stored.embeds, json!([{ "url": "https://example.org" }]));
}

#[tokio::test]
async fn an_edit_of_what_is_not_stored_leaves_nothing() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let unknown = message(&ticket);
    assert!(!db.messages().mark_edited(BOT, &edit(&unknown, "new", 1)).await.unwrap());
    assert!(db.messages().list(ticket.key).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deletion_is_a_mark_that_stays() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let (kept, gone) = (message(&ticket), message(&ticket));
    db.messages().upsert(BOT, &kept).await.unwrap();
    db.messages().upsert(BOT, &gone).await.unwrap();
    let at = SENT + Duration::minutes(1);
    let ids = [gone.id, fresh()];
    let mut messages = db.messages();
    assert_eq!(messages.mark_deleted(BOT, GUILD, gone.channel, &ids, at).await.unwrap(), 1);
    let later = at + Duration::minutes(1);
    assert_eq!(messages.mark_deleted(BOT, GUILD, gone.channel, &ids, later).await.unwrap(), 0);
    assert!(!messages.upsert(BOT, &gone).await.unwrap());
    messages.upsert_swept(ticket.key, std::slice::from_ref(&gone)).await.unwrap();
    assert_eq!(messages.list(ticket.key).await.unwrap(), [kept, CapturedMessage { deleted_at: Some(at), ..gone }]);
}

#[tokio::test]
async fn the_sweep_completes_and_corrects_what_was_captured() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let (missed, same, edited, newer) = (message(&ticket), message(&ticket), message(&ticket), message(&ticket));
    for known in [&same, &edited, &newer] {
        db.messages().upsert(BOT, known).await.unwrap();
    }
    db.messages().mark_edited(BOT, &edit(&newer, "after the sweep's page", 30)).await.unwrap();
    closing(db, ticket.key, LEASE).await;
    let found_edited = CapturedMessage {
        content: "edit that was missed".to_owned(),
        edited_at: Some(SENT + Duration::seconds(5)),
        ..edited.clone()
    };
    let page = [missed.clone(), same.clone(), found_edited.clone(), newer.clone(), same.clone()];
    assert_eq!(db.messages().upsert_swept(ticket.key, &page).await.unwrap(), 2);
    assert_eq!(db.messages().upsert_swept(ticket.key, &page).await.unwrap(), 0);
    let stored = db.messages().list(ticket.key).await.unwrap();
    assert_eq!(stored[..3], [missed, same, found_edited]);
    assert_eq!(stored[3].content, "after the sweep's page");
}

#[tokio::test]
async fn the_sweep_leaves_out_messages_of_other_channels_and_closed_tickets() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let own = message(&ticket);
    let elsewhere = CapturedMessage { channel: fresh(), ..message(&ticket) };
    let foreign = CapturedMessage { guild: OTHER_GUILD, ..message(&ticket) };
    let page = [elsewhere, foreign, own.clone()];
    assert_eq!(db.messages().upsert_swept(ticket.key, &page).await.unwrap(), 1);
    assert_eq!(db.messages().upsert_swept(ticket.key, &[]).await.unwrap(), 0);
    close(db, ticket.key, None).await;
    assert_eq!(db.messages().upsert_swept(ticket.key, &[message(&ticket)]).await.unwrap(), 0);
    assert_eq!(db.messages().list(ticket.key).await.unwrap(), [own]);
}

#[tokio::test]
async fn what_the_sweep_does_not_find_is_marked_deleted() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let page: Vec<_> = (0..4).map(|_| message(&ticket)).collect();
    for message in &page {
        db.messages().upsert(BOT, message).await.unwrap();
    }
    closing(db, ticket.key, LEASE).await;
    db.tickets().set_close_step(ticket.key, CloseStep::Begun, CloseStep::Locked, LEASE).await.unwrap();
    let at = SENT + Duration::hours(1);
    // The second is missing; the fourth came after the sweep.
    let found: [Id<MessageMarker>; 2] = [page[0].id, page[2].id];
    assert_eq!(db.messages().mark_missing(ticket.key, &found, at).await.unwrap(), 1);
    assert_eq!(db.messages().mark_missing(ticket.key, &[], at).await.unwrap(), 0);
    let marks: Vec<_> = db.messages().list(ticket.key).await.unwrap();
    let marks: Vec<_> = marks.iter().map(|message| message.deleted_at).collect();
    assert_eq!(marks, [None, Some(at), None, None]);
}

#[tokio::test]
async fn a_message_may_hold_any_character() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let ticket = open_ticket(db).await;
    let odd = CapturedMessage {
        content: "a\0b".to_owned(),
        author_name: "\0".to_owned(),
        embeds: json!([{ "title": "a\0b" }]),
        ..message(&ticket)
    };
    assert!(db.messages().upsert(BOT, &odd).await.unwrap());
    assert_eq!(db.messages().upsert_swept(ticket.key, std::slice::from_ref(&odd)).await.unwrap(), 0);
    let stored = db.messages().list(ticket.key).await.unwrap().remove(0);
    assert_eq!(stored.content, "a\u{fffd}b");
    assert_eq!(stored.embeds, odd.embeds);
}
