//! The updates of a batch, laid out as the columns of a few statements.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use super::{column, day};
use crate::{
    change::{Change, Parent, Threads, Update},
    entity::{Channel, Emoji, Guild, Member, Role, User},
    store::{Error, kind::Kind},
    wire,
};

/// What a batch writes.
#[derive(Default)]
pub(super) struct Batch {
    /// Guilds that are left.
    pub(super) left: Pairs,
    /// Guilds in an outage.
    pub(super) unavailable: Guilds,
    /// Guilds that are told of, whole or not.
    pub(super) guilds: Guilds,
    /// By how much member counts change.
    pub(super) counts: Counts,
    /// Lists of which nothing stays that is not among `entities`.
    pub(super) sweeps: Sweeps,
    /// Entities that are gone.
    pub(super) gone: Gone,
    /// Entities that are so now.
    pub(super) entities: Entities,
    /// Users that are so now.
    pub(super) users: Users,
}

/// Bots and guilds.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) bots: Vec<i64>,
    pub(super) guilds: Vec<i64>,
}

#[derive(Default)]
pub(super) struct Guilds {
    pub(super) of: Pairs,
    pub(super) versions: Vec<i64>,
    /// Whether it was told of as a whole.
    pub(super) whole: Vec<bool>,
    pub(super) member_counts: Vec<Option<i32>>,
    pub(super) joined_us: Vec<Option<i64>>,
    pub(super) data: Vec<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) of: Pairs,
    pub(super) by: Vec<i32>,
}

#[derive(Default)]
pub(super) struct Sweeps {
    pub(super) of: Pairs,
    pub(super) kinds: Vec<i16>,
    /// Only of this channel's.
    pub(super) parents: Vec<Option<i64>>,
}

#[derive(Default)]
pub(super) struct Gone {
    pub(super) of: Pairs,
    pub(super) kinds: Vec<i16>,
    pub(super) ids: Vec<i64>,
}

#[derive(Default)]
pub(super) struct Entities {
    pub(super) of: Pairs,
    pub(super) kinds: Vec<i16>,
    pub(super) ids: Vec<i64>,
    pub(super) parents: Vec<Option<i64>>,
    pub(super) versions: Vec<i64>,
    pub(super) seen_ms: Vec<i64>,
    pub(super) days: Vec<i32>,
    pub(super) data: Vec<Vec<u8>>,
}

/// Each user once, as it was told of last.
#[derive(Default)]
pub(super) struct Users(HashMap<i64, (i64, Vec<u8>), RandomState>);

/// [`Users`] as columns, in the order of ids: two batches take the rows' locks in one order.
#[derive(Default)]
pub(super) struct UserColumns {
    pub(super) ids: Vec<i64>,
    pub(super) seen_ms: Vec<i64>,
    pub(super) days: Vec<i32>,
    pub(super) data: Vec<Vec<u8>>,
}

/// The update that a row comes from.
#[derive(Clone, Copy)]
struct From {
    bot: Id<ApplicationMarker>,
    guild: Id<GuildMarker>,
    version: u64,
    received_ms: i64,
}

impl Batch {
    /// Adds what follows from an update that makes the guild's `version`.
    pub(super) fn add(&mut self, update: &Update, version: u64) -> Result<(), Error> {
        let from = From { bot: update.bot, guild: update.guild, version, received_ms: update.position.received_ms };
        update.changes.iter().try_for_each(|change| self.change(from, change))
    }

    fn change(&mut self, from: From, change: &Change) -> Result<(), Error> {
        match change {
            Change::Whole(whole) => {
                self.guild(from, &whole.guild, true)?;
                for kind in Kind::ALL {
                    self.sweep(from, kind, None);
                }
                whole.channels.iter().try_for_each(|channel| self.channel(from, Kind::Channel, channel))?;
                whole.threads.iter().try_for_each(|thread| self.channel(from, Kind::Thread, thread))?;
                whole.roles.iter().try_for_each(|role| self.role(from, role))?;
                whole.emojis.iter().try_for_each(|emoji| self.emoji(from, emoji))?;
                whole.members.iter().try_for_each(|member| self.member(from, member))
            }
            Change::Guild(guild) => self.guild(from, guild, false),
            Change::Unavailable => {
                let stub = Guild::in_an_outage(from.guild);
                self.unavailable.push(from, &stub, false)
            }
            Change::Left => {
                self.left.push(from);
                Ok(())
            }
            Change::Channel(channel) => self.channel(from, Kind::Channel, channel),
            Change::ChannelGone(channel) => {
                self.gone.push(from, Kind::Channel, column(*channel));
                self.sweep(from, Kind::Thread, Some(Parent(*channel)));
                Ok(())
            }
            Change::Thread(thread) => self.channel(from, Kind::Thread, thread),
            Change::ThreadGone(thread) => {
                self.gone.push(from, Kind::Thread, column(*thread));
                Ok(())
            }
            Change::Threads(Threads { parents, threads }) => {
                match parents {
                    Some(parents) => {
                        parents.iter().for_each(|parent| self.sweep(from, Kind::Thread, Some(*parent)));
                    }
                    None => self.sweep(from, Kind::Thread, None),
                }
                threads.iter().try_for_each(|thread| self.channel(from, Kind::Thread, thread))
            }
            Change::Role(role) => self.role(from, role),
            Change::RoleGone(role) => {
                self.gone.push(from, Kind::Role, column(*role));
                Ok(())
            }
            Change::Roles(roles) => {
                self.sweep(from, Kind::Role, None);
                roles.iter().try_for_each(|role| self.role(from, role))
            }
            Change::Emojis(emojis) => {
                self.sweep(from, Kind::Emoji, None);
                emojis.iter().try_for_each(|emoji| self.emoji(from, emoji))
            }
            Change::Member(member) => self.member(from, member),
            Change::MemberGone(user) => {
                self.gone.push(from, Kind::Member, column(*user));
                Ok(())
            }
            Change::Count(by) => {
                self.counts.of.push(from);
                self.counts.by.push(*by);
                Ok(())
            }
        }
    }

