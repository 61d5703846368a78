//! The envelope scan: `op`, `s`, `t` and the guild of a gateway frame, without parsing the rest.
//!
//! A shard forwards frames byte for byte, so all that it needs is what the record's key and headers carry. A full parse
//! would build values that nobody reads, and a typed one refuses events that are newer than the library. The scan walks
//! over what it does not need: strings are skipped by their quotes and escapes, nested values by their depth. It is
//! right for any order of the keys and any nesting.
//!
//! It stops as soon as it knows everything. A frame whose object repeats a key, which JSON advises against and Discord
//! does not send, may therefore count with its first occurrence.

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem::Finder;
use twilight_model::id::{Id, marker::GuildMarker};

use crate::walk::{Place, Walk};

/// Finds what looks like the key that names an event's guild.
static GUILD_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(r#""guild_id""#));
/// The same where the event is about a guild.
static ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(r#""id""#));
/// Finds what a key might be spelled with instead of a letter.
static ESCAPED_LETTER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(r"\u00"));

/// What a shard reads of a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Envelope<'a> {
    /// The gateway opcode; 0 is a dispatch.
    pub op: u64,
    /// The sequence number; dispatches have one.
    pub sequence: Option<u64>,
    /// The event's name, such as `MESSAGE_CREATE`; dispatches have one.
    pub kind: Option<Cow<'a, str>>,
    /// The guild that the event belongs to: `d.guild_id`, or `d.id` where the event is about the guild itself.
    pub guild: Option<Id<GuildMarker>>,
}

/// A frame that is no JSON object with a whole number as `op`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// The text breaks off or is no JSON.
    #[error("not a JSON object: unexpected text at byte {0}")]
    Syntax(usize),
    /// The object has no opcode.
    #[error("no opcode")]
    NoOpcode,
}

/// Reads the envelope of one frame.
///
/// # Errors
///
/// `Malformed` where the text ends early or is no JSON object. What the scan skips it does not validate.
pub fn scan(frame: &str) -> Result<Envelope<'_>, Malformed> {
    let mut scanner = Scanner { text: frame, bytes: frame.as_bytes(), at: 0 };
    let mut found = Found::default();
    scanner.whitespace();
    scanner.expect(b'{')?;
    let mut first = true;
    while let Some(key) = scanner.key(&mut first)? {
        match key.as_ref() {
            "op" => found.op = scanner.scalar()?.and_then(|scalar| scalar.parse().ok()),
            "s" => {
                found.sequence = scanner.scalar()?.and_then(|scalar| scalar.parse().ok());
                found.sequence_seen = true;
            }
            "t" => {
                found.kind = scanner.string_or_skip()?;
                found.kind_seen = true;
            }
            "d" if scanner.peek() == Some(b'{') => {
                if found.lacks_only_the_guild() && scanner.guild_by_name(&mut found)? {
                    break;
                }
                if scanner.data(&mut found)? {
                    break;
                }
            }
            _ => scanner.skip()?,
        }
    }
    found.envelope()
}

/// What was seen so far. The guild is decided at the end, because `t` may stand behind `d`.
#[derive(Default)]
struct Found<'a> {
    op: Option<u64>,
    sequence: Option<u64>,
    sequence_seen: bool,
    kind: Option<Cow<'a, str>>,
    kind_seen: bool,
    guild_id: Option<Id<GuildMarker>>,
    id: Option<Id<GuildMarker>>,
}

impl<'a> Found<'a> {
    /// Whether the event is about a guild itself, so that the guild's id is `d.id`.
    fn is_about_a_guild(&self) -> bool {
        matches!(self.kind.as_deref(), Some("GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE"))
    }

    /// Whether nothing that follows can change the envelope.
    fn is_complete(&self) -> bool {
        let guild = if self.is_about_a_guild() { self.id } else { self.guild_id };
        guild.is_some() && self.op.is_some() && self.sequence_seen && self.kind_seen
    }

    /// Whether all is read that stands beside `d`. Discord writes `d` last.
    fn lacks_only_the_guild(&self) -> bool {
        self.op.is_some() && self.sequence_seen && self.kind_seen
    }

