//! The envelope scan against a full parse, over many random and damaged frames.
//!
//! `SHARDER_FUZZ_FRAMES` and `SHARDER_FUZZ_SEED` choose how many and which; a failure names its frame.

use std::{borrow::Cow, fmt::Write};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::Deserialize;
use serde_json::Value;
use sharder::envelope::{Envelope, scan};
use twilight_model::id::Id;

const KEYS: [&str; 12] =
    ["op", "s", "t", "d", "id", "guild_id", "guild", "o", "opp", "content", "\"op\":1", "größe \\ {}[]"];
const KINDS: [&str; 6] = ["GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "MESSAGE_CREATE", "READY", "\u{1f3ab}"];
const SPACES: [&str; 6] = ["", "", "", " ", "\n\t", "\r\n  "];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Writes JSON as no serializer would: odd spaces, escapes without need, repeated keys, numbers of every form.
struct Writer {
    random: StdRng,
    text: String,
}

impl Writer {
    fn frame(seed: u64) -> (String, StdRng) {
        let mut writer = Self { random: StdRng::seed_from_u64(seed), text: String::new() };
        writer.space();
        let mut members = vec!["op", "s", "t", "d"];
        for _ in 0..writer.random.random_range(0..3) {
            members.push(["x", "_trace", "größe", "O", "\"s\""].choose(&mut writer.random).unwrap());
        }
        // In any order, and now and then without one of them.
        for at in (1..members.len()).rev() {
            members.swap(at, writer.random.random_range(0..=at));
        }
        if writer.random.random_bool(0.1) {
            members.pop();
        }
        writer.text.push('{');
        for (at, member) in members.into_iter().enumerate() {
            if at > 0 {
                writer.text.push(',');
            }
            writer.key(member);
            writer.member(member);
        }
        writer.text.push('}');
        writer.space();
        (writer.text, writer.random)
    }

    fn member(&mut self, name: &str) {
        let odd = self.random.random_bool(0.1);
        match name {
            _ if odd => self.value(3),
            "op" => write!(self.text, "{}", self.random.random_range(0..12)).unwrap(),
            "s" => write!(self.text, "{}", self.random.random::<u64>()).unwrap(),
            "t" => {
                let kind = *KINDS.choose(&mut self.random).unwrap();
                self.string(kind);
            }
            "d" => self.object(4, true),
            _ => self.value(4),
        }
    }

    fn value(&mut self, depth: u32) {
        match self.random.random_range(0..if depth == 0 { 6 } else { 9 }) {
            0 => self.text.push_str(["null", "true", "false"].choose(&mut self.random).unwrap()),
            1 => write!(self.text, "{}", self.random.random::<i64>()).unwrap(),
            2 => {
                let form = *["0", "-0", "1e5", "-1.25E-3", "0.0", "18446744073709551616", "7"]
                    .choose(&mut self.random)
                    .unwrap();
                self.text.push_str(form);
            }
            3 => write!(self.text, "\"{}\"", self.random.random::<u64>() >> self.random.random_range(0..64)).unwrap(),
            4 | 5 => {
                let text: String = (0..self.random.random_range(0..12)).map(|_| self.random.random::<char>()).collect();
                self.string(&text);
            }
            6 => {
                self.text.push('[');
                for at in 0..self.random.random_range(0..4) {
                    if at > 0 {
                        self.text.push(',');
                    }
                    self.space();
                    self.value(depth - 1);
                    self.space();
                }
                self.text.push(']');
            }
            7 => self.object(depth - 1, false),
            _ => {
                // Deep, but within what the full parse follows.
                let deep = self.random.random_range(1..60);
                self.text.extend(std::iter::repeat_n("[{\"op\":", deep / 2));
                self.value(0);
                self.text.extend(std::iter::repeat_n("}]", deep / 2));
            }
        }
    }

    /// Keys repeat only where nobody reads them: of the others JSON does not say which one counts.
    fn object(&mut self, depth: u32, distinct: bool) {
        self.text.push('{');
        let mut seen = Vec::new();
        for _ in 0..self.random.random_range(0..6) {
            let key = *KEYS.choose(&mut self.random).unwrap();
            if distinct && seen.contains(&key) {
                continue;
            }
            if !seen.is_empty() {
                self.text.push(',');
            }
            seen.push(key);
            self.key(key);
            if depth == 0 {
                self.text.push('0');
            } else {
                self.value(depth - 1);
            }
            self.space();
        }
        self.text.push('}');
    }

    fn key(&mut self, key: &str) {
        self.space();
        self.string(key);
        self.space();
        self.text.push(':');
        self.space();
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for char in text.chars() {
            let must = matches!(char, '"' | '\\' | '\0'..='\x1f');
            if must || self.random.random_bool(0.1) {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    write!(self.text, "\\u{unit:04x}").unwrap();
                }
            } else {
                self.text.push(char);
            }
        }
        self.text.push('"');
    }

    fn space(&mut self) {
        self.text.push_str(SPACES.choose(&mut self.random).unwrap());
    }
}

