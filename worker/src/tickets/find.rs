//! The ticket that an interaction is about.

use model::{CustomId, Ticket, TicketKey, TicketNumber};

use crate::{action::Invocation, context::Context, error::CommandError, text::text};

/// The ticket of the channel that a command was used in.
///
/// # Errors
///
/// Refused where the channel is no ticket's.
pub async fn in_channel(cx: &Context, invocation: &Invocation<'_>) -> Result<Ticket, CommandError> {
    let guild = invocation.scope()?.guild;
    let channel = invocation.channel()?;
    let ticket = cx.db.tickets().by_channel(guild, channel).await?;
    ours(cx, ticket).ok_or_else(|| text("refused-not-a-ticket").into())
}

/// The ticket that a button or form names by its number: of the guild that Discord signed, and only in its own channel.
///
/// # Errors
///
/// Refused where the guild has no such ticket, or it is another channel's.
pub async fn of_button(cx: &Context, invocation: &Invocation<'_>) -> Result<Ticket, CommandError> {
    let guild = invocation.scope()?.guild;
    let channel = invocation.channel()?;
    let number = invocation.custom_id.and_then(number).ok_or_else(|| text("refused-button-unknown"))?;
    let ticket = cx.db.tickets().by_number(TicketKey { guild, number }).await?;
    ours(cx, ticket)
        .filter(|ticket| ticket.channel == Some(channel))
        .ok_or_else(|| text("refused-button-elsewhere").into())
}

fn ours(cx: &Context, ticket: Option<Ticket>) -> Option<Ticket> {
    ticket.filter(|ticket| ticket.bot == cx.bot)
}

fn number(id: CustomId) -> Option<TicketNumber> {
    match id {
        CustomId::Close(number)
        | CustomId::CloseYes(number)
        | CustomId::CloseReason(number)
        | CustomId::CloseForm(number)
        | CustomId::Claim(number) => Some(number),
        CustomId::Open(_) | CustomId::CloseNo => None,
    }
}
