//! `/open [subject]`: opens a ticket without a panel.

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
    limits::SUBJECT,
    reply::Reply,
    text::text,
    tickets::open::{self, Opening},
};

const SUBJECT_OPTION: &str = "subject";

/// The command.
pub const COMMAND: Command = Command {
    action: Action {
        name: "open",
        level: Level::Everyone,
        place: Place::Guild,
        defer: false,
        run: |cx, invocation| run(cx, invocation).boxed(),
    },
    spec,
    complete: None,
};

fn spec() -> Spec {
    CommandBuilder::new("open", text("open-description").to_string(), CommandType::ChatInput)
        .contexts([InteractionContextType::Guild])
        .option(StringBuilder::new(SUBJECT_OPTION, text("open-subject-description").to_string()).max_length(SUBJECT))
        .build()
}

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let scope = invocation.scope()?;
    // A panel stands only where /setup ran; the command is offered everywhere.
    if scope.settings.staff_role.is_none() {
        return Err(text("open-not-set-up").into());
    }
    let opening = Opening {
        guild: scope.guild,
        opener: invocation.actor.user,
        panel: None,
        subject: invocation.interaction.option(SUBJECT_OPTION).map(str::to_owned),
        interaction: invocation.interaction.id,
        app_permissions: invocation.interaction.app_permissions,
    };
    let ticket = open::open(cx, &scope.settings, &opening).await?;
    open::reply(&ticket)
}
