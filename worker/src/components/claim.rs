//! The claim button.

use futures_util::FutureExt;
use model::Level;

use crate::{
    action::{Action, Invocation, Place},
    context::Context,
    error::CommandError,
    reply::Reply,
    text::text,
    tickets::{claim, find},
};

/// *Claim*.
pub static CLAIM: Action = Action {
    name: "button:claim",
    level: Level::Support,
    place: Place::Guild,
    defer: false,
    run: |cx, invocation| run(cx, invocation).boxed(),
};

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let ticket = find::of_button(cx, invocation).await?;
    claim::claim(cx, &ticket, invocation.actor.user, &invocation.cause(cx)).await?;
    Ok(Reply::text(&text("claim-done")))
}
