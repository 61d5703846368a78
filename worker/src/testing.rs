//! Values that unit tests of several modules share.

use model::{CapturedMessage, Ticket, TicketKey, TicketNumber, TicketState};
use serde_json::Value;
use time::macros::datetime;
use twilight_model::id::Id;
use uuid::Uuid;

/// Ticket 42 of guild 5, opened by 7 with bot 1, in channel 6.
pub(crate) fn ticket() -> Ticket {
    Ticket {
        key: TicketKey { guild: Id::new(5), number: TicketNumber(42) },
        version: 1,
        bot: Id::new(1),
        panel: None,
        opener: Id::new(7),
        subject: None,
        state: TicketState::Open,
        nonce: Uuid::from_u128(0x1234),
        channel: Some(Id::new(6)),
        welcome_message: Some(Id::new(12)),
        claimed_by: None,
        opened_at: datetime!(2026-11-21 11:00:00 UTC),
        close_step: None,
        closed_by: None,
        close_reason: None,
        closed_at: None,
        leased_until: None,
    }
}

/// A message of the opener in that ticket.
pub(crate) fn message(id: u64, content: &str) -> CapturedMessage {
    CapturedMessage {
        guild: Id::new(5),
        channel: Id::new(6),
        id: Id::new(id),
        author: Id::new(7),
        author_name: "Ann".to_owned(),
        author_is_bot: false,
        content: content.to_owned(),
        attachments: Vec::new(),
        embeds: Value::Null,
        reply_to: None,
        sent_at: datetime!(2026-11-21 12:00:00 UTC),
        edited_at: None,
        deleted_at: None,
    }
}
