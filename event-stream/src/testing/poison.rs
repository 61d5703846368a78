//! Records that no writer of ours would write, and what has to become of each.

use twilight_model::id::{Id, marker::ApplicationMarker};

use super::raw::Raw;
use crate::dead_letters::Class;

/// What has to become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is odd, and legal: a handler takes it or passes it over.
    Handled,
    /// It becomes a dead letter of this class.
    Dead(Class),
}

/// A record for the topic of gateway events that nobody should write.
#[derive(Clone, Debug)]
pub struct Poison {
    /// What is wrong with it; each kind has another name.
    pub name: &'static str,
    /// What has to become of it, where the handler reads the values of the types that it knows, as the worker does.
    pub expected: Expected,
    /// The record; it goes to any partition.
    pub record: Raw,
}

const UNDECODABLE: Expected = Expected::Dead(Class::Undecodable);
const DISCARDED: Expected = Expected::Dead(Class::Discarded);
const HANDLED: Expected = Expected::Handled;

/// Poisonous and odd records of every kind that we know of, as if for `bot`.
///
/// Those that decode are of type `MESSAGE_DELETE`, or of a type that nobody knows.
#[must_use]
pub fn poison(bot: Id<ApplicationMarker>) -> Vec<Poison> {
    let good = good(bot);
    let mut all = Vec::new();
    let mut add = |name, expected, record| all.push(Poison { name, expected, record });

    // --- headers that a record must have, and that must parse
    for (name, header) in [
        ("the schema is missing", "schema"),
        ("the bot is missing", "bot"),
        ("the shard is missing", "shard"),
        ("the session is missing", "session"),
        ("the sequence is missing", "sequence"),
        ("the type is missing", "type"),
        ("the time of receipt is missing", "received-at-ns"),
    ] {
        add(name, UNDECODABLE, without(&good, header));
    }
    let broken: [(&str, &str, &[u8]); 26] = [
        ("the schema is a later one", "schema", b"2"),
        ("the schema is 0", "schema", b"0"),
        ("the schema is a word", "schema", b"one"),
        ("the schema overflows", "schema", b"99999999999"),
        ("the bot is 0", "bot", b"0"),
        ("the bot overflows", "bot", b"18446744073709551616"),
        ("the bot is negative", "bot", b"-1"),
        ("the bot is hexadecimal", "bot", b"0x1f"),
        ("the bot has spaces around it", "bot", b" 1 "),
        ("the bot is empty", "bot", b""),
        ("the shard is negative", "shard", b"-1"),
        ("the shard overflows", "shard", b"4294967296"),
        ("the session is not UTF-8", "session", b"\xff\xfe"),
        ("the sequence is negative", "sequence", b"-1"),
        ("the sequence overflows", "sequence", b"18446744073709551616"),
        ("the sequence is a fraction", "sequence", b"1.5"),
        ("the type is not UTF-8", "type", b"MESSAGE_\xc3"),
        ("the guild is 0", "guild", b"0"),
        ("the guild overflows", "guild", b"99999999999999999999999999"),
        ("the guild is empty", "guild", b""),
        ("the guild is not UTF-8", "guild", b"\x80"),
        ("the guild has a NUL", "guild", b"1\0"),
        ("the time of receipt is a date", "received-at-ns", b"2026-11-21T07:08:09Z"),
        ("the time of receipt is after year 9999", "received-at-ns", b"999999999999999999999"),
        ("the time of receipt is before year -9999", "received-at-ns", b"-999999999999999999999"),
        ("the time of receipt overflows", "received-at-ns", b"999999999999999999999999999999999999999999"),
    ];
    for (name, header, value) in broken {
        add(name, UNDECODABLE, with(&good, header, value));
    }
    add("a header has no value", UNDECODABLE, replaced(&good, "bot", None));
    add("there are no headers", UNDECODABLE, Raw { headers: Vec::new(), ..good.clone() });
    let capitals = good.headers.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.clone())).collect();
    add("the names of the headers are in capitals", UNDECODABLE, Raw { headers: capitals, ..good.clone() });
    let mut twice = with(&good, "bot", b"broken");
    twice.headers.push((b"bot".to_vec(), Some(b"1".to_vec())));
    add("a header comes twice, the first time broken", UNDECODABLE, twice);
    let mut forged = without(&good, "shard");
    for (name, value) in [
        ("dead-topic", "elsewhere"),
        ("dead-class", "refused"),
        ("dead-offset", "-1"),
        ("replayed-letter", "elsewhere-dead/0/0"),
        ("replayed-from", "elsewhere-dead/0/0"),
    ] {
        forged.headers.push((name.into(), Some(value.as_bytes().to_vec())));
    }
    add("it pretends to be a dead letter", UNDECODABLE, forged);

    // --- values that are none, or no JSON, or not what the type promises
    add("a tombstone", UNDECODABLE, Raw { payload: None, ..good.clone() });
    add("nothing at all", UNDECODABLE, Raw::default());
    let noise = noise(512);
    let noisy = Raw {
        key: Some(noise.clone()),
        headers: vec![(b"schema".to_vec(), Some(noise.clone())), (b"bot".to_vec(), Some(noise.clone()))],
        payload: Some(noise.clone()),
        ..Raw::default()
    };
    add("noise", UNDECODABLE, noisy);
    let late = ["shard", "session", "sequence", "type"].into_iter().fold(good.clone(), |raw, name| without(&raw, name));
    add("a record of another topic", UNDECODABLE, late);
    let values: [(&str, Vec<u8>); 20] = [
        ("an empty value", Vec::new()),
        ("a value that is no JSON", b"<html>502 Bad Gateway</html>".to_vec()),
        ("a truncated value", br#"{"op":0,"s":1,"t":"MESSAGE_DELETE","d":{"id":"1","chan"#.to_vec()),
        ("a value that is not UTF-8", b"{\"d\":{\"id\":\"1\",\"channel_id\":\"\xff\"}}".to_vec()),
        ("a value of NUL", vec![0; 64]),
        ("a byte order mark", [&b"\xef\xbb\xbf"[..], VALUE].concat()),
        ("two values in one", [VALUE, VALUE].concat()),
        ("null", b"null".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a frame without d", br#"{"op":0,"s":1,"t":"MESSAGE_DELETE"}"#.to_vec()),
        ("d is null", br#"{"d":null}"#.to_vec()),
        ("d is a text", br#"{"d":"1"}"#.to_vec()),
        ("d comes twice", br#"{"d":{"id":"1","channel_id":"2"},"d":{"id":"1","channel_id":"2"}}"#.to_vec()),
        ("an id of 0", br#"{"d":{"id":"0","channel_id":"2"}}"#.to_vec()),
        ("an id that overflows", br#"{"d":{"id":"18446744073709551616","channel_id":"2"}}"#.to_vec()),
        ("an id that is an object", br#"{"d":{"id":{"id":"1"},"channel_id":"2"}}"#.to_vec()),
        ("a raw control character", b"{\"d\":{\"id\":\"1\x1b\",\"channel_id\":\"2\"}}".to_vec()),
        ("d is nested very deep", [&br#"{"d":"#[..], &b"[".repeat(100_000)].concat()),
        ("4 MiB of noise", self::noise(4 * 1024 * 1024)),
        ("a bomb: 15 MiB that are compressed to some KiB", vec![0xff; 15 * 1024 * 1024]),
    ];
    for (name, value) in values {
        add(name, DISCARDED, Raw { payload: Some(value), ..good.clone() });
    }

    // --- odd, and legal
    add("no key", HANDLED, Raw { key: None, ..good.clone() });
    add("an empty key", HANDLED, Raw { key: Some(Vec::new()), ..good.clone() });
    add("a key that is not UTF-8", HANDLED, Raw { key: Some(noise), ..good.clone() });
    add("a key of 32 KiB", HANDLED, Raw { key: Some(self::noise(32 * 1024)), ..good.clone() });
    add("written in 1970", HANDLED, Raw { timestamp: Some(1), ..good.clone() });
    add("received in 1970", HANDLED, with(&good, "received-at-ns", b"0"));
    add("received before 1970", HANDLED, with(&good, "received-at-ns", b"-1"));
    add("received in year 9999", HANDLED, with(&good, "received-at-ns", b"253402300799999999999"));
    add("no guild", HANDLED, without(&good, "guild"));
    add("the largest guild", HANDLED, with(&good, "guild", b"18446744073709551615"));
    add("the largest sequence", HANDLED, with(&good, "sequence", b"18446744073709551615"));
    add("an empty session", HANDLED, with(&good, "session", b""));
    let other_bot = if bot.get() == 1 { b"2" } else { b"1" };
    add("another bot", HANDLED, with(&good, "bot", other_bot));
    add("a traceparent that is none", HANDLED, with(&good, "traceparent", b"\xff00-nonsense"));
    let mut twice = good.clone();
    twice.headers.push((b"bot".to_vec(), Some(b"broken".to_vec())));
    add("a header comes twice, the second time broken", HANDLED, twice);
    let mut strange = good.clone();
    for name in ["", "\n\x1b[2J", "\u{202e}tob", "a\0b", &"n".repeat(4_096)] {
        strange.headers.push((name.into(), None));
    }
    add("headers of strange names", HANDLED, strange);
    let mut no_text = good.clone();
    no_text.headers.insert(0, (b"\xff\xfe".to_vec(), Some(b"x".to_vec())));
    add("a header whose name is not UTF-8", HANDLED, no_text);
    let mut unnamed = without(&good, "bot");
    unnamed.headers.push((b"bot\xff".to_vec(), Some(b"1".to_vec())));
    add("a header whose name is broken", UNDECODABLE, unnamed);
    let mut many = good.clone();
    many.headers.extend((0..1_000).map(|n| (format!("x-{n}").into(), Some(b"x".to_vec()))));
    add("a thousand headers", HANDLED, many);
    let mut long = good.clone();
    long.headers.push((b"x".to_vec(), Some(vec![b'x'; 64 * 1024])));
    add("a header of 64 KiB", HANDLED, long);
    let blank = [VALUE, &vec![b' '; 12 * 1024 * 1024]].concat();
    add("a value that is blank for 12 MiB", HANDLED, Raw { payload: Some(blank), ..good.clone() });
    let deep =
        [&br#"{"d":{"id":"1","channel_id":"2","x":"#[..], &b"[".repeat(100_000), &b"]".repeat(100_000), b"}}"].concat();
    add("a field that nobody reads is nested very deep", HANDLED, Raw { payload: Some(deep), ..good.clone() });
    for (name, kind) in [
        ("an empty type", &b""[..]),
        ("a type that nobody knows", b"NO_SUCH_TYPE"),
        ("a type with control characters", b"MESSAGE_DELETE\r\n\x1b[31m"),
    ] {
        add(name, HANDLED, Raw { payload: Some(b"{".to_vec()), ..with(&good, "type", kind) });
    }
    all
}

/// Names nothing that is there.
const VALUE: &[u8] = br#"{"op":0,"s":1,"t":"MESSAGE_DELETE","d":{"id":"1","channel_id":"2","guild_id":"3"}}"#;

fn good(bot: Id<ApplicationMarker>) -> Raw {
    let headers = [
        ("schema", "1"),
        ("bot", &bot.to_string()),
        ("shard", "0"),
        ("session", "poison"),
        ("sequence", "1"),
        ("type", "MESSAGE_DELETE"),
        ("guild", "3"),
        ("received-at-ns", "1795244889123456789"),
    ];
    let headers = headers.map(|(name, value)| (name.into(), Some(value.as_bytes().to_vec())));
    Raw { headers: headers.into(), ..Raw::new(b"3", VALUE) }
}

fn without(raw: &Raw, header: &str) -> Raw {
    let headers = raw.headers.iter().filter(|(name, _)| name != header.as_bytes()).cloned().collect();
    Raw { headers, ..raw.clone() }
}

fn with(raw: &Raw, header: &str, value: &[u8]) -> Raw {
    replaced(raw, header, Some(value.to_vec()))
}

/// In its place, or at the end where it is not there.
fn replaced(raw: &Raw, header: &str, value: Option<Vec<u8>>) -> Raw {
    let mut raw = raw.clone();
    match raw.headers.iter_mut().find(|(name, _)| name == header.as_bytes()) {
        Some(entry) => entry.1 = value,
        None => raw.headers.push((header.into(), value)),
    }
    raw
}

/// The same bytes each time, which no compression makes small.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut noise: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(|_| next()).collect();
    noise.truncate(bytes);
    noise
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_more_than_fifty_kinds_and_each_is_another() {
        let all = poison(Id::new(7));
        let names: HashSet<_> = all.iter().map(|poison| poison.name).collect();
        assert_eq!(names.len(), all.len());
        let dying = all.iter().filter(|poison| poison.expected != Expected::Handled).count();
        assert!(dying >= 50, "{dying}");
        for (index, poison) in all.iter().enumerate() {
            assert!(!all[..index].iter().any(|other| other.record == poison.record), "{}", poison.name);
        }
    }
}
