//! What surrounds a payload on the wire: key and headers.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::Arc,
};

use bytes::Bytes;
use rdkafka::message::{BorrowedHeaders, Header, Headers as _, Message as _, OwnedHeaders};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

/// Header that says by which rules the others are read.
pub(crate) const SCHEMA: &str = "schema";

/// Stands for the name of a header that is not UTF-8.
const UNREADABLE: &str = "\u{fffd}";

/// The key of a record: records of one key stay in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The guild's id in decimal, or the bot's where there is no guild.
    pub fn guild_or_bot(guild: Option<Id<GuildMarker>>, bot: Id<ApplicationMarker>) -> Key {
        Key(guild.map_or(bot.get(), |guild| guild.get()).to_string())
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Writes the headers of one record.
pub struct HeaderWriter {
    // `OwnedHeaders` is passed by value through each insertion.
    headers: Option<OwnedHeaders>,
    scratch: String,
}

impl HeaderWriter {
    pub(crate) fn new(schema: u32) -> HeaderWriter {
        let mut writer = HeaderWriter { headers: Some(OwnedHeaders::new_with_capacity(10)), scratch: String::new() };
        writer.number(SCHEMA, schema);
        writer
    }

    /// Those headers of a record that was received that are to be sent on.
    pub(crate) fn copy_of(headers: &Headers, keep: impl Fn(&str) -> bool) -> HeaderWriter {
        let mut writer = HeaderWriter { headers: Some(OwnedHeaders::new_with_capacity(16)), scratch: String::new() };
        for (name, value) in headers.iter().filter(|(name, _)| keep(name)) {
            writer.insert(name, value);
        }
        writer
    }

    /// Adds a header with a text.
    pub fn text(&mut self, name: &'static str, value: &str) {
        self.insert(name, Some(value.as_bytes()));
    }

    /// Adds a header with a number, in decimal.
    pub fn number(&mut self, name: &'static str, value: impl std::fmt::Display) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        // Writing to a String cannot fail.
        let _ = write!(scratch, "{value}");
        self.insert(name, Some(scratch.as_bytes()));
        self.scratch = scratch;
    }

    fn insert(&mut self, key: &str, value: Option<&[u8]>) {
        self.headers = self.headers.take().map(|headers| headers.insert(Header { key, value }));
    }

    pub(crate) fn finish(self) -> OwnedHeaders {
        self.headers.unwrap_or_default()
    }
}

/// The headers of a received record: names with values, in their order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    entries: Vec<Entry>,
    // All names and values one after another: two allocations for a record instead of two for each header.
    buffer: Bytes,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: std::ops::Range<usize>,
    value: Option<std::ops::Range<usize>>,
}

impl Headers {
    /// Headers of these names and values.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Headers {
        Headers::collect(pairs.into_iter().map(|(name, value)| (name, Some(value))))
    }

    fn collect<'a>(pairs: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Headers {
        let mut entries = Vec::with_capacity(pairs.size_hint().0);
        let mut buffer = Vec::with_capacity(192);
        let mut append = |bytes: &[u8]| {
            let start = buffer.len();
            buffer.extend_from_slice(bytes);
            start..buffer.len()
        };
        for (name, value) in pairs {
            let name = append(name.as_bytes());
            entries.push(Entry { name, value: value.map(&mut append) });
        }
        Headers { entries, buffer: Bytes::from(buffer) }
    }

    /// The binding panics at a name that is not UTF-8, which any writer can send: nothing but the name's place is kept of
    /// such a header, so that it does not end the thread that reads for everybody.
    fn copied(headers: &BorrowedHeaders) -> Headers {
        let whole = || Headers::collect(headers.iter().map(|header| (header.key, header.value)));
        let one = |index| catch_unwind(AssertUnwindSafe(|| headers.get(index)));
        let each = || {
            let all = (0..headers.count()).map(one);
            Headers::collect(all.map(|header| header.map_or((UNREADABLE, None), |header| (header.key, header.value))))
        };
        catch_unwind(AssertUnwindSafe(whole)).unwrap_or_else(|_| each())
    }

    /// The value of the first header of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(entry, _)| *entry == name).and_then(|(_, value)| value)
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Option<&[u8]>)> {
        self.entries.iter().map(|entry| {
            let name = std::str::from_utf8(&self.buffer[entry.name.clone()]).unwrap_or_default();
            (name, entry.value.clone().map(|value| &self.buffer[value]))
        })
    }

    /// The value of a header that must be there, as text.
    ///
    /// # Errors
    ///
    /// When it is missing or not UTF-8.
    pub fn text(&self, name: &'static str) -> Result<&str, Undecodable> {
        let value = self.get(name).ok_or(Undecodable::Missing(name))?;
        std::str::from_utf8(value).map_err(|_| Undecodable::Malformed(name))
    }

    /// The value of a header that must be there, parsed.
    ///
    /// # Errors
    ///
    /// When it is missing or does not parse.
    pub fn parse<T: FromStr>(&self, name: &'static str) -> Result<T, Undecodable> {
        self.text(name)?.parse().map_err(|_| Undecodable::Malformed(name))
    }

    /// The value of a header that may be missing, parsed.
    ///
    /// # Errors
    ///
    /// When it is there and does not parse.
    pub fn parse_optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Undecodable> {
        self.get(name).map(|_| self.parse(name)).transpose()
    }

    /// Checks the schema number of the record.
    ///
    /// # Errors
    ///
    /// When it is missing or another one.
    pub fn expect_schema(&self, known: u32) -> Result<(), Undecodable> {
        match self.parse::<u32>(SCHEMA)? {
            schema if schema == known => Ok(()),
            unknown => Err(Undecodable::Schema { unknown, known }),
        }
    }
}

