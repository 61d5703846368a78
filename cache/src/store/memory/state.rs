//! One guild.

use std::sync::atomic::{AtomicU32, Ordering};

use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, RoleMarker, UserMarker},
};

use super::{
    list::{Keyed, List},
    users::Users,
};
use crate::{
    change::{Change, Parent, Threads},
    entity::{Channel, Emoji, Guild, Interner, Member, Role, Whole},
    permissions::Standing,
};

/// How much younger an answer of Discord must be than what an event told: clocks are not the same everywhere.
const CLEARLY_MS: i64 = 5_000;

/// A guild, packed.
#[derive(Debug)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) epoch: u64,
    guild: Guild,
    channels: List<Channel>,
    threads: List<Channel>,
    roles: List<Role>,
    emojis: List<Emoji>,
    members: List<Kept>,
}

/// A member without the user.
#[derive(Debug)]
struct Kept {
    id: Id<UserMarker>,
    /// When an event or Discord told that it is so, in seconds since 1970.
    seen_s: u32,
    /// When somebody last told of it or asked for it.
    used_s: AtomicU32,
    member: Member,
}

/// When something is known of members, in milliseconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) seen_ms: i64,
    pub(super) used_ms: i64,
}

impl Times {
    /// An event tells of them.
    pub(super) fn of(received_ms: i64) -> Self {
        Self { seen_ms: received_ms, used_ms: received_ms }
    }
}

impl State {
    pub(super) fn new(version: u64, epoch: u64, whole: Whole, times: Times, texts: &Interner) -> Self {
        let Whole { mut guild, mut channels, mut threads, mut roles, mut emojis, members } = whole;
        guild.intern(texts);
        channels.iter_mut().chain(&mut threads).for_each(|channel| channel.intern(texts));
        roles.iter_mut().for_each(|role| role.intern(texts));
        emojis.iter_mut().for_each(|emoji| emoji.intern(texts));
        let keep = |member: Member| Kept::new(member, times, texts);
        Self {
            version,
            epoch,
            guild,
            channels: List::of(channels),
            threads: List::of(threads),
            roles: List::of(roles),
            emojis: List::of(emojis),
            members: List::of(members.into_iter().filter_map(keep).collect()),
        }
    }

    pub(super) fn in_an_outage(guild: Id<GuildMarker>, version: u64, texts: &Interner) -> Self {
        let guild = Guild::in_an_outage(guild);
        let (channels, threads, roles, emojis, members) = (vec![], vec![], vec![], vec![], vec![]);
        let whole = Whole { guild, channels, threads, roles, emojis, members };
        Self::new(version, version, whole, Times::of(0), texts)
    }

    /// Applies a change of a guild that is here.
    pub(super) fn change(&mut self, change: Change, version: u64, received_ms: i64, texts: &Interner) {
        if change.outdates() {
            self.epoch = version;
        }
        if matches!(change, Change::Unavailable) {
            self.guild.unavailable = true;
            return;
        }
        // Nothing is known but the outage, and half of a list would be wrong.
        if !self.guild.is_known() {
            return;
        }
        match change {
            Change::Guild(mut guild) => {
                guild.intern(texts);
                guild.keep(&self.guild);
                self.guild = *guild;
            }
            Change::Channel(mut channel) => {
                channel.intern(texts);
                self.channels.put(channel);
            }
            Change::ChannelGone(channel) => {
                self.channels.remove(channel.get());
                self.threads.retain(|thread| thread.parent_id != Some(channel));
            }
            Change::Thread(mut thread) => {
                thread.intern(texts);
                self.threads.put(thread);
            }
            Change::ThreadGone(thread) => self.threads.remove(thread.get()),
            Change::Threads(Threads { parents, threads }) => {
                self.threads.retain(|thread| {
                    let listed = |parents: &Vec<Parent>| {
                        thread.parent_id.is_some_and(|parent| parents.contains(&Parent(parent)))
                    };
                    !parents.as_ref().is_none_or(listed)
                });
                for mut thread in threads {
                    thread.intern(texts);
                    self.threads.put(thread);
                }
            }
            Change::Role(mut role) => {
                role.intern(texts);
                self.roles.put(role);
            }
            Change::RoleGone(role) => self.roles.remove(role.get()),
            Change::Roles(mut roles) => {
                roles.iter_mut().for_each(|role| role.intern(texts));
                self.roles = List::of(roles);
            }
            Change::Emojis(mut emojis) => {
                emojis.iter_mut().for_each(|emoji| emoji.intern(texts));
                self.emojis = List::of(emojis);
            }
            Change::Member(member) => {
                if let Some(kept) = Kept::new(*member, Times::of(received_ms), texts) {
                    self.members.put(kept);
                }
            }
            Change::MemberGone(member) => self.members.remove(member.get()),
            Change::Count(by) => {
                self.guild.member_count = self.guild.member_count.map(|count| count.saturating_add_signed(by));
            }
            // Not about a guild that is here.
            Change::Whole(_) | Change::Left | Change::Unavailable => {}
        }
    }

    /// Takes a member that Discord was asked for at that time, unless something younger is known.
    pub(super) fn refill(&mut self, id: Id<UserMarker>, mut member: Member, read_ms: i64, texts: &Interner) -> bool {
        if !self.guild.is_known() {
            return false;
        }
        let seen = self.members.get(id.get()).map(|kept| i64::from(kept.seen_s) * 1_000);
        if seen.is_some_and(|seen| seen.saturating_add(CLEARLY_MS) > read_ms) {
            return false;
        }
        member.intern(texts);
        self.members.put(Kept { id, seen_s: seconds(read_ms), used_s: seconds(read_ms).into(), member });
        true
    }

