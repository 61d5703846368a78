//! A guild as many are, to measure by.
//!
//! Names repeat across guilds as Discord's do ("general", "Moderator"), and so do some topics; ids, hashes and most texts do not. Members
//! are in the order of Discord's own objects, and nothing is left out that a bot is sent.

use std::iter;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::words::{CHANNEL_NAMES, EMOJI_NAMES, ROLE_NAMES, TOPICS, USER_NAMES, words};

/// The bot that everything is sent to: a member of every guild.
pub(super) const BOT: u64 = 4_242_424_242_424_242;
/// Discord's numbers of types of channels, and how many of each a guild has: 40 in all.
const CHANNELS: [(u8, usize); 5] = [(CATEGORY, 6), (TEXT, 27), (ANNOUNCEMENT, 1), (FORUM, 1), (VOICE, 5)];
const TEXT: u8 = 0;
const VOICE: u8 = 2;
const CATEGORY: u8 = 4;
const ANNOUNCEMENT: u8 = 5;
const FORUM: u8 = 15;
/// @everyone among them.
const ROLES: usize = 25;
/// The bot among them.
const MEMBERS: usize = 10;
const EMOJIS: usize = 15;

/// The data of a GUILD_CREATE: 40 channels, 25 roles, 10 members and 15 emojis in about 35 kB. One id is always the same guild.
#[must_use]
pub fn reference_guild(id: u64) -> String {
    let mut random = StdRng::seed_from_u64(id);
    let role_ids: Vec<u64> = iter::once(id).chain((1..ROLES).map(|_| any_id(&mut random))).collect();
    let roles = role_ids.iter().zip(0..).map(|(role_id, position)| match position {
        0 => role(&mut random, *role_id, 0, "@everyone"),
        _ => {
            let name = *any(&mut random, &ROLE_NAMES);
            role(&mut random, *role_id, position, name)
        }
    });
    let roles = joined(roles.collect());
    let members = joined((0..MEMBERS).map(|number| member(&mut random, number, &role_ids)).collect());
    let emojis = joined((0..EMOJIS).map(|_| emoji(&mut random)).collect());
    let (mut channels, mut categories) = (Vec::new(), Vec::new());
    for (kind, count) in CHANNELS {
        for position in 0..count {
            let (channel_id, parent) = (any_id(&mut random), categories.choose(&mut random).copied());
            if kind == CATEGORY {
                categories.push(channel_id);
            }
            channels.push(channel(&mut random, Place { id: channel_id, kind, position, parent }, &role_ids));
        }
    }
    let channels = joined(channels);
    format!(
        r#"{{"voice_states":[],"version":{},"verification_level":2,"vanity_url_code":null,"unavailable":false,"threads":[],"system_channel_id":"{}","system_channel_flags":0,"stickers":[],"stage_instances":[],"splash":null,"soundboard_sounds":[],"safety_alerts_channel_id":null,"rules_channel_id":"{}","roles":[{roles}],"region":"deprecated","public_updates_channel_id":"{}","presences":[],"premium_tier":1,"premium_subscription_count":{},"premium_progress_bar_enabled":false,"preferred_locale":"en-US","owner_id":"{}","nsfw_level":0,"nsfw":false,"name":"{}","mfa_level":0,"members":[{members}],"member_count":{},"max_video_channel_users":25,"max_stage_video_channel_users":50,"max_members":500000,"lazy":true,"large":true,"latest_onboarding_question_id":null,"joined_at":"2025-01-01T00:00:00.000000+00:00","inventory_settings":null,"incidents_data":null,"id":"{id}","icon":"{:032x}","hub_type":null,"home_header":null,"guild_scheduled_events":[],"features":["COMMUNITY","NEWS","ANIMATED_ICON","INVITE_SPLASH","TEXT_IN_VOICE_ENABLED"],"explicit_content_filter":2,"emojis":[{emojis}],"embedded_activities":[],"discovery_splash":null,"description":null,"default_message_notifications":1,"channels":[{channels}],"banner":null,"application_id":null,"application_command_counts":{{}},"afk_timeout":300,"afk_channel_id":null,"activity_instances":[]}}"#,
        any_version(&mut random),
        any_id(&mut random),
        any_id(&mut random),
        any_id(&mut random),
        random.random_range(0..20),
        any_id(&mut random),
        words(&mut random, 14).trim(),
        random.random_range(10..4_000),
        random.random::<u128>(),
    )
}

