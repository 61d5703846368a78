//! `/claim`: takes the ticket of the channel.

use futures_util::FutureExt;
use model::Level;
use twilight_model::application::{
    command::{Command as Spec, CommandType},
    interaction::InteractionContextType,
};
use twilight_util::builder::command::CommandBuilder;

use crate::{
    action::{Action, Invocation, Place},
    commands::Command,
    context::Context,
    error::CommandError,
    reply::Reply,
    text::text,
    tickets::{claim, find},
};

/// The command.
pub const COMMAND: Command = Command {
    action: Action {
        name: "claim",
        level: Level::Support,
        place: Place::Guild,
        defer: false,
        run: |cx, invocation| run(cx, invocation).boxed(),
    },
    spec,
    complete: None,
};

fn spec() -> Spec {
    CommandBuilder::new("claim", text("claim-description").to_string(), CommandType::ChatInput)
        .contexts([InteractionContextType::Guild])
        .build()
}

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::in_channel(cx, invocation).await?;
    claim::claim(cx, &ticket, invocation.actor.user, &invocation.cause(cx)).await?;
    Ok(Reply::text(&text("claim-done")))
}
