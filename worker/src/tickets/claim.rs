//! Claiming a ticket: one member of staff takes care of it.

use common::discord;
use database::{Cause, ClaimOutcome};
use model::Ticket;
use tracing::{info, warn};
use twilight_model::{
    channel::message::AllowedMentions,
    id::{Id, marker::UserMarker},
};

use crate::{
    context::Context,
    error::CommandError,
    text::{Text, text},
    tickets::open::controls,
};

/// Gives the ticket to `user`, who asks for it by `cause`. Of two who race one gets it; who has it already keeps it.
///
/// # Errors
///
/// Refused when somebody else has it, or it is not open.
pub async fn claim(cx: &Context, ticket: &Ticket, user: Id<UserMarker>, cause: &Cause) -> Result<(), CommandError> {
    match cx.db.tickets().claim(ticket.key, user, cause).await? {
        ClaimOutcome::Claimed(ticket) => {
            info!(ticket.id = %ticket.key, "claimed ticket {}", ticket.key);
            let (told, shown) = tokio::join!(tell(cx, &ticket, user), show(cx, &ticket));
            log(&ticket, told);
            log(&ticket, shown);
            Ok(())
        }
        // The same click again, or another of theirs, perhaps after a crash: the button may still look unclaimed.
        ClaimOutcome::Repeated(ticket) => shown_again(cx, &ticket).await,
        ClaimOutcome::Taken(ticket) if ticket.claimed_by == Some(user) => shown_again(cx, &ticket).await,
        ClaimOutcome::Taken(ticket) => Err(taken(&ticket).into()),
        ClaimOutcome::NotOpen(_) => Err(text("refused-ticket-not-open").into()),
    }
}

async fn shown_again(cx: &Context, ticket: &Ticket) -> Result<(), CommandError> {
    log(ticket, show(cx, ticket).await);
    Ok(())
}

fn taken(ticket: &Ticket) -> Text {
    let by = ticket.claimed_by.map(|by| format!("<@{by}>"));
    text("claim-taken").with("by", by.unwrap_or_default())
}

/// Says in the channel who has it.
async fn tell(cx: &Context, ticket: &Ticket, user: Id<UserMarker>) -> Result<(), discord::Error> {
    let Some(channel) = ticket.channel else {
        return Ok(());
    };
    let content = text("claim-notice").with("by", format_args!("<@{user}>")).to_string();
    let request =
        cx.discord.requests().create_message(channel).content(&content).allowed_mentions(Some(const { &NOBODY }));
    cx.send(request).await
}

/// Takes the claim button out of use.
async fn show(cx: &Context, ticket: &Ticket) -> Result<(), discord::Error> {
    let (Some(channel), Some(message)) = (ticket.channel, ticket.welcome_message) else {
        return Ok(());
    };
    let components = [controls(ticket.key.number, true)];
    let request = cx.discord.requests().update_message(channel, message).components(Some(&components));
    cx.send(request).await
}

const NOBODY: AllowedMentions =
    AllowedMentions { parse: Vec::new(), replied_user: false, roles: Vec::new(), users: Vec::new() };

/// The claim holds whether or not it can be shown.
fn log(ticket: &Ticket, shown: Result<(), discord::Error>) {
    if let Err(error) = shown {
        let id = ticket.key;
        warn!(ticket.id = %id, "the claim of ticket {id} is not shown: {error}");
    }
}
