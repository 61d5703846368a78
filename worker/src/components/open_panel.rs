//! The button of a panel: opens a ticket.

use futures_util::FutureExt;
use model::{CustomId, Level};

use crate::{
    action::{Action, Invocation, Place},
    context::Context,
    error::CommandError,
    reply::Reply,
    text::text,
    tickets::open::{self, Opening},
};

/// *Open ticket*.
pub static OPEN: Action = Action {
    name: "button:open",
    level: Level::Everyone,
    place: Place::Guild,
    defer: false,
    run: |cx, invocation| run(cx, invocation).boxed(),
};

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let scope = invocation.scope()?;
    let Some(CustomId::Open(panel)) = invocation.custom_id else {
        return Err(text("refused-button-unknown").into());
    };
    let opening = Opening {
        guild: scope.guild,
        opener: invocation.actor.user,
        panel: Some(panel),
        subject: None,
        interaction: invocation.interaction.id,
        app_permissions: invocation.interaction.app_permissions,
    };
    let ticket = open::open(cx, &scope.settings, &opening).await?;
    open::reply(&ticket)
}
