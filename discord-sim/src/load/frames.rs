//! What is dispatched: prepared once, sent many times.

use std::fmt::Write as _;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

/// How many different events are prepared: more than the compression's window holds.
pub(super) const VARIETY: usize = 1024;

/// The id of a shard's guild, which Discord's rule gives to this shard of so many.
pub(super) fn guild_id((number, total): (u64, u64), place: u64) -> u64 {
    // Seven or eight years after Discord's first day, a minute or so apart.
    ((240_000_000_000 + place * 60_000) / total * total + number) << 22
}

/// The `d` of an event, apart from the guild's id between its two parts.
pub(super) struct Frame {
    pub(super) kind: &'static str,
    pub(super) before: String,
    pub(super) after: Option<String>,
}

impl Frame {
    /// `$guild` stands where the guild's id belongs.
    pub(super) fn new(kind: &'static str, data: &str) -> Self {
        match data.split_once("$guild") {
            Some((before, after)) => Self { kind, before: before.to_owned(), after: Some(after.to_owned()) },
            None => Self { kind, before: data.to_owned(), after: None },
        }
    }
}

/// Events as a bot with the intents for guilds and messages gets them: messages above all.
pub(super) fn messages(bytes: usize) -> Vec<Frame> {
    let mut random = StdRng::seed_from_u64(bytes as u64);
    let event = |n: usize| match n % 50 {
        0 | 1 => Frame::new("MESSAGE_DELETE", &delete(&mut random)),
        2..6 => Frame::new("MESSAGE_UPDATE", &message(&mut random, bytes)),
        6 => Frame::new("CHANNEL_UPDATE", &with_guild_last(&channel(&mut random, 0))),
        7 => Frame::new("GUILD_ROLE_UPDATE", &format!(r#"{{"role":{},"guild_id":"$guild"}}"#, role(&mut random, 1))),
        8 => Frame::new("THREAD_CREATE", &with_guild_last(&channel(&mut random, 11))),
        _ => Frame::new("MESSAGE_CREATE", &message(&mut random, bytes)),
    };
    (0..VARIETY).map(event).collect()
}

fn id(random: &mut StdRng) -> u64 {
    random.random_range(1_000_000_000_000_000_000..1_400_000_000_000_000_000)
}

fn words(random: &mut StdRng, bytes: usize) -> String {
    const WORDS: [&str; 48] = [
        "the",
        "and",
        "you",
        "that",
        "ticket",
        "with",
        "server",
        "have",
        "this",
        "from",
        "they",
        "what",
        "when",
        "please",
        "support",
        "anyone",
        "know",
        "about",
        "channel",
        "update",
        "after",
        "game",
        "cannot",
        "open",
        "role",
        "thanks",
        "yesterday",
        "somebody",
        "screen",
        "why",
        "answer",
        "team",
        "lost",
        "account",
        "again",
        "still",
        "waiting",
        "ok",
        "lol",
        "maybe",
        "tomorrow",
        "version",
        "works",
        "for",
        "me",
        "now",
        "error",
        "moderator",
    ];
    let mut text = String::with_capacity(bytes + 12);
    while text.len() < bytes {
        text.push_str(WORDS[random.random_range(0..WORDS.len())]);
        text.push_str([" ", " ", " ", ", ", ". ", " \u{1f44b} "][random.random_range(0..6)]);
    }
    text
}

fn message(random: &mut StdRng, bytes: usize) -> String {
    let (author, roles) = (id(random), [id(random), id(random), id(random)]);
    let mut text = format!(
        r#"{{"type":0,"tts":false,"timestamp":"2026-11-03T18:22:07.{:06}+00:00","pinned":false,"nonce":"{}","mentions":[],"mention_roles":[],"mention_everyone":false,"member":{{"roles":["{}","{}","{}"],"premium_since":null,"pending":false,"nick":"{}","mute":false,"joined_at":"2024-02-11T09:14:33.{:06}+00:00","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null}},"id":"{}","flags":0,"embeds":[],"edited_timestamp":null,"#,
        random.random_range(0..1_000_000),
        id(random),
        roles[0],
        roles[1],
        roles[2],
        words(random, 8).trim(),
        random.random_range(0..1_000_000),
        id(random),
    );
    let tail = format!(
        r#""components":[],"channel_type":0,"channel_id":"{}","author":{{"username":"{}{}","public_flags":0,"primary_guild":null,"id":"{author}","global_name":"{}","discriminator":"0","collectibles":null,"clan":null,"avatar_decoration_data":null,"avatar":"{:032x}"}},"attachments":[],"guild_id":"$guild"}}"#,
        id(random),
        words(random, 5).trim().replace(' ', "_"),
        random.random_range(0..10_000),
        words(random, 9).trim(),
        random.random::<u128>(),
    );
    // Half as much and half as much again, evenly.
    let content = bytes * random.random_range(50..150) / 100;
    let content = words(random, content.saturating_sub(text.len() + tail.len() + 60).max(4));
    let _ = write!(text, r#""content":{},"#, json!(content));
    text + &tail
}

fn delete(random: &mut StdRng) -> String {
    format!(r#"{{"id":"{}","channel_id":"{}","guild_id":"$guild"}}"#, id(random), id(random))
}

fn channel(random: &mut StdRng, kind: u8) -> String {
    let overwrite = |random: &mut StdRng| {
        format!(
            r#"{{"type":{},"id":"{}","deny":"{}","allow":"{}"}}"#,
            random.random_range(0..2),
            id(random),
            1024 << random.random_range(0..20),
            1024 << random.random_range(0..20)
        )
    };
    let overwrites: Vec<_> = (0..random.random_range(1..5)).map(|_| overwrite(random)).collect();
    format!(
        r#"{{"version":{},"type":{kind},"topic":"{}","theme_color":null,"rate_limit_per_user":0,"position":{},"permission_overwrites":[{}],"parent_id":"{}","nsfw":false,"name":"{}","last_message_id":"{}","id":"{}","icon_emoji":{{"name":"\ud83d\udc4b","id":null}},"flags":0}}"#,
        random.random_range(1_700_000_000_000_u64..1_800_000_000_000),
        words(random, 60).trim(),
        random.random_range(0..60),
        overwrites.join(","),
        id(random),
        words(random, 12).trim().replace([' ', ',', '.'], "-"),
        id(random),
        id(random),
    )
}

fn with_guild_last(object: &str) -> String {
    format!(r#"{},"guild_id":"$guild"}}"#, &object[..object.len() - 1])
}

fn role(random: &mut StdRng, position: u64) -> String {
    format!(
        r#"{{"version":{},"unicode_emoji":null,"tags":{{}},"position":{position},"permissions":"{}","name":"{}","mentionable":false,"managed":false,"id":"{}","icon":null,"hoist":false,"flags":0,"colors":{{"tertiary_color":null,"secondary_color":null,"primary_color":{}}},"color":{}}}"#,
        random.random_range(1_700_000_000_000_u64..1_800_000_000_000),
        random.random_range(1_u64 << 30..1 << 50),
        words(random, 10).trim(),
        id(random),
        random.random_range(0..0xff_ffff),
        random.random_range(0..0xff_ffff),
    )
}

fn member(random: &mut StdRng) -> String {
    format!(
        r#"{{"user":{{"username":"{}","public_flags":0,"primary_guild":null,"id":"{}","global_name":"{}","discriminator":"0","clan":null,"bot":false,"avatar_decoration_data":null,"avatar":"{:032x}"}},"roles":["{}","{}"],"premium_since":null,"pending":false,"nick":null,"mute":false,"joined_at":"2023-05-01T10:00:00.{:06}+00:00","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null}}"#,
        words(random, 8).trim().replace(' ', "_"),
        id(random),
        words(random, 8).trim(),
        random.random::<u128>(),
        id(random),
        id(random),
        random.random_range(0..1_000_000),
    )
}

/// GUILD_CREATE of this size: 25 roles and 10 members, and channels as many as fit.
pub(super) fn guild_create(seed: u64, bytes: usize) -> Frame {
    let mut random = StdRng::seed_from_u64(seed);
    let roles: Vec<_> = (0..25).map(|position| role(&mut random, position)).collect();
    let members: Vec<_> = (0..10).map(|_| member(&mut random)).collect();
    let mut text = format!(
        r#"{{"voice_states":[],"vanity_url_code":null,"unavailable":false,"threads":[],"system_channel_id":"{}","stickers":[],"stage_instances":[],"soundboard_sounds":[],"splash":null,"roles":[{}],"rules_channel_id":null,"region":"deprecated","presences":[],"premium_tier":0,"premium_subscription_count":2,"preferred_locale":"en-US","owner_id":"{}","nsfw_level":0,"nsfw":false,"name":"{}","mfa_level":0,"members":[{}],"member_count":{},"max_members":500000,"large":false,"joined_at":"2025-01-01T00:00:00.000000+00:00","id":"$guild","icon":"{:032x}","guild_scheduled_events":[],"features":["COMMUNITY","NEWS"],"explicit_content_filter":0,"emojis":[],"embedded_activities":[],"description":null,"default_message_notifications":1,"application_id":null,"afk_timeout":300,"activity_instances":[],"channels":["#,
        id(&mut random),
        roles.join(","),
        id(&mut random),
        words(&mut random, 14).trim(),
        members.join(","),
        random.random_range(10..4_000),
        random.random::<u128>(),
    );
    let mut next = channel(&mut random, 0);
    while text.len() + next.len() < bytes {
        text.push_str(&next);
        text.push(',');
        next = channel(&mut random, 0);
    }
    text.push_str(&next);
    text.push_str("]}");
    Frame::new("GUILD_CREATE", &text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn whole(frame: &Frame) -> Value {
        let data =
            format!("{}{}", frame.before, frame.after.as_ref().map(|after| format!("7{after}")).unwrap_or_default());
        serde_json::from_str(&data).unwrap()
    }

    #[test]
    fn every_prepared_event_is_json_with_its_guild() {
        for frame in messages(1_500) {
            assert_eq!(whole(&frame)["guild_id"], "7", "{}", frame.kind);
        }
        assert_eq!(whole(&guild_create(1, 35_000))["id"], "7");
    }

    #[test]
    fn sizes_are_as_ordered() {
        let all = messages(1_500);
        let created: Vec<_> = all.iter().filter(|frame| frame.kind == "MESSAGE_CREATE").collect();
        let mean = created.iter().map(|frame| frame.before.len()).sum::<usize>() / created.len();
        assert!((1_400..1_600).contains(&mean), "{mean}");
        let guild = guild_create(1, 35_000);
        assert!((34_000..36_000).contains(&whole(&guild).to_string().len()));
        assert!(whole(&guild)["channels"].as_array().unwrap().len() > 20);
    }

    #[test]
    fn a_guild_belongs_to_its_shard_by_discords_rule() {
        // Discord's documentation, "Sharding": (guild_id >> 22) % num_shards.
        for (number, total) in [(0, 1), (3, 16), (15, 16)] {
            let ids: std::collections::BTreeSet<_> = (0..2_500).map(|place| guild_id((number, total), place)).collect();
            assert!(ids.len() == 2_500 && ids.iter().all(|id| (id >> 22) % total == number));
        }
    }
}