// Values can be what people wrote: only the names are shown.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl From<&OwnedHeaders> for Headers {
    fn from(headers: &OwnedHeaders) -> Headers {
        Headers::collect(headers.as_borrowed().iter().map(|header| (header.key, header.value)))
    }
}

/// A received record.
#[derive(Clone)]
pub struct Message {
    /// The topic it was read from.
    pub topic: Arc<str>,
    /// The partition it was read from.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
    /// Its value.
    pub payload: Option<Bytes>,
}

impl Message {
    pub(crate) fn copied(topic: &Arc<str>, message: &rdkafka::message::BorrowedMessage<'_>) -> Message {
        Message {
            topic: Arc::clone(topic),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(Bytes::copy_from_slice),
            headers: message.headers().map(Headers::copied).unwrap_or_default(),
            payload: message.payload().map(Bytes::copy_from_slice),
        }
    }

    /// The value, which must be there.
    ///
    /// # Errors
    ///
    /// When the record has none.
    pub fn body(&self) -> Result<&Bytes, Undecodable> {
        self.payload.as_ref().ok_or(Undecodable::NoPayload)
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("headers", &self.headers)
            .field("payload_bytes", &self.payload.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

/// Why a record is not what its topic promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// A header is missing.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// A header does not parse.
    #[error("header {0} does not parse")]
    Malformed(&'static str),
    /// The record was written by other rules than these.
    #[error("schema {unknown} is unknown; this reads {known}")]
    Schema {
        /// The record's.
        unknown: u32,
        /// The one that is read here.
        known: u32,
    },
    /// There is no value.
    #[error("the record has no value")]
    NoPayload,
    /// The value does not parse.
    #[error("the value does not parse: {0}")]
    Payload(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(writer: HeaderWriter) -> Headers {
        Headers::from(&writer.finish())
    }

    #[test]
    fn headers_come_back_in_their_order() {
        let mut writer = HeaderWriter::new(3);
        writer.text("type", "MESSAGE_CREATE");
        writer.number("shard", 17);
        let headers = written(writer);
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(
            all,
            [("schema", Some(&b"3"[..])), ("type", Some(&b"MESSAGE_CREATE"[..])), ("shard", Some(&b"17"[..])),]
        );
        assert_eq!(headers.parse::<u32>("shard"), Ok(17));
        assert_eq!(headers.text("nothing"), Err(Undecodable::Missing("nothing")));
        assert_eq!(headers.parse::<u8>("type"), Err(Undecodable::Malformed("type")));
        assert_eq!(headers.parse_optional::<u8>("nothing"), Ok(None));
    }

    #[test]
    fn a_copy_keeps_what_it_is_told_to_and_takes_more() {
        let original = Headers::from_pairs([("a", &b"1"[..]), ("a", &[0xff, 0][..]), ("b", &b""[..])]);
        let mut writer = HeaderWriter::copy_of(&original, |name| name != "b");
        writer.text("dead-class", "discarded");
        let headers = written(writer);
        let kept: Vec<_> = headers.iter().take(2).collect();
        assert_eq!(kept, original.iter().take(2).collect::<Vec<_>>());
        assert_eq!(headers.get("b"), None);
        assert_eq!(headers.text("dead-class"), Ok("discarded"));
    }

    #[test]
    fn another_schema_is_refused() {
        let headers = written(HeaderWriter::new(2));
        assert_eq!(headers.expect_schema(2), Ok(()));
        assert_eq!(headers.expect_schema(1), Err(Undecodable::Schema { unknown: 2, known: 1 }));
        assert_eq!(Headers::default().expect_schema(1), Err(Undecodable::Missing(SCHEMA)));
    }

    #[test]
    fn debug_output_shows_names_and_sizes_only() {
        let message = Message {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            key: None,
            headers: Headers::from_pairs([("type", &b"hush"[..])]),
            payload: Some(Bytes::from_static(b"hush")),
        };
        let shown = format!("{message:?}");
        assert!(shown.contains("type") && !shown.contains("hush"), "{shown}");
    }
}
