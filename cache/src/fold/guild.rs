//! Guilds as a whole.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{Folded, Frame, Unreadable};
use crate::{
    change::Change,
    entity::{Channel, Emoji, Guild, Member, Role, Whole, in_order},
};

/// Also comes when an outage ends, and once for each guild when a session begins.
pub(super) fn created(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    let GuildAndLists { mut guild, channels, threads, roles, emojis, members } = frame.data()?;
    if guild.unavailable {
        return Ok(frame.changes(vec![Change::Unavailable]));
    }
    // A guild without an owner would count as one of which nothing is known.
    guild.owner_id = guild.owner_id.or(Some(guild.id.cast()));
    let mut threads = threads.unwrap_or_default();
    threads.retain(|thread| !thread.is_archived());
    let mut members = members.unwrap_or_default();
    members.retain(|member| member.user.is_some());
    let whole = Whole {
        guild,
        channels: channels.unwrap_or_default(),
        threads,
        roles: roles.unwrap_or_default(),
        emojis: emojis.unwrap_or_default(),
        members,
    };
    Ok(frame.changes(vec![Change::Whole(Box::new(whole.sorted()))]))
}

/// Names all roles and emojis, and no channels.
pub(super) fn updated(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    let GuildAndLists { mut guild, roles, emojis, .. } = frame.data()?;
    guild.owner_id = guild.owner_id.or(Some(guild.id.cast()));
    let mut changes = vec![Change::Guild(Box::new(guild))];
    changes.extend(roles.map(all_roles));
    changes.extend(emojis.map(all_emojis));
    Ok(frame.changes(changes))
}

fn all_roles(mut roles: Vec<Role>) -> Change {
    in_order(&mut roles, |role| role.id);
    Change::Roles(roles)
}

fn all_emojis(mut emojis: Vec<Emoji>) -> Change {
    in_order(&mut emojis, |emoji| emoji.id);
    Change::Emojis(emojis)
}

/// With `unavailable` it is an outage; without, the bot was removed.
pub(super) fn deleted(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Deleted {
        #[serde(default)]
        unavailable: Option<bool>,
    }
    let Deleted { unavailable } = frame.data()?;
    Ok(frame.changes(vec![if unavailable == Some(true) { Change::Unavailable } else { Change::Left }]))
}

pub(super) fn emojis(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Emojis {
        emojis: Vec<Emoji>,
    }
    Ok(frame.changes(vec![all_emojis(frame.data::<Emojis>()?.emojis)]))
}

/// A guild object with the lists that were in it.
struct GuildAndLists {
    guild: Guild,
    channels: Option<Vec<Channel>>,
    threads: Option<Vec<Channel>>,
    roles: Option<Vec<Role>>,
    emojis: Option<Vec<Emoji>>,
    members: Option<Vec<Member>>,
}

/// Read in one pass: the lists are most of it, and `serde(flatten)` would build each of them twice.
impl<'de> Deserialize<'de> for GuildAndLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = GuildAndLists;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a guild")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GuildAndLists, A::Error> {
        let (mut channels, mut threads, mut roles, mut emojis, mut members) = (None, None, None, None, None);
        let mut own = Map::new();
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "channels" => channels = map.next_value()?,
                "threads" => threads = map.next_value()?,
                "roles" => roles = map.next_value()?,
                "emojis" => emojis = map.next_value()?,
                "members" => members = map.next_value()?,
                // Lists that nobody asks for, some of them long.
                "presences"
                | "voice_states"
                | "stickers"
                | "stage_instances"
                | "guild_scheduled_events"
                | "soundboard_sounds"
                | "embedded_activities"
                | "activity_instances" => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    let value: Value = map.next_value()?;
                    own.insert(name.into_owned(), value);
                }
            }
        }
        let guild = Guild::deserialize(Value::Object(own)).map_err(de::Error::custom)?;
        Ok(GuildAndLists { guild, channels, threads, roles, emojis, members })
    }
}
