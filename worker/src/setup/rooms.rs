//! The staff role and the channels of a guild's tickets.

use cache::entity::{Channel, Overwrite, Role};
use model::GuildSettings;
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    http::permission_overwrite as outgoing,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, InteractionMarker, RoleMarker},
    },
};

use super::{Broken, Turn, made::Thing};
use crate::{context::Context, text::text, tickets::channel};

/// What the staff may do in the transcript channel: the notices there are the bot's alone.
const READER: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);

/// What the guild has.
pub(super) struct There {
    roles: Vec<Role>,
    channels: Vec<Channel>,
    /// The oldest setup that may have made what was not stored.
    since: Id<InteractionMarker>,
}

impl There {
    /// What the cache says is enough where no run broke off and all that is stored is there. Else only Discord itself is sure to
    /// know what was made, or deleted, a moment ago.
    pub(super) async fn ask(cx: &Context, settings: &GuildSettings, turn: Turn) -> Result<Self, Broken> {
        if turn.fresh
            && let Some(there) = Self::cached(cx, settings.guild, turn.since).await?
            && there.has_all(settings)
        {
            return Ok(there);
        }
        Self::now(cx, settings.guild, turn.since).await
    }

    /// As Discord says.
    pub(super) async fn now(
        cx: &Context,
        guild: Id<GuildMarker>,
        since: Id<InteractionMarker>,
    ) -> Result<Self, Broken> {
        let (roles, channels) = (format!("guilds/{guild}/roles"), format!("guilds/{guild}/channels"));
        let (roles, channels) = tokio::try_join!(cx.discord.get_json(&roles), cx.discord.get_json(&channels))?;
        Ok(There { roles, channels, since })
    }

    async fn cached(
        cx: &Context,
        guild: Id<GuildMarker>,
        since: Id<InteractionMarker>,
    ) -> Result<Option<Self>, Broken> {
        let (roles, channels) = tokio::try_join!(cx.cache.roles(guild), cx.cache.channels(guild))?;
        Ok(roles.zip(channels).map(|(roles, channels)| There { roles, channels, since }))
    }

    fn has_all(&self, settings: &GuildSettings) -> bool {
        let has = |stored: Option<Id<ChannelMarker>>| stored.is_none() || self.channel(stored).is_some();
        settings.staff_role.is_none_or(|stored| self.roles.iter().any(|role| role.id == stored))
            && has(settings.category)
            && has(settings.transcript_channel)
    }

    fn channel(&self, stored: Option<Id<ChannelMarker>>) -> Option<&Channel> {
        self.channels.iter().find(|channel| Some(channel.id) == stored)
    }

    /// The role that a run made and could not store. One that merely has the right name is not taken: its members
    /// were never asked.
    fn unstored_role(&self, name: &str) -> Option<&Role> {
        let ours = |role: &&Role| {
            self.is_young(role.id)
                && *role.name == *name
                && role.permissions.is_empty()
                && !role.managed
                && !role.mentionable
        };
        self.roles.iter().filter(ours).min_by_key(|role| role.id)
    }

    /// The channel that a run made and could not store: nobody else gives a channel these overwrites.
    fn unstored_channel(&self, kind: ChannelType, name: &str, overwrites: &[PermissionOverwrite]) -> Option<&Channel> {
        let ours = |channel: &&Channel| {
            self.is_young(channel.id)
                && channel.kind == u8::from(kind)
                && *channel.name == *name
                && overwrites.iter().all(|overwrite| channel.permission_overwrites.contains(&as_cached(overwrite)))
        };
        self.channels.iter().filter(ours).min_by_key(|channel| channel.id)
    }

    /// Whether the setup that broke off may have made it: Discord counts all ids by time.
    fn is_young<M>(&self, id: Id<M>) -> bool {
        id.get() > self.since.get()
    }
}

