//! The staff role and the channels of a guild's tickets.

use std::collections::HashSet;

use model::GuildSettings;
use serde::Deserialize;
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    http::permission_overwrite as outgoing,
    id::{
        Id,
        marker::{ChannelMarker, GenericMarker, GuildMarker, RoleMarker},
    },
};

use super::{
    Broken,
    made::{Origin, Thing},
};
use crate::{context::Context, text::text, tickets::channel};

/// What the staff may do in the transcript channel: the notices there are the bot's alone.
const READER: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);

/// What the guild has.
pub(super) struct There {
    roles: HashSet<Id<RoleMarker>>,
    channels: HashSet<Id<ChannelMarker>>,
}

impl There {
    pub(super) async fn ask(cx: &Context, guild: Id<GuildMarker>) -> Result<Self, Broken> {
        let (roles_path, channels_path) = (format!("guilds/{guild}/roles"), format!("guilds/{guild}/channels"));
        let (roles, channels) = tokio::try_join!(
            cx.discord.get_json::<Vec<Listed>>(&roles_path),
            cx.discord.get_json::<Vec<Listed>>(&channels_path),
        )?;
        Ok(There {
            roles: roles.into_iter().map(|role| role.id.cast()).collect(),
            channels: channels.into_iter().map(|channel| channel.id.cast()).collect(),
        })
    }
}

#[derive(Deserialize)]
struct Listed {
    id: Id<GenericMarker>,
}

/// The role of the support staff. One that merely has the right name is not taken: its members were never asked.
pub(super) async fn staff_role(
    cx: &Context,
    settings: &GuildSettings,
    there: &There,
) -> Result<Thing<RoleMarker>, Broken> {
    if let Some(role) = settings.staff_role.filter(|role| there.roles.contains(role)) {
        return Ok(Thing::reused(role));
    }
    let name = text("staff-role-name").to_string();
    let discord = cx.discord.requests();
    let request = discord.create_role(settings.guild).name(&name).permissions(Permissions::empty()).mentionable(false);
    let role = cx.create(request).await?;
    cx.db.settings().set_staff_role(settings.guild, Some(role)).await?;
    Ok(Thing::made(role))
}

/// The private category of tickets.
pub(super) async fn category(
    cx: &Context,
    settings: &GuildSettings,
    there: &There,
    role: &Thing<RoleMarker>,
) -> Result<Thing<ChannelMarker>, Broken> {
    if let Some(category) = settings.category.filter(|id| there.channels.contains(id)) {
        let_in(cx, category, role, channel::STAFF).await?;
        return Ok(Thing::reused(category));
    }
    let name = text("category-name").to_string();
    let overwrites = private(cx, settings.guild, role.id, channel::STAFF);
    let request = cx
        .discord
        .requests()
        .create_guild_channel(settings.guild, &name)
        .kind(ChannelType::GuildCategory)
        .permission_overwrites(&overwrites);
    let category = cx.create(request).await?;
    cx.db.settings().set_category(settings.guild, Some(category)).await?;
    Ok(Thing::made(category))
}

/// The channel of notices and transcripts.
pub(super) async fn transcripts(
    cx: &Context,
    settings: &GuildSettings,
    there: &There,
    role: &Thing<RoleMarker>,
    category: &Thing<ChannelMarker>,
) -> Result<Thing<ChannelMarker>, Broken> {
    if let Some(channel) = settings.transcript_channel.filter(|id| there.channels.contains(id)) {
        let_in(cx, channel, role, READER).await?;
        return Ok(Thing::reused(channel));
    }
    let name = text("transcript-channel-name").to_string();
    let topic = text("transcript-channel-topic").to_string();
    let overwrites = private(cx, settings.guild, role.id, READER);
    let request = cx
        .discord
        .requests()
        .create_guild_channel(settings.guild, &name)
        .kind(ChannelType::GuildText)
        .parent_id(category.id)
        .topic(&topic)
        .permission_overwrites(&overwrites);
    let channel = cx.create(request).await?;
    cx.db.settings().set_transcript_channel(settings.guild, Some(channel)).await?;
    Ok(Thing::made(channel))
}

fn private(
    cx: &Context,
    guild: Id<GuildMarker>,
    staff: Id<RoleMarker>,
    staff_may: Permissions,
) -> Vec<PermissionOverwrite> {
    let mut overwrites = channel::hidden(guild, cx.bot_user());
    overwrites.push(channel::allow(PermissionOverwriteType::Role, staff.cast(), staff_may));
    overwrites
}

/// Lets a new staff role into a channel that is older than the role.
async fn let_in(
    cx: &Context,
    channel: Id<ChannelMarker>,
    role: &Thing<RoleMarker>,
    may: Permissions,
) -> Result<(), Broken> {
    if role.origin == Origin::Reused {
        return Ok(());
    }
    let overwrite = outgoing::PermissionOverwrite {
        id: role.id.cast(),
        kind: outgoing::PermissionOverwriteType::Role,
        allow: Some(may),
        deny: Some(Permissions::empty()),
    };
    let request = cx.discord.requests().update_channel_permission(channel, &overwrite);
    Ok(cx.send(request).await?)
}