/// Where a channel stands.
pub(super) struct Place {
    pub(super) id: u64,
    pub(super) kind: u8,
    pub(super) position: usize,
    /// Its category.
    pub(super) parent: Option<u64>,
}

/// A channel, with two to four exceptions for some of these roles.
pub(super) fn channel(random: &mut StdRng, place: Place, roles: &[u64]) -> String {
    let Place { id, kind, position, parent } = place;
    let overwrites = joined((0..random.random_range(2..=4)).map(|_| overwrite(random, roles)).collect());
    let parent = parent.map_or("null".to_owned(), |parent| format!(r#""{parent}""#));
    let name = any_name(random);
    // What only this type has comes at both ends.
    let (before, after) = match kind {
        CATEGORY => (String::new(), String::new()),
        VOICE => {
            let bitrate = r#""user_limit":0,"#.to_owned();
            (bitrate, r#","rtc_region":null,"nsfw":false,"last_message_id":null,"bitrate":64000"#.to_owned())
        }
        FORUM => (
            format!(r#""topic":"{}","template":"","#, any_topic(random)),
            format!(
                r#","default_sort_order":null,"default_reaction_emoji":null,"default_forum_layout":0,"available_tags":[{}]"#,
                joined((0..5).map(|_| tag(random)).collect())
            ),
        ),
        // Two of five have a topic.
        _ => {
            let topic =
                if random.random_ratio(2, 5) { format!(r#""{}""#, any_topic(random)) } else { "null".to_owned() };
            (format!(r#""topic":{topic},"#), format!(r#","nsfw":false,"last_message_id":"{}""#, any_id(random)))
        }
    };
    format!(
        r#"{{"version":{},"type":{kind},{before}"rate_limit_per_user":0,"position":{position},"permission_overwrites":[{overwrites}],"parent_id":{parent},"name":"{name}"{after},"id":"{id}","flags":0}}"#,
        any_version(random),
    )
}

fn overwrite(random: &mut StdRng, roles: &[u64]) -> String {
    // View; write; view, write and read what was; connect and speak; manage.
    const BITS: [u64; 5] = [1 << 10, 1 << 11, 0x1_0c00, 0x30_0000, 0x2010];
    let role = *any(random, roles);
    let (deny, allow) = if random.random() { (*any(random, &BITS), 0) } else { (0, *any(random, &BITS)) };
    format!(r#"{{"type":0,"id":"{role}","deny":"{deny}","allow":"{allow}"}}"#)
}

fn tag(random: &mut StdRng) -> String {
    let name = *any(random, &["question", "bug", "answered", "idea", "help wanted"]);
    format!(r#"{{"name":"{name}","moderated":false,"id":"{}","emoji_name":null,"emoji_id":null}}"#, any_id(random))
}

/// A role.
pub(super) fn role(random: &mut StdRng, id: u64, position: u64, name: &str) -> String {
    let color = random.random_range(0..0xff_ffff);
    format!(
        r#"{{"version":{},"unicode_emoji":null,"tags":{{}},"position":{position},"permissions":"{}","name":"{name}","mentionable":false,"managed":false,"id":"{id}","icon":null,"hoist":false,"flags":0,"colors":{{"tertiary_color":null,"secondary_color":null,"primary_color":{color}}},"color":{color}}}"#,
        any_version(random),
        random.random_range(1_u64 << 30..1 << 50),
    )
}

/// The first one is the bot.
fn member(random: &mut StdRng, number: usize, roles: &[u64]) -> String {
    let some = |random: &mut StdRng| format!(r#""{}""#, any(random, &roles[1..]));
    let has = joined((0..random.random_range(1..=4)).map(|_| some(random)).collect());
    let nick = if random.random_ratio(1, 5) { format!(r#""{}""#, any_user(random)) } else { "null".to_owned() };
    let joined_at = format!(
        "20{}-0{}-1{}T1{}:05:22.{:06}+00:00",
        random.random_range(19..27),
        random.random_range(1..10),
        random.random_range(0..10),
        random.random_range(0..10),
        random.random_range(0..1_000_000)
    );
    let user = match number {
        0 => user(random, BOT, "load", true),
        _ => {
            let (id, name) = (any_id(random), any_user(random));
            user(random, id, &name, false)
        }
    };
    format!(
        r#"{{"user":{user},"roles":[{has}],"premium_since":null,"pending":false,"nick":{nick},"mute":false,"joined_at":"{joined_at}","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null}}"#
    )
}

fn user(random: &mut StdRng, id: u64, name: &str, bot: bool) -> String {
    let shown = if bot { "null".to_owned() } else { format!(r#""{}""#, any_user(random)) };
    let discriminator = if bot { "4242" } else { "0" };
    // The same in all guilds.
    let avatar = if bot { u128::from(BOT) } else { random.random() };
    format!(
        r#"{{"username":"{name}","public_flags":0,"primary_guild":null,"id":"{id}","global_name":{shown},"discriminator":"{discriminator}","collectibles":null,"clan":null,"bot":{bot},"avatar_decoration_data":null,"avatar":"{avatar:032x}"}}"#
    )
}

fn emoji(random: &mut StdRng) -> String {
    let (name, animated) = (any(random, &EMOJI_NAMES), random.random_ratio(1, 4));
    format!(
        r#"{{"roles":[],"require_colons":true,"name":"{name}","managed":false,"id":"{}","available":true,"animated":{animated}}}"#,
        any_id(random)
    )
}

pub(super) fn any_id(random: &mut StdRng) -> u64 {
    random.random_range(1_000_000_000_000_000_000..1_400_000_000_000_000_000)
}

fn any_version(random: &mut StdRng) -> u64 {
    random.random_range(1_700_000_000_000..1_800_000_000_000)
}

fn any<'a, T>(random: &mut StdRng, list: &'a [T]) -> &'a T {
    &list[random.random_range(0..list.len())]
}

/// Half of the names are many guilds', half have something of their own.
fn any_name(random: &mut StdRng) -> String {
    let name = *any(random, &CHANNEL_NAMES);
    if random.random() { name.to_owned() } else { format!("{name}-{}", words(random, 4).trim().replace(' ', "-")) }
}

/// One of three topics is many guilds'.
fn any_topic(random: &mut StdRng) -> String {
    if random.random_ratio(1, 3) {
        return (*any(random, &TOPICS)).to_owned();
    }
    let bytes = random.random_range(30..100);
    words(random, bytes).trim().to_owned()
}

fn any_user(random: &mut StdRng) -> String {
    format!("{}{}", any(random, &USER_NAMES), random.random_range(0..10_000))
}

fn joined(objects: Vec<String>) -> String {
    objects.join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use twilight_model::gateway::payload::incoming::GuildCreate;

    use super::*;

    #[test]
    fn a_guild_has_what_it_is_to_have_in_about_35_kb() {
        let mut sum = 0;
        for id in 1..=100 {
            let text = reference_guild(id);
            let guild: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(guild["id"], id.to_string());
            for (list, length) in [("channels", 40), ("roles", 25), ("members", 10), ("emojis", 15)] {
                assert_eq!(guild[list].as_array().unwrap().len(), length, "{list}");
            }
            sum += text.len();
        }
        assert!((34_000..36_000).contains(&(sum / 100)), "{}", sum / 100);
    }

    #[test]
    fn a_stock_library_reads_it() {
        let read: GuildCreate = serde_json::from_str(&reference_guild(7)).unwrap();
        assert!(matches!(read, GuildCreate::Available(guild) if guild.channels.len() == 40));
    }

    #[test]
    fn one_id_is_one_guild_and_another_is_another() {
        assert_eq!(reference_guild(7), reference_guild(7));
        let [one, other] = [7, 8].map(|id| serde_json::from_str::<Value>(&reference_guild(id)).unwrap());
        assert_ne!(one["channels"][0]["id"], other["channels"][0]["id"]);
        assert_ne!(one["members"][1]["user"]["id"], other["members"][1]["user"]["id"]);
        assert_eq!(one["members"][0]["user"], other["members"][0]["user"]);
    }
}