    fn envelope(self) -> Result<Envelope<'a>, Malformed> {
        let guild = if self.is_about_a_guild() { self.id } else { self.guild_id };
        let op = self.op.ok_or(Malformed::NoOpcode)?;
        Ok(Envelope { op, sequence: self.sequence, kind: self.kind, guild })
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Looks in `d` for the guild without going through its members; true where the envelope is complete by it.
    fn guild_by_name(&mut self, found: &mut Found<'a>) -> Result<bool, Malformed> {
        let (finder, guild) =
            if found.is_about_a_guild() { (&*ID, &mut found.id) } else { (&*GUILD_ID, &mut found.guild_id) };
        let begin = self.at;
        let mut walk = Walk::new(self.bytes, begin + 1);
        let mut from = begin + 1;
        while let Some(ahead) = self.bytes.get(from..).and_then(|rest| finder.find(rest)) {
            let place = from + ahead;
            match walk.place(place) {
                Place::Own => {
                    self.at = place + finder.needle().len();
                    self.whitespace();
                    if self.peek() == Some(b':') {
                        self.at += 1;
                        self.whitespace();
                        *guild = self.guild()?;
                        return Ok(true);
                    }
                    self.at = begin;
                }
                Place::Other => {}
                Place::Outside => break,
            }
            from = place + 1;
        }
        // It has no such key, unless one that is spelled in another way.
        Ok(self.bytes.get(begin..).is_none_or(|rest| ESCAPED_LETTER.find(rest).is_none()))
    }

    /// Reads the members of `d`; true where the envelope is complete and the rest need not be read.
    fn data(&mut self, found: &mut Found<'a>) -> Result<bool, Malformed> {
        self.expect(b'{')?;
        let mut first = true;
        while let Some(key) = self.key(&mut first)? {
            match key.as_ref() {
                "guild_id" => found.guild_id = self.guild()?,
                "id" => found.id = self.guild()?,
                _ => {
                    self.skip()?;
                    continue;
                }
            }
            if found.is_complete() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next key of an object whose brace was read, or `None` behind its end. Leaves the cursor on the value.
    fn key(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.whitespace();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(None);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
            self.whitespace();
        }
        let key = self.string()?;
        self.whitespace();
        self.expect(b':')?;
        self.whitespace();
        Ok(Some(key))
    }

    /// A guild id, which Discord writes as a string. Anything else is none.
    fn guild(&mut self) -> Result<Option<Id<GuildMarker>>, Malformed> {
        let digits = match self.peek() {
            Some(b'"') => Some(self.string()?),
            _ => self.scalar()?.map(Cow::Borrowed),
        };
        Ok(digits.and_then(|digits| digits.parse().ok()).and_then(Id::new_checked))
    }

    /// The text of a number, `true`, `false` or `null`; `None`, and skipped, where the value is of another kind.
    fn scalar(&mut self) -> Result<Option<&'a str>, Malformed> {
        if matches!(self.peek(), Some(b'"' | b'{' | b'[')) {
            self.skip()?;
            return Ok(None);
        }
        let start = self.at;
        self.skip_scalar()?;
        Ok(self.text.get(start..self.at))
    }

    fn string_or_skip(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        if self.peek() == Some(b'"') {
            return self.string().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// A string, with its escapes resolved where it has any.
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let start = self.at;
        let escaped = self.skip_string()?;
        let quoted = self.text.get(start..self.at).ok_or(Malformed::Syntax(start))?;
        if escaped {
            return serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| Malformed::Syntax(start));
        }
        Ok(Cow::Borrowed(&quoted[1..quoted.len() - 1]))
    }