/// One to three small damages.
fn damage(frame: &str, random: &mut StdRng) -> String {
    let mut chars: Vec<char> = frame.chars().collect();
    for _ in 0..random.random_range(1..=3) {
        let at = random.random_range(0..=chars.len());
        let odd =
            *['"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', 'e', ' ', 'n', '\u{0}', 'é'].choose(random).unwrap();
        match random.random_range(0..5) {
            0 => chars.insert(at, odd),
            1 if at < chars.len() => chars[at] = odd,
            2 if at < chars.len() => drop(chars.remove(at)),
            3 => chars.truncate(at),
            _ => {
                let part: Vec<char> = chars.iter().skip(at).take(8).copied().collect();
                let to = random.random_range(0..=chars.len());
                chars.splice(to..to, part);
            }
        }
    }
    chars.into_iter().collect()
}

/// All values of a key, in order: serde_json's own map would keep the last.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn repeats(frame: &str) -> bool {
    let repeated = |members: &Members| {
        let mut keys: Vec<_> = members.0.iter().map(|(key, _)| key).collect();
        keys.sort();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    };
    #[derive(Deserialize)]
    struct Data {
        d: Option<Members>,
    }
    serde_json::from_str::<Members>(frame).is_ok_and(|frame| repeated(&frame))
        || serde_json::from_str::<Data>(frame).is_ok_and(|frame| frame.d.as_ref().is_some_and(repeated))
}

/// The envelope by a full parse.
fn reference(frame: &Value) -> Option<Envelope<'static>> {
    let kind = frame["t"].as_str().map(str::to_owned);
    let id = match kind.as_deref() {
        Some("GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE") => &frame["d"]["id"],
        _ => &frame["d"]["guild_id"],
    };
    let id = id.as_u64().or_else(|| id.as_str()?.parse().ok());
    Some(Envelope {
        op: frame["op"].as_u64()?,
        sequence: frame["s"].as_u64(),
        kind: kind.map(Cow::Owned),
        guild: id.and_then(Id::new_checked),
    })
}

#[test]
fn the_scan_agrees_with_a_full_parse_on_odd_and_on_damaged_frames() {
    let (frames, seed) = (number("SHARDER_FUZZ_FRAMES", 100_000), number("SHARDER_FUZZ_SEED", 1));
    let (mut whole, mut damaged) = (0u64, 0u64);
    for seed in (seed..).take(usize::try_from(frames / 2).unwrap()) {
        let (frame, mut random) = Writer::frame(seed);
        let value: Value = serde_json::from_str(&frame).unwrap_or_else(|error| panic!("{seed}: {error}: {frame}"));
        if !repeats(&frame) {
            assert_eq!(scan(&frame).ok(), reference(&value), "seed {seed}: {frame}");
            whole += u64::from(scan(&frame).is_ok());
        }

        let frame = damage(&frame, &mut random);
        let scanned = scan(&frame);
        let Ok(value) = serde_json::from_str::<Value>(&frame) else { continue };
        // What is JSON all the same must be read as such.
        if !repeats(&frame) {
            assert_eq!(scanned.ok(), reference(&value), "seed {seed}, damaged: {frame}");
            damaged += 1;
        }
    }
    // Else the frames are not what they should be.
    assert!(whole > frames / 3 && damaged > frames / 50, "{whole} whole, {damaged} damaged");
}

#[test]
fn nesting_of_any_depth_is_walked_over() {
    const DEPTH: usize = 500_000;
    let nested = format!("{}{}", "[{\"op\":".repeat(DEPTH), "}]".repeat(DEPTH));
    let frame = format!(r#"{{"d":{{"x":{nested},"guild_id":"7"}},"op":0,"s":3,"t":"X"}}"#);
    let envelope = scan(&frame).unwrap();
    assert_eq!((envelope.op, envelope.sequence, envelope.guild), (0, Some(3), Some(Id::new(7))));
    // One bracket less, and it is broken.
    assert!(scan(&frame.replacen("}]", "}", 1)).is_err());
}
