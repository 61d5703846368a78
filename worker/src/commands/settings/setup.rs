//! `/setup [preset]`: makes all that a guild needs for its first ticket, or reuses what is there.

use futures_util::FutureExt;
use model::Level;
use twilight_model::{
    application::{
        command::{Command as Spec, CommandType},
        interaction::InteractionContextType,
    },
    guild::Permissions,
};
use twilight_util::builder::command::{CommandBuilder, StringBuilder};

use crate::{
    action::{Action, Invocation, Place},
    commands::Command,
    context::Context,
    error::CommandError,
    reply::Reply,
    setup::{self, Preset, Setup},
    text::text,
};

const PRESET_OPTION: &str = "preset";

/// The command.
pub const COMMAND: Command = Command {
    action: Action {
        name: "setup",
        level: Level::Admin,
        place: Place::Guild,
        // Up to eight calls to Discord.
        defer: true,
        run: |cx, invocation| run(cx, invocation).boxed(),
    },
    spec,
    complete: None,
};

fn spec() -> Spec {
    let presets = Preset::ALL.map(|preset| (preset.label().to_string(), preset.as_str()));
    CommandBuilder::new("setup", text("setup-description").to_string(), CommandType::ChatInput)
        .contexts([InteractionContextType::Guild])
        .default_member_permissions(Permissions::ADMINISTRATOR)
        .option(StringBuilder::new(PRESET_OPTION, text("setup-preset-description").to_string()).choices(presets))
        .build()
}

async fn run(cx: &Context, invocation: &Invocation<'_>) -> Result<Reply, CommandError> {
    let scope = invocation.scope()?;
    let channel = invocation.channel()?;
    let preset = match invocation.interaction.option(PRESET_OPTION) {
        None => Preset::Support,
        Some(name) => Preset::parse(name).ok_or_else(|| text("setup-preset-unknown"))?,
    };
    let setup = Setup {
        guild: scope.guild,
        channel,
        preset,
        interaction: invocation.interaction.id,
        app_permissions: invocation.interaction.app_permissions,
    };
    let done = setup::set_up(cx, &setup).await?;
    Ok(Reply::Message(done.message()))
}
