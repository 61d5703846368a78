//! Discord's permission arithmetic: base permissions of roles, then the overwrites of a channel.
//!
//! Source: Discord's documentation, "Permissions" (computing permissions, implicit permissions).

use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, UserMarker},
    },
};

use crate::state::{Channel, Guild, Overwrite, OverwriteKind, State};

impl State {
    /// What `user` may do in the whole guild, without any channel's overwrites. Empty for someone who is no member.
    pub fn guild_permissions(&self, guild: &Guild, user: Id<UserMarker>) -> Permissions {
        if guild.owner_id == user {
            return Permissions::all();
        }
        let Some(member) = guild.members.get(&user) else { return Permissions::empty() };
        let everyone = guild.roles.get(&guild.id.cast()).map_or(Permissions::empty(), |role| role.permissions);
        let granted = member
            .roles
            .iter()
            .filter_map(|role| guild.roles.get(role))
            .fold(everyone, |sum, role| sum | role.permissions);
        if granted.contains(Permissions::ADMINISTRATOR) { Permissions::all() } else { granted }
    }

    /// What `user` may do in `channel` (a thread counts as its parent). DMs give their recipients everything that DMs know.
    pub fn channel_permissions(&self, channel: &Channel, user: Id<UserMarker>) -> Permissions {
        let Some(guild) = channel.guild_id.and_then(|id| self.guilds.get(&id)) else {
            return if channel.recipients.contains(&user) { Permissions::all() } else { Permissions::empty() };
        };
        let source = match &channel.thread {
            Some(_) => channel.parent_id.and_then(|id| self.channels.get(&id)).unwrap_or(channel),
            None => channel,
        };
        let base = self.guild_permissions(guild, user);
        if base == Permissions::all() || base.is_empty() {
            return base;
        }
        let roles = guild.members.get(&user).map(|member| member.roles.as_slice()).unwrap_or_default();
        let mut allowed =
            apply(base, source.overwrites.iter().filter(|o| o.kind == OverwriteKind::Role && o.id == guild.id.cast()));
        allowed = apply(
            allowed,
            source.overwrites.iter().filter(|o| o.kind == OverwriteKind::Role && roles.contains(&o.id.cast())),
        );
        allowed =
            apply(allowed, source.overwrites.iter().filter(|o| o.kind == OverwriteKind::Member && o.id == user.cast()));
        if !allowed.contains(Permissions::VIEW_CHANNEL) {
            return Permissions::empty();
        }
        // In threads the permission to write is another one.
        let writes =
            if channel.is_thread() { Permissions::SEND_MESSAGES_IN_THREADS } else { Permissions::SEND_MESSAGES };
        if !allowed.contains(writes) {
            allowed.remove(
                Permissions::MENTION_EVERYONE
                    | Permissions::SEND_TTS_MESSAGES
                    | Permissions::ATTACH_FILES
                    | Permissions::EMBED_LINKS,
            );
        }
        allowed
    }

    /// Whether `user` sees `channel`. A private thread is seen by its members and by those who manage threads.
    pub fn can_view(&self, channel: &Channel, user: Id<UserMarker>) -> bool {
        let permissions = self.channel_permissions(channel, user);
        if !permissions.contains(Permissions::VIEW_CHANNEL) {
            return false;
        }
        match &channel.thread {
            Some(thread) if channel.kind == crate::state::kind::PRIVATE_THREAD => {
                thread.members.contains_key(&user) || permissions.contains(Permissions::MANAGE_THREADS)
            }
            _ => true,
        }
    }

    /// The highest position among a member's roles; the owner stands above all roles.
    pub fn top_role(&self, guild: &Guild, user: Id<UserMarker>) -> i64 {
        if guild.owner_id == user {
            return i64::MAX;
        }
        let roles = guild.members.get(&user).map(|member| member.roles.as_slice()).unwrap_or_default();
        roles.iter().filter_map(|role| guild.roles.get(role)).map(|role| role.position).max().unwrap_or(0)
    }

    /// The permissions of a channel known by its id; empty when there is no such channel.
    pub fn permissions_in(&self, channel: Id<ChannelMarker>, user: Id<UserMarker>) -> Permissions {
        self.channels.get(&channel).map_or(Permissions::empty(), |channel| self.channel_permissions(channel, user))
    }
}

/// All denials of a level first, then all its allowances.
fn apply<'a>(base: Permissions, overwrites: impl Iterator<Item = &'a Overwrite>) -> Permissions {
    let (allow, deny) = overwrites
        .fold((Permissions::empty(), Permissions::empty()), |(allow, deny), o| (allow | o.allow, deny | o.deny));
    (base - deny) | allow
}
