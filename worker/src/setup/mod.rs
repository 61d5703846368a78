//! `/setup`: a staff role, a private category, a transcript channel and a working panel.
//!
//! The id of each is stored as soon as it exists, and what is stored and still there is used again. So a run that broke
//! off is finished by the next one, and a second run makes nothing twice.

mod made;
mod panel;
mod preset;
mod rooms;

pub use self::{
    made::{Done, Origin},
    preset::Preset,
};

use common::discord;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker},
    },
};

use crate::{
    context::Context,
    error::{CommandError, missing_permissions},
    refused::{Failure, failure},
    text::text,
};

/// Why a step broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Discord(#[from] discord::Error),
    #[error(transparent)]
    Database(#[from] database::Error),
}

/// Makes or reuses everything, with the panel in `channel`.
///
/// # Errors
///
/// Refused where Discord refuses, with the permission that is missing.
pub async fn set_up(
    cx: &Context,
    guild: Id<GuildMarker>,
    channel: Id<ChannelMarker>,
    preset: Preset,
    app_permissions: Option<Permissions>,
) -> Result<Done, CommandError> {
    // Two runs in one guild would both make what both miss. The key is never kept: taking it in a transaction that is
    // undone makes the other run wait until this one ends, or its connection does.
    let mut turn = cx.db.begin().await?;
    turn.inbox().take(cx.bot, &format!("setup:{guild}")).await?;
    let outcome = steps(cx, guild, channel, preset).await;
    turn.rollback().await?;
    match outcome {
        Ok(done) => Ok(done),
        Err(Broken::Database(error)) => Err(error.into()),
        Err(Broken::Discord(error)) => match failure(&error) {
            Failure::Forbidden => Err(missing_permissions(app_permissions).into()),
            Failure::GuildFull => Err(text("setup-guild-full").into()),
            Failure::Later => {
                tracing::warn!("the setup of guild {guild} broke off: {error}");
                Err(text("setup-later").into())
            }
            _ => Err(CommandError::Internal(error.into())),
        },
    }
}

async fn steps(
    cx: &Context,
    guild: Id<GuildMarker>,
    channel: Id<ChannelMarker>,
    preset: Preset,
) -> Result<Done, Broken> {
    // Read behind the lock: another run may just have stored its ids.
    let settings = cx.db.settings().by_guild(guild).await?;
    let there = rooms::There::ask(cx, guild).await?;
    let role = rooms::staff_role(cx, &settings, &there).await?;
    let category = rooms::category(cx, &settings, &there, &role).await?;
    let transcripts = rooms::transcripts(cx, &settings, &there, &role, &category).await?;
    let panel = panel::post(cx, guild, channel, preset).await?;
    Ok(Done { role, category, transcripts, panel, channel })
}