    /// Skips one value of any kind.
    fn skip(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.skip_string().map(drop),
            Some(b'{' | b'[') => self.skip_nested(),
            _ => self.skip_scalar(),
        }
    }

    fn skip_nested(&mut self) -> Result<(), Malformed> {
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Malformed::Syntax(self.at))
    }

    /// Skips a string; true where it has escapes.
    ///
    /// Byte by byte: most strings of a frame are so short that searching eight bytes at a time was not faster
    /// (measured).
    fn skip_string(&mut self) -> Result<bool, Malformed> {
        self.expect(b'"')?;
        let mut escaped = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                // The escaped byte is skipped with its backslash; the digits of \uXXXX are ordinary text to a skip.
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        Err(Malformed::Syntax(self.at))
    }

    fn skip_scalar(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.at == start { Err(Malformed::Syntax(start)) } else { Ok(()) }
    }

    fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Malformed::Syntax(self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(frame: &str, op: u64, sequence: Option<u64>, kind: Option<&str>, guild: Option<u64>) {
        let envelope = scan(frame).unwrap();
        let expected = Envelope { op, sequence, kind: kind.map(Cow::Borrowed), guild: guild.map(Id::new) };
        assert_eq!(envelope, expected, "{frame}");
    }

    #[test]
    fn a_dispatch_in_discords_order_is_read() {
        check(
            r#"{"t":"MESSAGE_CREATE","s":7,"op":0,"d":{"id":"1","author":{"guild_id":"5"},"guild_id":"9","content":"x"}}"#,
            0,
            Some(7),
            Some("MESSAGE_CREATE"),
            Some(9),
        );
    }

    #[test]
    fn the_guild_of_a_guild_event_is_its_own_id() {
        for kind in ["GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"] {
            check(
                &format!(r#"{{"d":{{"channels":[{{"guild_id":"4","id":"3"}}],"id":"8"}},"op":0,"s":1,"t":"{kind}"}}"#),
                0,
                Some(1),
                Some(kind),
                Some(8),
            );
        }
    }

    #[test]
    fn the_id_of_another_event_is_not_a_guild() {
        check(
            r#"{"t":"CHANNEL_PINS_UPDATE","s":2,"op":0,"d":{"id":"3"}}"#,
            0,
            Some(2),
            Some("CHANNEL_PINS_UPDATE"),
            None,
        );
    }

    #[test]
    fn frames_without_dispatch_have_no_sequence() {
        check(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#, 10, None, None, None);
        check(r#"{"op":11}"#, 11, None, None, None);
        check(" {\n\"op\" : 9 , \"d\" : false } ", 9, None, None, None);
    }

    #[test]
    fn text_that_looks_like_an_envelope_inside_a_string_is_skipped() {
        check(
            r#"{"d":{"content":"\\\",\"guild_id\":\"6\",\"op\":3}","nonce":"\\","guild_id":null},"t":"X","s":4,"op":0}"#,
            0,
            Some(4),
            Some("X"),
            None,
        );
    }

    #[test]
    fn escaped_keys_are_the_keys_that_they_spell() {
        check(r#"{"\u006fp":0,"s":1,"t":"\u0058","d":{"guild\u005fid":"\u0031"}}"#, 0, Some(1), Some("X"), Some(1));
    }

    #[test]
    fn ids_that_are_no_ids_are_none() {
        for id in [r#""""#, r#""0""#, r#""x""#, "0", "-1", "1.5", "true", "{}", "[]", r#""99999999999999999999""#] {
            check(&format!(r#"{{"op":0,"s":1,"t":"X","d":{{"guild_id":{id}}}}}"#), 0, Some(1), Some("X"), None);
        }
    }

    #[test]
    fn broken_frames_are_refused() {
        for frame in [
            "",
            "x",
            "[]",
            "{",
            "{}",
            r#"{"op"}"#,
            r#"{"op":}"#,
            r#"{"op":"0"}"#,
            r#"{"op":0,"d":{"a":[}"#,
            r#"{"op":0,"t":"\"#,
        ] {
            assert!(scan(frame).is_err(), "{frame}");
        }
    }

    /// JSON as text: serde_json's own maps would sort the keys and never write odd spaces or escapes.
    fn json() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<u64>().prop_map(|number| number.to_string()),
            any::<i32>().prop_map(|number| format!("{number}.5e1")),
            (1..9999u64).prop_map(|id| format!("\"{id}\"")),
            string(),
        ];
        scalar.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[ {} ]", items.join(" ,\t"))),
                object(inner, 0..6),
            ]
        })
    }

    fn string() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>().prop_map(|text| Value::String(text).to_string()),
            "[\"\\\\{}\\[\\],:a/]{0,8}".prop_map(|text| Value::String(text).to_string()),
            Just(r#""\ud83d\ude00\u0022\/\b""#.to_owned()),
        ]
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec!["op", "s", "t", "d", "id", "guild_id"]).prop_map(str::to_owned),
            "[a-z\"\\\\{}]{1,4}",
        ]
    }

    fn object(value: impl Strategy<Value = String>, size: std::ops::Range<usize>) -> impl Strategy<Value = String> {
        prop::collection::vec((key(), any::<bool>(), value), size).prop_map(|members| {
            let mut seen = std::collections::HashSet::new();
            let members: Vec<String> = members
                .into_iter()
                .filter(|(key, ..)| seen.insert(key.clone()))
                .map(|(key, escape, value)| {
                    let key = if escape {
                        format!(
                            "\"\\u{:04x}{}",
                            u32::from(key.as_bytes()[0]),
                            &Value::String(key[1..].to_owned()).to_string()[1..]
                        )
                    } else {
                        Value::String(key).to_string()
                    };
                    format!("{key} :\n{value}")
                })
                .collect();
            format!("{{{}}}", members.join(" , "))
        })
    }

    fn frame() -> impl Strategy<Value = String> {
        let kind = prop_oneof![
            prop::sample::select(vec!["GUILD_CREATE", "GUILD_DELETE", "GUILD_UPDATE", "MESSAGE_CREATE"])
                .prop_map(|kind| format!("\"{kind}\"")),
            json(),
        ];
        let members = (
            prop_oneof![Just("0".to_owned()), json()],
            prop_oneof![any::<u64>().prop_map(|sequence| sequence.to_string()), json()],
            kind,
            prop_oneof![3 => object(json(), 0..8), 1 => json()],
            json(),
        );
        members
            .prop_map(|(op, s, t, d, other)| {
                vec![
                    format!("\"op\":{op}"),
                    format!("\"s\" : {s}"),
                    format!("\"t\":{t}"),
                    format!("\"d\":{d} "),
                    format!("\"x\":{other}"),
                ]
            })
            .prop_shuffle()
            .prop_map(|members| format!(" {{ {}}}", members.join(",")))
    }

    /// The same by a full parse.
    fn reference(frame: &str) -> Option<Envelope<'static>> {
        let value: Value = serde_json::from_str(frame).expect("the strategy writes JSON");
        let kind = value["t"].as_str().map(str::to_owned);
        let id = match kind.as_deref() {
            Some("GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE") => &value["d"]["id"],
            _ => &value["d"]["guild_id"],
        };
        let id = id.as_u64().or_else(|| id.as_str()?.parse().ok());
        Some(Envelope {
            op: value["op"].as_u64()?,
            sequence: value["s"].as_u64(),
            kind: kind.map(Cow::Owned),
            guild: id.and_then(Id::new_checked),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn the_scan_agrees_with_a_full_parse(frame in frame()) {
            prop_assert_eq!(scan(&frame).ok(), reference(&frame), "{}", frame);
        }

        #[test]
        fn a_frame_in_discords_order_is_scanned_as_by_a_full_parse(
            kind in prop::sample::select(vec!["GUILD_CREATE", "MESSAGE_CREATE"]),
            d in object(prop_oneof![4 => json(), 1 => "[a-z{\"]{0,150}".prop_map(|text| Value::String(text).to_string())], 0..9),
            other in json(),
        ) {
            let frame = format!(r#"{{"t":"{kind}","s":1,"op":0,"d":{d},"x":{other}}}"#);
            prop_assert_eq!(scan(&frame).ok(), reference(&frame), "{}", frame);
        }

        #[test]
        fn no_text_makes_the_scan_panic(text in any::<String>(), frame in frame(), cut in any::<prop::sample::Index>()) {
            let _ = scan(&text);
            let mut end = cut.index(frame.len());
            while !frame.is_char_boundary(end) {
                end -= 1;
            }
            let _ = scan(&frame[..end]);
        }
    }
}
