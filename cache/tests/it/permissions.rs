//! The calculator against twilight's, over random guilds. `CACHE_PERMISSION_GUILDS` says how many.
//!
//! Where twilight's differs from Discord's documentation ("Permissions"), the documentation is added to what it says:
//! - Who may not view a channel may nothing in it. Twilight says so only when an overwrite of a role or the member denies it,
//!   not where nobody granted it or the overwrite of @everyone denies it. Likewise for what needs the permission to write.
//! - A member who timed out may view and read history; twilight knows no time-outs.
//! - In threads it is `SEND_MESSAGES_IN_THREADS` that lets write; twilight knows no threads, so it is given both exchanged.
//! - It takes away what has no meaning in a channel (of a guild alone, of other kinds of channels). We do not: what has no meaning,
//!   nobody asks for, and its lists lack what came since (messages in voice channels).
//! - It drops bits that it has no name for. We keep them.

use cache::{
    entity::{Channel, Overwrite, Role},
    permissions::Standing,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker, UserMarker},
    },
    util::Timestamp,
};
use twilight_util::permission_calculator::PermissionCalculator;

use crate::chance::{Chance, number};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const GUILD: Id<GuildMarker> = Id::new(1);
/// Also the id of a role.
const MEMBER: Id<UserMarker> = Id::new(3);
const ROLES: [u64; 6] = [2, 3, 4, 5, 6, u64::MAX];
const KINDS: [u8; 7] = [0, 2, 4, 5, 13, 15, 16];

const WRITING: Permissions = Permissions::ATTACH_FILES
    .union(Permissions::EMBED_LINKS)
    .union(Permissions::MENTION_EVERYONE)
    .union(Permissions::SEND_TTS_MESSAGES);
const TIMED_OUT: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);

/// A guild with one channel and one member.
#[derive(Debug)]
struct Case {
    owner: Option<Id<UserMarker>>,
    /// By id; the guild's id is @everyone.
    roles: Vec<Role>,
    /// Some of them are gone.
    has: Vec<Id<RoleMarker>>,
    timed_out_until: Option<Timestamp>,
    channel: Channel,
    is_thread: bool,
}

impl Case {
    fn new(chance: &mut Chance) -> Self {
        let mut roles = vec![role(GUILD.get(), permissions(chance))];
        roles.extend(chance.some(&ROLES).into_iter().map(|id| role(id, permissions(chance))));
        if chance.one_in(50) {
            roles.remove(0);
        }
        let mut has = chance.some(&ROLES);
        if chance.one_in(20) {
            has.push(GUILD.get());
        }
        chance.shuffle(&mut has);
        let mut overwrites = Vec::new();
        for (id, kind) in
            [(GUILD.get(), 0), (MEMBER.get(), 1), (MEMBER.get() + 1, 1), (GUILD.get(), 1), (MEMBER.get(), 7)]
        {
            overwrites.push((id, kind));
        }
        overwrites.extend(ROLES.iter().map(|id| (*id, 0)));
        let mut overwrites = chance.some(&overwrites);
        chance.shuffle(&mut overwrites);
        let overwrites: Vec<Overwrite> = overwrites
            .into_iter()
            .map(|(id, kind)| Overwrite {
                id: Id::new(id),
                kind,
                allow: overwritten(chance),
                deny: overwritten(chance),
            })
            .collect();
        let mut channel: Channel = serde_json::from_value(json!({ "id": "9", "type": *chance.pick(&KINDS) })).unwrap();
        channel.permission_overwrites = overwrites.into_boxed_slice();
        let moment = |seconds| Timestamp::from_secs((NOW + Duration::seconds(seconds)).unix_timestamp()).unwrap();
        let timed_out_until = match chance.below(8) {
            0 => Some(moment(600)),
            1 => Some(moment(0)),
            _ => None,
        };
        Self {
            owner: match chance.below(20) {
                0 => None,
                1 => Some(MEMBER),
                _ => Some(Id::new(8)),
            },
            roles,
            has: has.into_iter().map(Id::new).collect(),
            timed_out_until,
            channel,
            is_thread: chance.one_in(4),
        }
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            guild: GUILD,
            owner: self.owner,
            roles: &self.roles,
            user: MEMBER,
            has: &self.has,
            timed_out_until: self.timed_out_until,
        }
    }

    fn granted(&self, id: Id<RoleMarker>) -> Option<Permissions> {
        self.roles.iter().find(|role| role.id == id).map(|role| role.permissions)
    }

    fn is_timed_out(&self) -> bool {
        self.timed_out_until.is_some_and(|until| until.as_secs() > NOW.unix_timestamp())
    }

    /// In the guild, and in the channel: by twilight, and what the documentation says besides.
    fn expected(&self) -> (Permissions, Permissions) {
        let exchanged = |permissions| if self.is_thread { exchange(permissions) } else { permissions };
        let everyone = self.granted(GUILD.cast()).unwrap_or(Permissions::empty());
        // A role that is gone gives nothing, nor do overwrites for it.
        let has = self.has.iter().filter(|id| **id != GUILD.cast::<RoleMarker>());
        let has: Vec<_> = has.filter_map(|id| self.granted(*id).map(|granted| (*id, exchanged(granted)))).collect();
        let calculator = PermissionCalculator::new(GUILD, MEMBER, exchanged(everyone), &has);
        let calculator = self.owner.iter().fold(calculator, |calculator, owner| calculator.owner_id(*owner));
        let overwrites: Vec<_> = self
            .channel
            .permission_overwrites
            .iter()
            .map(|overwrite| PermissionOverwrite {
                allow: exchanged(overwrite.allow),
                deny: exchanged(overwrite.deny),
                id: overwrite.id,
                kind: PermissionOverwriteType::from(overwrite.kind),
            })
            .collect();
        let root = calculator.root();
        let mut channel = calculator.in_channel(ChannelType::from(self.channel.kind), &overwrites);
        if root.contains(Permissions::ADMINISTRATOR) {
            return (Permissions::all(), Permissions::all());
        }
        let mut root = exchanged(root);
        if !channel.contains(Permissions::SEND_MESSAGES) {
            channel -= WRITING;
        }
        let mut channel = exchanged(channel);
        if self.is_timed_out() {
            root &= TIMED_OUT;
            channel &= TIMED_OUT;
        }
        if !channel.contains(Permissions::VIEW_CHANNEL) {
            channel = Permissions::empty();
        }
        (root, channel)
    }

    /// What twilight tells at all of such a channel.
    fn comparable(&self) -> Permissions {
        let but_administrator = Permissions::all() - Permissions::ADMINISTRATOR;
        let told = PermissionCalculator::new(GUILD, MEMBER, but_administrator, &[])
            .in_channel(ChannelType::from(self.channel.kind), &[]);
        if self.is_thread { exchange(told) } else { told }
    }
}

