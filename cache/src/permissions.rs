//! What a member may do, from what the cache knows.
//!
//! Discord's documentation, "Permissions": roles add up, the owner and administrators may everything; in a channel the overwrite of
//! @everyone counts first, then those of all roles together (what one denies another allows), then the member's own. A thread has its
//! channel's overwrites. Who may not view a channel may nothing in it, and who may not write may not do what needs writing; a member
//! who timed out may only view and read.

use time::OffsetDateTime;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker, UserMarker},
    },
    util::Timestamp,
};

use crate::entity::{Channel, Overwrite, Role};

/// What decides what a member may do.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The guild.
    pub guild: Id<GuildMarker>,
    /// Who owns it.
    pub owner: Option<Id<UserMarker>>,
    /// The guild's roles, by id.
    pub roles: &'a [Role],
    /// The member.
    pub user: Id<UserMarker>,
    /// The member's roles, without @everyone.
    pub has: &'a [Id<RoleMarker>],
    /// Until when the member may not write, as far as that is not over.
    pub timed_out_until: Option<Timestamp>,
}

/// What is left to who timed out.
const TIMED_OUT: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);

/// What needs the permission to write.
const WRITING: Permissions = Permissions::ATTACH_FILES
    .union(Permissions::EMBED_LINKS)
    .union(Permissions::MENTION_EVERYONE)
    .union(Permissions::SEND_TTS_MESSAGES);

impl Standing<'_> {
    /// In the whole guild, without any channel's overwrites.
    #[must_use]
    pub fn in_guild(&self, now: OffsetDateTime) -> Permissions {
        let base = self.base();
        if base == Permissions::all() || !self.is_timed_out(now) { base } else { base & TIMED_OUT }
    }

    /// In a channel. For a thread it is the thread's channel that is asked, and `is_thread` true.
    #[must_use]
    pub fn in_channel(&self, channel: &Channel, is_thread: bool, now: OffsetDateTime) -> Permissions {
        let base = self.base();
        if base == Permissions::all() {
            return base;
        }
        let mut granted = self.overwritten(base, &channel.permission_overwrites);
        if self.is_timed_out(now) {
            granted &= TIMED_OUT;
        }
        if !granted.contains(Permissions::VIEW_CHANNEL) {
            return Permissions::empty();
        }
        let writes = if is_thread { Permissions::SEND_MESSAGES_IN_THREADS } else { Permissions::SEND_MESSAGES };
        if !granted.contains(writes) {
            granted -= WRITING;
        }
        granted
    }

    /// What roles give; everything to the owner and to administrators.
    fn base(&self) -> Permissions {
        if self.owner == Some(self.user) {
            return Permissions::all();
        }
        let everyone: Id<RoleMarker> = self.guild.cast();
        let granted = self
            .has
            .iter()
            .chain([&everyone])
            .filter_map(|id| self.role(*id))
            .fold(Permissions::empty(), |sum, role| sum | role.permissions);
        if granted.contains(Permissions::ADMINISTRATOR) { Permissions::all() } else { granted }
    }

    fn role(&self, id: Id<RoleMarker>) -> Option<&Role> {
        self.roles.binary_search_by_key(&id, |role| role.id).ok().map(|index| &self.roles[index])
    }

    /// Members may still list a role that is gone.
    fn is_in_role(&self, id: Id<RoleMarker>) -> bool {
        self.has.contains(&id) && self.role(id).is_some()
    }

    /// The arithmetic of a channel's overwrites alone.
    fn overwritten(&self, base: Permissions, overwrites: &[Overwrite]) -> Permissions {
        let (mut everyone, mut roles, mut own) = (Exception::NONE, Exception::NONE, Exception::NONE);
        for overwrite in overwrites {
            match overwrite.kind {
                Overwrite::MEMBER if overwrite.id == self.user.cast() => own.add(overwrite),
                Overwrite::ROLE if overwrite.id == self.guild.cast() => everyone.add(overwrite),
                Overwrite::ROLE if self.is_in_role(overwrite.id.cast()) => roles.add(overwrite),
                _ => {}
            }
        }
        own.of(roles.of(everyone.of(base)))
    }

    fn is_timed_out(&self, now: OffsetDateTime) -> bool {
        self.timed_out_until.is_some_and(|until| until.as_secs() > now.unix_timestamp())
    }
}

/// Overwrites that count together.
struct Exception {
    allow: Permissions,
    deny: Permissions,
}

impl Exception {
    const NONE: Exception = Exception { allow: Permissions::empty(), deny: Permissions::empty() };

    fn add(&mut self, overwrite: &Overwrite) {
        self.allow |= overwrite.allow;
        self.deny |= overwrite.deny;
    }

    fn of(&self, permissions: Permissions) -> Permissions {
        (permissions - self.deny) | self.allow
    }
}
