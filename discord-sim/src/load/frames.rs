//! What is dispatched: prepared once, sent many times.

use std::fmt::Write as _;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::{
    guild::{Place, any_id as id, channel as channel_at, role},
    words::words,
};

/// How many different events are prepared: more than the compression's window holds.
pub(super) const VARIETY: usize = 1024;

/// The id of a shard's guild, which Discord's rule gives to this shard of so many.
#[must_use]
pub fn guild_id((number, total): (u64, u64), place: u64) -> u64 {
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
        7 => {
            Frame::new("GUILD_ROLE_UPDATE", &format!(r#"{{"role":{},"guild_id":"$guild"}}"#, role_of_many(&mut random)))
        }
        8 => Frame::new("THREAD_CREATE", &with_guild_last(&channel(&mut random, 11))),
        _ => Frame::new("MESSAGE_CREATE", &message(&mut random, bytes)),
    };
    (0..VARIETY).map(event).collect()
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
    let roles = [id(random), id(random), id(random)];
    let place = Place { id: id(random), kind, position: random.random_range(0..60), parent: Some(id(random)) };
    channel_at(random, place, &roles)
}

fn role_of_many(random: &mut StdRng) -> String {
    let (id, name) = (id(random), words(random, 10));
    role(random, id, 1, name.trim())
}

fn with_guild_last(object: &str) -> String {
    format!(r#"{},"guild_id":"$guild"}}"#, &object[..object.len() - 1])
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
    }

    #[test]
    fn sizes_are_as_ordered() {
        let all = messages(1_500);
        let created: Vec<_> = all.iter().filter(|frame| frame.kind == "MESSAGE_CREATE").collect();
        let mean = created.iter().map(|frame| frame.before.len()).sum::<usize>() / created.len();
        assert!((1_400..1_600).contains(&mean), "{mean}");
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
