//! `/setup`: a staff role, a private category, a transcript channel and a working panel.
//!
//! The id of each is stored as soon as it exists, and what is stored and still there is used again. What was made and
//! could not be stored, because Discord's answer was lost or the process died, is known by its looks: the next run
//! takes it where it is younger than the run that broke off. So a run that broke off is finished by the next one, and
//! a second run makes nothing twice.

mod made;
mod panel;
mod preset;
mod rooms;

pub use self::{
    made::{Done, Origin},
    preset::Preset,
};

use std::time::Duration;

use common::discord;
use database::SetupTurn;
use tokio::time::timeout;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, InteractionMarker},
    },
};

use self::made::Thing;
use crate::{
    context::Context,
    error::{CommandError, missing_permissions},
    refused::{Failure, failure},
    text::text,
};

/// For how long one run alone works on a guild; longer than [`MAKING`].
const LEASE: Duration = Duration::from_secs(60);

/// For how long it tries.
const MAKING: Duration = Duration::from_secs(50);

/// A setup that somebody asks for.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The guild that Discord signed the command for.
    pub guild: Id<GuildMarker>,
    /// Where the panel goes.
    pub channel: Id<ChannelMarker>,
    /// Which panel.
    pub preset: Preset,
    /// The click: delivered again, it goes on where it broke off.
    pub interaction: Id<InteractionMarker>,
    /// What the bot may do where the command was used, to name what is missing.
    pub app_permissions: Option<Permissions>,
}

/// Why a step broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Discord(#[from] discord::Error),
    #[error(transparent)]
    Cache(#[from] cache::client::Error),
    #[error(transparent)]
    Database(#[from] database::Error),
}

impl Broken {
    /// What Discord said.
    fn discord(&self) -> Option<&discord::Error> {
        match self {
            Broken::Discord(error) => Some(error),
            Broken::Cache(error) => Some(error.discord()),
            Broken::Database(_) => None,
        }
    }

    /// Whether Discord does not have what the cache has: somebody deleted it a moment ago.
    fn is_of_yesterday(&self) -> bool {
        let missing = |error| matches!(failure(error), Failure::Gone | Failure::Category | Failure::Overwrite);
        self.discord().is_some_and(missing)
    }
}

/// The turn at a guild's setup.
#[derive(Clone, Copy)]
struct Turn {
    /// What runs before this one made and could not store is younger than this.
    since: Id<InteractionMarker>,
    /// There was none.
    fresh: bool,
}

/// Makes or reuses everything. A click that did so and comes again makes nothing, whatever was deleted since.
///
/// # Errors
///
/// Refused while another run works on the guild, and where Discord refuses, with the permission that is missing.
pub async fn set_up(cx: &Context, setup: &Setup) -> Result<Done, CommandError> {
    let Setup { guild, interaction, .. } = *setup;
    // Two runs in one guild would both make what both miss.
    let turn = match cx.db.settings().begin_setup(guild, cx.bot, interaction, LEASE).await? {
        SetupTurn::Begun { since, fresh } => Turn { since, fresh },
        SetupTurn::Repeated => return remembered(cx, setup).await,
        SetupTurn::Taken => return Err(text("setup-running").into()),
    };
    let overdue = discord::Error::Deadline { route: "the setup of a guild".to_owned(), sent: true };
    let outcome = timeout(MAKING, make(cx, setup, turn)).await.unwrap_or(Err(overdue.into()));
    if let Err(error) = cx.db.settings().end_setup(guild, cx.bot, interaction, outcome.is_ok()).await {
        tracing::warn!(
            "the setup of guild {guild} keeps its turn until its lease ends: {:#}",
            anyhow::Error::from(error)
        );
    }
    let broken = match outcome {
        Ok(done) => return Ok(done),
        Err(Broken::Database(error)) => return Err(error.into()),
        Err(broken) => broken,
    };
    match broken.discord().map(failure) {
        Some(Failure::Forbidden) => Err(missing_permissions(setup.app_permissions).into()),
        Some(Failure::GuildFull) => Err(text("setup-guild-full").into()),
        Some(Failure::Later) => {
            tracing::warn!("the setup of guild {guild} broke off: {broken}");
            Err(text("setup-later").into())
        }
        _ => Err(CommandError::Internal(broken.into())),
    }
}

async fn make(cx: &Context, setup: &Setup, turn: Turn) -> Result<Done, Broken> {
    match steps(cx, setup, turn).await {
        Err(broken) if turn.fresh && broken.is_of_yesterday() => {
            tracing::info!("the cache was a moment behind guild {}: {broken}", setup.guild);
            steps(cx, setup, Turn { fresh: false, ..turn }).await
        }
        done => done,
    }
}

/// What the same click made or found before, as far as it is still known.
async fn remembered(cx: &Context, setup: &Setup) -> Result<Done, CommandError> {
    let Setup { guild, channel, preset, .. } = *setup;
    let settings = cx.db.settings().by_guild(guild).await?;
    let panels = cx.db.panels().list(guild).await?;
    let title = preset.title().to_string();
    let panel = panels.into_iter().find(|panel| panel.channel == channel && panel.title == title);
    let known =
        (settings.staff_role, settings.category, settings.transcript_channel, panel.and_then(|found| found.message));
    let (Some(role), Some(category), Some(transcripts), Some(panel)) = known else {
        return Err(text("setup-changed-since").into());
    };
    Ok(Done {
        role: Thing::reused(role),
        category: Thing::reused(category),
        transcripts: Thing::reused(transcripts),
        panel: Thing::reused(panel),
        channel,
    })
}

async fn steps(cx: &Context, setup: &Setup, turn: Turn) -> Result<Done, Broken> {
    let Setup { guild, channel, preset, .. } = *setup;
    // Read in our turn: another run may just have stored its ids.
    let settings = cx.db.settings().by_guild(guild).await?;
    let there = rooms::There::ask(cx, &settings, turn).await?;
    let role = rooms::staff_role(cx, &settings, &there).await?;
    let category = rooms::category(cx, &settings, &there, role.id).await?;
    let transcripts = rooms::transcripts(cx, &settings, &there, role.id, category.id).await?;
    let panel = panel::post(cx, guild, channel, preset).await?;
    Ok(Done { role, category, transcripts, panel, channel })
}
