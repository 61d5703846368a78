//! Reading the messages of a ticket's channel, to complete what was captured.

use common::discord;
use model::{CapturedMessage, Ticket};
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, MessageMarker},
};

use crate::{
    context::Context,
    interaction::Unreadable,
    tickets::{capture::Incoming, close::LEASE},
};

/// Discord's most messages per page.
pub const PAGE: usize = 100;

/// What a sweep came to.
pub enum Swept {
    /// Everything is captured, up to this message.
    Whole(Option<Id<MessageMarker>>),
    /// Another process has the closing.
    Lost,
    /// Discord does not let us read.
    Refused(discord::Error),
}

/// Reads all messages, newest first, and completes what was captured. The lease is renewed with each page.
///
/// # Errors
///
/// As the database fails.
pub async fn whole(cx: &Context, ticket: &mut Ticket, channel: Id<ChannelMarker>) -> Result<Swept, database::Error> {
    let mut found: Vec<Id<MessageMarker>> = Vec::new();
    loop {
        let before = found.last().map(|oldest| format!("&before={oldest}")).unwrap_or_default();
        let page = match page(cx, ticket, channel, &before).await {
            Ok(page) => page,
            Err(error) => return Ok(Swept::Refused(error)),
        };
        found.extend(&page.ids);
        found.sort_unstable_by(|a, b| b.cmp(a));
        cx.db.messages().upsert_swept(ticket.key, &page.messages).await?;
        if page.ids.len() < PAGE {
            break;
        }
        match cx.db.tickets().extend_lease(ticket, LEASE).await? {
            Some(leased) => *ticket = leased,
            None => return Ok(Swept::Lost),
        }
    }
    cx.db.messages().mark_missing(ticket.key, &found, cx.clock.now()).await?;
    Ok(Swept::Whole(found.first().copied()))
}

/// A page of messages, newest first.
pub struct Page {
    /// All of them.
    pub ids: Vec<Id<MessageMarker>>,
    /// Those that can be read.
    pub messages: Vec<CapturedMessage>,
}

/// Reads a page. `from` is "&before=…", "&after=…" or empty.
///
/// # Errors
///
/// As Discord refuses.
pub async fn page(
    cx: &Context,
    ticket: &Ticket,
    channel: Id<ChannelMarker>,
    from: &str,
) -> Result<Page, discord::Error> {
    // One by one: a message of a kind that nobody foresaw must not hide the others.
    let discord = cx.discord.in_bulk();
    let all: Vec<Value> = discord.get_json(&format!("channels/{channel}/messages?limit={PAGE}{from}")).await?;
    Ok(read(ticket, all))
}

fn read(ticket: &Ticket, all: Vec<Value>) -> Page {
    #[derive(Deserialize)]
    struct Named {
        id: Id<MessageMarker>,
    }

    let mut page = Page { ids: Vec::with_capacity(all.len()), messages: Vec::with_capacity(all.len()) };
    for message in all {
        let id = Named::deserialize(&message).map(|named| named.id);
        match serde_json::from_value::<Incoming>(message) {
            Ok(message) => page.messages.push(message.captured(ticket.key.guild)),
            Err(error) => {
                // The error's own text can quote the message.
                let (ticket, error) = (ticket.key, Unreadable::new(&error));
                warn!(ticket.id = %ticket, "a message of ticket {ticket} cannot be captured: {error}");
            }
        }
        page.ids.extend(id.ok());
    }
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn a_message_that_cannot_be_read_hides_no_other_and_is_not_taken_for_deleted() {
        let at = "2026-11-21T07:54:30+00:00";
        let message = |id: &str, author: Value| json!({"id": id, "channel_id": "6", "timestamp": at, "author": author});
        let ann = json!({"id": "7", "username": "ann", "global_name": null});
        let page =
            read(&testing::ticket(), vec![message("9", ann.clone()), message("8", json!("?")), message("7", ann)]);
        assert_eq!(page.ids, [Id::new(9), Id::new(8), Id::new(7)]);
        assert_eq!(page.messages.iter().map(|message| message.id).collect::<Vec<_>>(), [Id::new(9), Id::new(7)]);
    }
}
