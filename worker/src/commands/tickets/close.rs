//! `/close [reason]`: closes the ticket of the channel.

use futures_util::FutureExt;
use model::Level;
use twilight_model::application::{
    command::{Command as Spec, CommandType},
    interaction::InteractionContextType,
};
use twilight_util::builder::command::{CommandBuilder, StringBuilder};

use crate::{
    action::{Action, Invocation, Place},
    commands::Command,
    context::Context,
    error::CommandError,
    limits::REASON,
    reply::{MAX_CHOICE, Reply},
    text::text,
    tickets::{close, find},
};

const REASON_OPTION: &str = "reason";

/// The command.
pub const COMMAND: Command = Command {
    action: Action {
        name: "close",
        level: Level::Everyone,
        place: Place::Guild,
        defer: false,
        run: |cx, invocation| run(cx, invocation).boxed(),
    },
    spec,
    complete: Some(|cx, invocation| complete(cx, invocation).boxed()),
};

fn spec() -> Spec {
    CommandBuilder::new("close", text("close-description").to_string(), CommandType::ChatInput)
        .contexts([InteractionContextType::Guild])
        .option(
            StringBuilder::new(REASON_OPTION, text("close-reason-description").to_string())
                .autocomplete(true)
                .max_length(REASON),
        )
        .build()
}

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::in_channel(cx, invocation).await?;
    let reason = invocation.interaction.option(REASON_OPTION);
    close::close(cx, invocation.actor, &ticket, reason, &invocation.cause(cx)).await?;
    Ok(Reply::text(&text("close-begun")))
}

/// Suggests frequent reasons to the staff: with what words other members' tickets were closed is not for openers.
async fn complete(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let scope = invocation.scope()?;
    if invocation.actor.level < Level::Support {
        return Ok(Reply::Choices(Vec::new()));
    }
    find::in_channel(cx, invocation).await?;
    let typed = invocation.interaction.focused().map_or("", |(_, typed)| typed);
    let mut reasons = cx.db.tickets().close_reasons(scope.guild, typed).await?;
    // A longer one could only be suggested cut, and would be stored so.
    reasons.retain(|reason| reason.chars().count() <= MAX_CHOICE);
    Ok(Reply::Choices(reasons))
}