    fn guild(&mut self, from: From, guild: &Guild, whole: bool) -> Result<(), Error> {
        self.guilds.push(from, guild, whole)
    }

    fn sweep(&mut self, from: From, kind: Kind, parent: Option<Parent>) {
        // Of a guild's first version nothing is there to be deleted.
        if from.version == 1 {
            return;
        }
        self.sweeps.of.push(from);
        self.sweeps.kinds.push(kind.number());
        self.sweeps.parents.push(parent.map(|Parent(channel)| column(channel)));
    }

    fn channel(&mut self, from: From, kind: Kind, channel: &Channel) -> Result<(), Error> {
        self.entities.push(from, kind, column(channel.id), channel.parent_id.map(column), wire::encode(channel)?);
        Ok(())
    }

    fn role(&mut self, from: From, role: &Role) -> Result<(), Error> {
        self.entities.push(from, Kind::Role, column(role.id), None, wire::encode(role)?);
        Ok(())
    }

    fn emoji(&mut self, from: From, emoji: &Emoji) -> Result<(), Error> {
        self.entities.push(from, Kind::Emoji, column(emoji.id), None, wire::encode(emoji)?);
        Ok(())
    }

    fn member(&mut self, from: From, member: &Member) -> Result<(), Error> {
        // One whose user is not told is nobody.
        let Some(user) = member.user.as_deref() else { return Ok(()) };
        self.users.tell(user, from.received_ms)?;
        self.entities.push(from, Kind::Member, column(user.id), None, of_member(member)?);
        Ok(())
    }
}

/// A member as it lies in its row: without the user.
pub(super) fn of_member(member: &Member) -> Result<Vec<u8>, Error> {
    Ok(wire::encode(&Member { user: None, ..member.clone() })?)
}

/// A guild as it lies in its row: without what has columns of its own.
fn of_guild(guild: &Guild) -> Result<Vec<u8>, Error> {
    Ok(wire::encode(&Guild { unavailable: false, member_count: None, joined_at: None, ..guild.clone() })?)
}

impl Pairs {
    fn push(&mut self, from: From) {
        self.bots.push(column(from.bot));
        self.guilds.push(column(from.guild));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bots.is_empty()
    }
}

impl Guilds {
    fn push(&mut self, from: From, guild: &Guild, whole: bool) -> Result<(), Error> {
        self.of.push(from);
        self.versions.push(from.version.cast_signed());
        self.whole.push(whole);
        self.member_counts.push(guild.member_count.map(|count| i32::try_from(count).unwrap_or(i32::MAX)));
        self.joined_us.push(guild.joined_at.map(|at| at.as_micros()));
        self.data.push(of_guild(guild)?);
        Ok(())
    }
}

impl Gone {
    fn push(&mut self, from: From, kind: Kind, id: i64) {
        self.of.push(from);
        self.kinds.push(kind.number());
        self.ids.push(id);
    }
}

impl Entities {
    fn push(&mut self, from: From, kind: Kind, id: i64, parent: Option<i64>, data: Vec<u8>) {
        self.of.push(from);
        self.kinds.push(kind.number());
        self.ids.push(id);
        self.parents.push(parent);
        self.versions.push(from.version.cast_signed());
        // Only members are asked how old what is known of them is.
        let (seen_ms, used) = if kind == Kind::Member { (from.received_ms, day(from.received_ms)) } else { (0, 0) };
        self.seen_ms.push(seen_ms);
        self.days.push(used);
        self.data.push(data);
    }
}

impl Users {
    pub(super) fn tell(&mut self, user: &User, told_ms: i64) -> Result<(), Error> {
        let id = column(user.id);
        if self.0.get(&id).is_none_or(|(before_ms, _)| *before_ms < told_ms) {
            self.0.insert(id, (told_ms, wire::encode(user)?));
        }
        Ok(())
    }

    pub(super) fn columns(self) -> UserColumns {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
        let mut columns = UserColumns::default();
        for (id, (told_ms, data)) in rows {
            columns.ids.push(id);
            columns.seen_ms.push(told_ms);
            columns.days.push(day(told_ms));
            columns.data.push(data);
        }
        columns
    }
}
