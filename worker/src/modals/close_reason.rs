//! The form that asks why a ticket is closed.

use futures_util::FutureExt;
use model::{CustomId, Level, TicketNumber};
use twilight_model::channel::message::{
    Component,
    component::{Label, TextInput, TextInputStyle},
};

use crate::{
    action::{Action, Invocation, Place},
    context::Context,
    error::CommandError,
    limits::REASON,
    reply::{Modal, Reply},
    text::text,
    tickets::{close, find},
};

const REASON_FIELD: &str = "reason";

/// The form, filled in: closes with that reason.
pub static CLOSE_FORM: Action = Action {
    name: "form:close-form",
    level: Level::Everyone,
    place: Place::Guild,
    defer: false,
    run: |cx, invocation| run(cx, invocation).boxed(),
};

/// The form for a ticket.
#[must_use]
pub fn form(number: TicketNumber) -> Modal {
    Modal {
        custom_id: CustomId::CloseForm(number).to_string(),
        title: text("close-form-title").to_string(),
        components: vec![Component::Label(Label {
            id: None,
            label: text("close-form-label").to_string(),
            description: None,
            component: Box::new(Component::TextInput(text_input())),
        })],
    }
}

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::of_button(cx, invocation).await?;
    let reason = invocation.interaction.field(REASON_FIELD);
    close::close(cx, invocation.actor, &ticket, reason, &invocation.cause(cx)).await?;
    // The form was opened from the private question, which this replaces.
    Ok(Reply::update(&text("close-begun")))
}

#[expect(deprecated, reason = "the field must be named to build the struct; under a label it stays empty")]
fn text_input() -> TextInput {
    TextInput {
        custom_id: REASON_FIELD.to_owned(),
        id: None,
        label: None,
        max_length: Some(REASON),
        min_length: Some(1),
        placeholder: Some(text("close-form-placeholder").to_string()),
        required: Some(true),
        style: TextInputStyle::Paragraph,
        value: None,
    }
}