    /// Forgets members that nobody used since then, except the bot itself. Says how many.
    pub(super) fn purge(&mut self, since_ms: i64, own: Id<UserMarker>) -> usize {
        let (before, since) = (self.members.len(), seconds(since_ms));
        self.members.retain(|kept| kept.id == own || kept.used_s.load(Ordering::Relaxed) >= since);
        before - self.members.len()
    }

    pub(super) fn member_ids(&self) -> impl Iterator<Item = Id<UserMarker>> {
        self.members.iter().map(|kept| kept.id)
    }
}

impl Kept {
    fn new(mut member: Member, times: Times, texts: &Interner) -> Option<Self> {
        let id = member.user.take()?.id;
        member.intern(texts);
        Some(Self { id, seen_s: seconds(times.seen_ms), used_s: seconds(times.used_ms).into(), member })
    }
}

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms / 1_000).unwrap_or_default()
}

/// A guild, while it is looked at.
pub struct Seen<'a> {
    state: &'a State,
    users: &'a Users,
}

impl<'a> Seen<'a> {
    pub(super) fn new(state: &'a State, users: &'a Users) -> Self {
        Self { state, users }
    }

    /// Changes so far.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// The last change after which an answer of Discord from before is not to be believed.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// The guild; where [`Guild::is_known`] says no, the lists are empty because nothing is known.
    #[must_use]
    pub fn guild(&self) -> &'a Guild {
        &self.state.guild
    }

    /// Its channels, by id.
    #[must_use]
    pub fn channels(&self) -> &'a [Channel] {
        &self.state.channels
    }

    /// A channel.
    #[must_use]
    pub fn channel(&self, channel: Id<ChannelMarker>) -> Option<&'a Channel> {
        self.state.channels.get(channel.get())
    }

    /// Its threads that are not archived, by id.
    #[must_use]
    pub fn threads(&self) -> &'a [Channel] {
        &self.state.threads
    }

    /// A thread.
    #[must_use]
    pub fn thread(&self, thread: Id<ChannelMarker>) -> Option<&'a Channel> {
        self.state.threads.get(thread.get())
    }

    /// Its roles, by id.
    #[must_use]
    pub fn roles(&self) -> &'a [Role] {
        &self.state.roles
    }

    /// A role.
    #[must_use]
    pub fn role(&self, role: Id<RoleMarker>) -> Option<&'a Role> {
        self.state.roles.get(role.get())
    }

    /// Its emojis, by id.
    #[must_use]
    pub fn emojis(&self) -> &'a [Emoji] {
        &self.state.emojis
    }

    /// A member.
    #[must_use]
    pub fn member(&self, user: Id<UserMarker>) -> Option<Member> {
        self.state.members.get(user.get()).map(|kept| self.with_user(kept))
    }

    /// When it was last known that the member is so, in seconds since 1970.
    #[must_use]
    pub fn seen_s(&self, user: Id<UserMarker>) -> Option<u32> {
        self.state.members.get(user.get()).map(|kept| kept.seen_s)
    }

    /// Notes that somebody asks for the member, and says whether nobody did since the day began.
    pub fn use_member(&self, user: Id<UserMarker>, now_ms: i64) -> bool {
        const DAY_S: u32 = 24 * 60 * 60;
        let Some(kept) = self.state.members.get(user.get()) else { return false };
        let now = seconds(now_ms);
        kept.used_s.fetch_max(now, Ordering::Relaxed) / DAY_S < now / DAY_S
    }

    /// What decides what a member may do.
    #[must_use]
    pub fn standing(&self, user: Id<UserMarker>) -> Option<Standing<'a>> {
        let member = &self.state.members.get(user.get())?.member;
        Some(Standing {
            guild: self.state.guild.id,
            owner: self.state.guild.owner_id,
            roles: self.roles(),
            user,
            has: &member.roles,
            timed_out_until: member.communication_disabled_until,
        })
    }

    /// At most `most` of the members that are known, by id, behind `after`.
    pub fn members(&self, after: Option<Id<UserMarker>>) -> impl Iterator<Item = Member> {
        let from = after.map_or(0, |after| self.state.members.partition_point(|kept| kept.id <= after));
        self.state.members[from..].iter().map(|kept| self.with_user(kept))
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Whole {
        Whole {
            guild: self.guild().clone(),
            channels: self.channels().to_vec(),
            threads: self.threads().to_vec(),
            roles: self.roles().to_vec(),
            emojis: self.emojis().to_vec(),
            members: self.members(None).collect(),
        }
    }

    fn with_user(&self, kept: &Kept) -> Member {
        Member { user: self.users.get(kept.id).map(Box::new), ..kept.member.clone() }
    }
}

impl Keyed for Channel {
    fn key(&self) -> u64 {
        self.id.get()
    }
}

impl Keyed for Role {
    fn key(&self) -> u64 {
        self.id.get()
    }
}

impl Keyed for Emoji {
    fn key(&self) -> u64 {
        self.id.get()
    }
}

impl Keyed for Kept {
    fn key(&self) -> u64 {
        self.id.get()
    }
}