fn role(id: u64, permissions: Permissions) -> Role {
    let mut role: Role = serde_json::from_value(json!({ "id": id.to_string(), "permissions": "0" })).unwrap();
    role.permissions = permissions;
    role
}

/// What a role grants; often what decides of others, rarely everything.
fn permissions(chance: &mut Chance) -> Permissions {
    let mut granted = Permissions::from_bits_retain(chance.bits() & chance.bits() & chance.bits());
    granted.set(Permissions::ADMINISTRATOR, chance.one_in(40));
    if chance.coin() {
        granted |= Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES;
    }
    granted
}

fn overwritten(chance: &mut Chance) -> Permissions {
    let decisive = [
        Permissions::empty(),
        Permissions::empty(),
        Permissions::VIEW_CHANNEL,
        Permissions::SEND_MESSAGES,
        Permissions::SEND_MESSAGES_IN_THREADS,
        Permissions::ADMINISTRATOR,
    ];
    Permissions::from_bits_retain(chance.bits() & chance.bits() & chance.bits()) | *chance.pick(&decisive)
}

fn exchange(permissions: Permissions) -> Permissions {
    let mut exchanged = permissions;
    exchanged.set(Permissions::SEND_MESSAGES, permissions.contains(Permissions::SEND_MESSAGES_IN_THREADS));
    exchanged.set(Permissions::SEND_MESSAGES_IN_THREADS, permissions.contains(Permissions::SEND_MESSAGES));
    exchanged
}

#[test]
fn members_may_what_twilight_and_discords_documentation_say() {
    let (from, guilds) = (number("CACHE_MODEL_FROM", 1), number("CACHE_PERMISSION_GUILDS", 20_000));
    let (mut all, mut nothing, mut threads, mut timed_out) = (0, 0, 0, 0);
    for seed in from..from + guilds {
        let case = Case::new(&mut Chance::new(seed));
        let (root, channel) = case.expected();
        let standing = case.standing();
        let known = Permissions::all();
        assert_eq!(standing.in_guild(NOW) & known, root & known, "in the guild of seed {seed}: {case:?}");
        let is = standing.in_channel(&case.channel, case.is_thread, NOW);
        let comparable = if channel == known { known } else { case.comparable() };
        assert_eq!(is & comparable, channel & comparable, "in the channel of seed {seed}: {case:?}");
        // The bare arithmetic decides of all: nothing is left of what is not to be viewed.
        assert!(is.contains(Permissions::VIEW_CHANNEL) || is.is_empty(), "seed {seed}: {is:?}");
        all += usize::from(is == known);
        nothing += usize::from(is.is_empty());
        threads += usize::from(case.is_thread);
        timed_out += usize::from(case.is_timed_out());
    }
    println!(
        "permissions: {guilds} guilds, {threads} threads, {timed_out} timed out, {all} may everything, {nothing} nothing"
    );
    // Chance made all of them.
    assert!([all, nothing, threads, timed_out].iter().all(|some| *some as u64 > guilds / 100));
}

#[test]
fn an_overwrite_of_a_role_that_is_gone_gives_nothing() {
    let mut channel: Channel = serde_json::from_value(json!({ "id": "9" })).unwrap();
    let allow = Permissions::VIEW_CHANNEL | Permissions::MANAGE_MESSAGES;
    let gone = Overwrite { id: Id::new(4), kind: Overwrite::ROLE, allow, deny: Permissions::empty() };
    channel.permission_overwrites = [gone].into();
    let roles = [role(GUILD.get(), Permissions::VIEW_CHANNEL)];
    let standing =
        Standing { guild: GUILD, owner: None, roles: &roles, user: MEMBER, has: &[Id::new(4)], timed_out_until: None };
    assert_eq!(standing.in_channel(&channel, false, NOW), Permissions::VIEW_CHANNEL);
}