/// The role of the support staff.
pub(super) async fn staff_role(
    cx: &Context,
    settings: &GuildSettings,
    there: &There,
) -> Result<Thing<RoleMarker>, Broken> {
    if let Some(role) = settings.staff_role.filter(|stored| there.roles.iter().any(|role| role.id == *stored)) {
        return Ok(Thing::reused(role));
    }
    let name = text("staff-role-name").to_string();
    let role = match there.unstored_role(&name) {
        Some(role) => Thing::reused(role.id),
        None => {
            let discord = cx.discord.requests();
            let request =
                discord.create_role(settings.guild).name(&name).permissions(Permissions::empty()).mentionable(false);
            Thing::made(cx.create(request).await?)
        }
    };
    cx.db.settings().set_staff_role(settings.guild, Some(role.id)).await?;
    Ok(role)
}

/// The private category of tickets.
pub(super) async fn category(
    cx: &Context,
    settings: &GuildSettings,
    there: &There,
    role: Id<RoleMarker>,
) -> Result<Thing<ChannelMarker>, Broken> {
    if let Some(category) = there.channel(settings.category) {
        let_in(cx, category, role, channel::STAFF).await?;
        return Ok(Thing::reused(category.id));
    }
    let name = text("category-name").to_string();
    let overwrites = private(cx, settings.guild, role, channel::STAFF);
    let category = match there.unstored_channel(ChannelType::GuildCategory, &name, &overwrites) {
        Some(category) => Thing::reused(category.id),
        None => {
            let request = cx
                .discord
                .requests()
                .create_guild_channel(settings.guild, &name)
                .kind(ChannelType::GuildCategory)
                .permission_overwrites(&overwrites);
            Thing::made(cx.create(request).await?)
        }
    };
    cx.db.settings().set_category(settings.guild, Some(category.id)).await?;
    Ok(category)
}

/// The channel of notices and transcripts.
pub(super) async fn transcripts(
    cx: &Context,
    settings: &GuildSettings,
    there: &There,
    role: Id<RoleMarker>,
    category: Id<ChannelMarker>,
) -> Result<Thing<ChannelMarker>, Broken> {
    if let Some(channel) = there.channel(settings.transcript_channel) {
        let_in(cx, channel, role, READER).await?;
        return Ok(Thing::reused(channel.id));
    }
    let name = text("transcript-channel-name").to_string();
    let topic = text("transcript-channel-topic").to_string();
    let overwrites = private(cx, settings.guild, role, READER);
    let channel = match there.unstored_channel(ChannelType::GuildText, &name, &overwrites) {
        Some(channel) => Thing::reused(channel.id),
        None => {
            let request = cx
                .discord
                .requests()
                .create_guild_channel(settings.guild, &name)
                .kind(ChannelType::GuildText)
                .parent_id(category)
                .topic(&topic)
                .permission_overwrites(&overwrites);
            Thing::made(cx.create(request).await?)
        }
    };
    cx.db.settings().set_transcript_channel(settings.guild, Some(channel.id)).await?;
    Ok(channel)
}

/// The same as the cache holds it.
fn as_cached(overwrite: &PermissionOverwrite) -> Overwrite {
    let PermissionOverwrite { id, kind, allow, deny } = *overwrite;
    Overwrite { id, kind: kind.into(), allow, deny }
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

/// Lets the staff into a channel that is older than their role, unless they see it already: then what an administrator
/// has set for them stays. What the channel itself says decides, as the run that made the role may have broken off.
async fn let_in(cx: &Context, channel: &Channel, role: Id<RoleMarker>, may: Permissions) -> Result<(), Broken> {
    let sees = |overwrite: &Overwrite| {
        overwrite.kind == Overwrite::ROLE
            && overwrite.id == role.cast()
            && overwrite.allow.contains(Permissions::VIEW_CHANNEL)
    };
    if channel.permission_overwrites.iter().any(sees) {
        return Ok(());
    }
    let overwrite = outgoing::PermissionOverwrite {
        id: role.cast(),
        kind: outgoing::PermissionOverwriteType::Role,
        allow: Some(may),
        deny: Some(Permissions::empty()),
    };
    let request = cx.discord.requests().update_channel_permission(channel.id, &overwrite);
    Ok(cx.send(request).await?)
}
