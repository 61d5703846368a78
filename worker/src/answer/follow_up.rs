//! Answers after "the answer comes later".

use std::time::Duration;

use common::discord;
use serde::Deserialize;
use tokio::time::sleep;
use tracing::info;
use twilight_model::channel::message::{AllowedMentions, MessageFlags};

use crate::{
    context::Context,
    interaction::Interaction,
    refused::{Failure, failure},
    reply::{Message, Reply},
    text::text,
};

/// "The answer comes later" goes to Discord through http-gateway, and what it announces may overtake it: Discord then knows
/// of no answer yet. So often, after so long, it is asked again; with a token that expired this costs four requests.
const PAUSES: &[Duration] = &[Duration::from_millis(200), Duration::from_millis(500), Duration::from_millis(1_500)];

/// Puts the reply in the place of "the answer comes later".
///
/// # Errors
///
/// As Discord refuses; an answer that nobody can get any more is only logged.
pub(super) async fn finish(cx: &Context, interaction: &Interaction, reply: Reply) -> Result<(), discord::Error> {
    let message = match reply {
        Reply::Message(message) | Reply::Update(message) => message,
        // A form can only be the first answer.
        Reply::Modal(_) => Message::text(&text("late-press-again")),
        Reply::Choices(_) => return Ok(()),
    };
    let mut pauses = PAUSES.iter();
    loop {
        let error = match edit(cx, interaction, &message).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match (failure(&error), pauses.next()) {
            (Failure::Unanswered | Failure::Gone, Some(pause)) => sleep(*pause).await,
            _ if is_over(&error) => {
                info!(interaction.id = %interaction.id, "interaction {} expired", interaction.id);
                return Ok(());
            }
            _ => return Err(error),
        }
    }
}

async fn edit(cx: &Context, interaction: &Interaction, message: &Message) -> Result<(), discord::Error> {
    let mentions = AllowedMentions::default();
    let client = cx.discord.requests().interaction(cx.bot);
    let request = client
        .update_response(&interaction.token)
        .content(Some(&message.content))
        .embeds(Some(&message.embeds))
        .components(Some(&message.components))
        .allowed_mentions(Some(&mentions));
    cx.send(request).await
}

/// Whether "the answer comes later" still stands there.
pub(super) async fn is_waiting(cx: &Context, interaction: &Interaction) -> Result<bool, discord::Error> {
    #[derive(Deserialize)]
    struct Original {
        #[serde(default)]
        flags: u64,
    }
    let path = format!("webhooks/{}/{}/messages/@original", cx.bot, interaction.token);
    match cx.discord.get_json::<Original>(&path).await {
        Ok(original) => Ok(original.flags & MessageFlags::LOADING.bits() != 0),
        Err(error) if is_over(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether nobody can answer any more.
pub(super) fn is_over(error: &discord::Error) -> bool {
    matches!(failure(error), Failure::Expired | Failure::Unanswered | Failure::Gone)
}
