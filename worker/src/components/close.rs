//! The close button, and the question that it asks.

use futures_util::FutureExt;
use model::{CustomId, Level, Ticket, TicketNumber};
use twilight_model::channel::message::component::ButtonStyle;

use crate::{
    action::{Action, Invocation, Place},
    context::Context,
    error::CommandError,
    modals::close_reason,
    reply::{Message, Reply, button, row},
    text::text,
    tickets::{close, find},
};

/// *Close*: asks for confirmation.
pub static CLOSE: Action = Action {
    name: "button:close",
    level: Level::Everyone,
    place: Place::Guild,
    defer: false,
    run: |cx, invocation| ask(cx, invocation).boxed(),
};

/// *Close ticket*: closes.
pub static CLOSE_YES: Action = Action {
    name: "button:close-yes",
    level: Level::Everyone,
    place: Place::Guild,
    defer: false,
    run: |cx, invocation| yes(cx, invocation).boxed(),
};

/// *Cancel*: leaves the ticket open.
pub static CLOSE_NO: Action = Action {
    name: "button:close-no",
    level: Level::Everyone,
    place: Place::Guild,
    defer: false,
    run: |_, _| async { Ok(Reply::update(&text("close-cancelled"))) }.boxed(),
};

/// *Close with reason*: shows the form that asks for it.
pub static CLOSE_REASON: Action = Action {
    name: "button:close-reason",
    level: Level::Everyone,
    place: Place::Guild,
    defer: false,
    run: |cx, invocation| reason(cx, invocation).boxed(),
};

async fn ask(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::of_button(cx, invocation).await?;
    close::may_close(invocation.actor, &ticket)?;
    close::must_be_open(&ticket)?;
    Ok(Reply::Message(question(&ticket)))
}

async fn yes(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::of_button(cx, invocation).await?;
    close::close(cx, invocation.actor, &ticket, None, &invocation.cause(cx)).await?;
    Ok(Reply::update(&text("close-begun")))
}

async fn reason(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::of_button(cx, invocation).await?;
    close::may_close(invocation.actor, &ticket)?;
    close::must_be_open(&ticket)?;
    Ok(Reply::Modal(close_reason::form(ticket.key.number)))
}

fn question(ticket: &Ticket) -> Message {
    let number: TicketNumber = ticket.key.number;
    Message {
        components: vec![row(vec![
            button(ButtonStyle::Danger, &text("close-yes-label"), CustomId::CloseYes(number), false),
            button(ButtonStyle::Secondary, &text("close-with-reason-label"), CustomId::CloseReason(number), false),
            button(ButtonStyle::Secondary, &text("close-no-label"), CustomId::CloseNo, false),
        ])],
        ..Message::text(&text("close-question"))
    }
}
