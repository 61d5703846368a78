//! What is written beside a record that dies: where it came from and why.

use crate::{
    envelope::{HeaderWriter, Headers, Message, Undecodable},
    error::Error,
    producer::{Producer, Record},
};

/// How the names of all these headers begin.
pub(super) const MARKS: &str = "dead-";
const TOPIC: &str = "dead-topic";
const PARTITION: &str = "dead-partition";
const OFFSET: &str = "dead-offset";
const GROUP: &str = "dead-group";
const ATTEMPTS: &str = "dead-attempts";
const CLASS: &str = "dead-class";
const ERROR: &str = "dead-error";
const LEFT_OUT: &str = "dead-left-out";

const SUFFIX: &str = "-dead";

/// An error's text is cut here: a chain can quote a whole payload.
const LONGEST_TEXT: usize = 2_000;

/// The same where the topic takes little.
const SHORT_TEXT: usize = 200;

/// A longer key is left out there.
const SHORT_KEY: usize = 64;

/// The topic beside `topic` that takes what its readers could not handle.
pub(crate) fn topic(topic: &str) -> String {
    format!("{topic}{SUFFIX}")
}

/// The topic whose dead letters `dead_letters` takes.
pub(super) fn origin(dead_letters: &str) -> &str {
    dead_letters.strip_suffix(SUFFIX).unwrap_or(dead_letters)
}

/// Why a record was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It is not what its topic promises.
    Undecodable,
    /// The handler said that trying again is no use.
    Discarded,
    /// The handler failed at every attempt.
    Exhausted,
    /// The handler panicked at the last attempt.
    Panicked,
    /// It was never written, because the topic does not take it: it is here without its value.
    Refused,
}

impl std::str::FromStr for Class {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Class, UnknownClass> {
        Class::ALL.into_iter().find(|known| known.as_str() == name).ok_or(UnknownClass)
    }
}

/// A text that names no [`Class`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no class of dead letters; there are undecodable, discarded, exhausted, panicked and refused")]
pub struct UnknownClass;

impl Class {
    /// Every class.
    pub const ALL: [Class; 5] =
        [Class::Undecodable, Class::Discarded, Class::Exhausted, Class::Panicked, Class::Refused];

    /// Its name in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Undecodable => "undecodable",
            Class::Discarded => "discarded",
            Class::Exhausted => "exhausted",
            Class::Panicked => "panicked",
            Class::Refused => "refused",
        }
    }
}

/// Where a dead letter came from and why it died; key, value and its own headers are the record's, unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic it was read from.
    pub topic: String,
    /// The partition there; -1 where it was never written.
    pub partition: i32,
    /// Its place there; -1 where it was never written.
    pub offset: i64,
    /// The consumer group that gave it up, another group may have handled it; or the writer that could not write it.
    pub group: String,
    /// How often the handler was called.
    pub attempts: u32,
    /// Why.
    pub class: Class,
    /// The last error with its sources, cut after 2,000 bytes.
    pub error: String,
    /// So many bytes of the record were left out, because the topic of its dead letters does not take as much: its value, or its
    /// value, headers and long key. `None` where the letter is whole, and where the record was never written.
    pub left_out: Option<u64>,
}

impl DeadLetter {
    /// Reads the headers that were added when the record died.
    ///
    /// # Errors
    ///
    /// When they are missing or do not parse.
    pub fn of(headers: &Headers) -> Result<DeadLetter, Undecodable> {
        Ok(DeadLetter {
            topic: headers.text(TOPIC)?.to_owned(),
            partition: headers.parse(PARTITION)?,
            offset: headers.parse(OFFSET)?,
            group: headers.text(GROUP)?.to_owned(),
            attempts: headers.parse(ATTEMPTS)?,
            class: headers.parse(CLASS)?,
            error: headers.text(ERROR)?.to_owned(),
            left_out: headers.parse_optional(LEFT_OUT)?,
        })
    }

    fn write(&self, headers: &mut HeaderWriter) {
        headers.text(TOPIC, &self.topic);
        headers.number(PARTITION, self.partition);
        headers.number(OFFSET, self.offset);
        headers.text(GROUP, &self.group);
        headers.number(ATTEMPTS, self.attempts);
        headers.text(CLASS, self.class.as_str());
        headers.text(ERROR, &self.error[..self.error.floor_char_boundary(LONGEST_TEXT)]);
        if let Some(bytes) = self.left_out {
            headers.number(LEFT_OUT, bytes);
        }
    }
}

/// Whether somebody gave the record up, whatever else its headers say.
pub(super) fn is_letter(headers: &Headers) -> bool {
    headers.get(CLASS).is_some()
}

/// What somebody gave up, and why.
#[derive(Clone, Copy)]
pub(crate) struct Death<'a> {
    pub(crate) message: &'a Message,
    pub(crate) group: &'a str,
    pub(crate) attempts: u32,
    pub(crate) class: Class,
    pub(crate) error: &'a str,
}

/// How much of a record its letter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// Key and headers.
    WithoutValue,
    /// A short key.
    Bare,
}

impl Extent {
    /// What to try where the topic does not take this.
    pub(crate) fn less(self) -> Option<Extent> {
        match self {
            Extent::Whole => Some(Extent::WithoutValue),
            Extent::WithoutValue => Some(Extent::Bare),
            Extent::Bare => None,
        }
    }
}

/// Writes a record to the dead letters of its topic.
pub(crate) async fn bury(producer: &Producer, death: Death<'_>, extent: Extent) -> Result<(), Error> {
    let message = death.message;
    let topic = topic(&message.topic);
    let record = Record {
        topic: &topic,
        partition: None,
        key: key(message, extent),
        headers: headers(death, extent).finish(),
        payload: message.payload.as_deref().filter(|_| extent == Extent::Whole),
    };
    let delivery = producer.enqueue_record(None, record)?;
    delivery.await.map(|_| ())
}

fn key(message: &Message, extent: Extent) -> Option<&[u8]> {
    message.key.as_deref().filter(|key| extent != Extent::Bare || key.len() <= SHORT_KEY)
}

fn headers(Death { message, group, attempts, class, error }: Death<'_>, extent: Extent) -> HeaderWriter {
    let bare = extent == Extent::Bare;
    // A dead letter that was replayed and died again carries the marks of its first death: only the newest count.
    let mut headers = HeaderWriter::copy_of(&message.headers, |name| !bare && !name.starts_with(MARKS));
    let longest = if bare { SHORT_TEXT } else { LONGEST_TEXT };
    let letter = DeadLetter {
        topic: message.topic.to_string(),
        partition: message.partition,
        offset: message.offset,
        group: group.to_owned(),
        attempts,
        class,
        error: error[..error.floor_char_boundary(longest)].to_owned(),
        left_out: left_out(message, extent),
    };
    letter.write(&mut headers);
    headers
}

fn left_out(message: &Message, extent: Extent) -> Option<u64> {
    let value = message.payload.as_ref().map_or(0, bytes::Bytes::len);
    let headers = message.headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
    let key = message.key.as_ref().map_or(0, bytes::Bytes::len) - key(message, extent).map_or(0, <[u8]>::len);
    let bytes = match extent {
        Extent::Whole => return None,
        Extent::WithoutValue => value,
        Extent::Bare => value + headers.sum::<usize>() + key,
    };
    u64::try_from(bytes).ok()
}

/// Marks a record that `client` could not write to `topic`.
pub(crate) fn mark_refused(headers: &mut HeaderWriter, topic: &str, client: &str, error: &Error) {
    let letter = DeadLetter {
        topic: topic.to_owned(),
        partition: -1,
        offset: -1,
        group: client.to_owned(),
        attempts: 0,
        class: Class::Refused,
        error: error.to_string(),
        left_out: None,
    };
    letter.write(headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: Headers) -> Message {
        Message { topic: "events".into(), partition: 3, offset: 17, key: None, headers, payload: None }
    }

    fn death<'a>(message: &'a Message, class: Class, error: &'a str) -> Death<'a> {
        Death { message, group: "worker.events", attempts: 6, class, error }
    }

    fn marked(message: &Message, class: Class, error: &str, extent: Extent) -> Headers {
        Headers::from(&headers(death(message, class, error), extent).finish())
    }

    #[test]
    fn a_dead_letter_tells_where_it_came_from_and_why() {
        let message = message(Headers::from_pairs([("schema", &b"1"[..]), ("type", &b"X"[..])]));
        let headers = marked(&message, Class::Exhausted, "no database", Extent::Whole);
        assert_eq!(headers.text("type"), Ok("X"));
        let expected = DeadLetter {
            topic: "events".to_owned(),
            partition: 3,
            offset: 17,
            group: "worker.events".to_owned(),
            attempts: 6,
            class: Class::Exhausted,
            error: "no database".to_owned(),
            left_out: None,
        };
        assert_eq!(DeadLetter::of(&headers), Ok(expected));
    }

    #[test]
    fn a_second_death_replaces_the_marks_of_the_first() {
        let first = marked(&message(Headers::default()), Class::Panicked, "one", Extent::WithoutValue);
        let second = marked(&message(first), Class::Discarded, "two", Extent::Whole);
        let letter = DeadLetter::of(&second).unwrap();
        assert_eq!((letter.left_out, letter.class, letter.error.as_str()), (None, Class::Discarded, "two"));
        assert_eq!(second.iter().len(), 7);
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let error = |extent| {
            let headers = marked(&message(Headers::default()), Class::Discarded, &"€".repeat(1_000), extent);
            DeadLetter::of(&headers).unwrap().error
        };
        assert_eq!([error(Extent::Whole).len(), error(Extent::Bare).len()], [1_998, 198]);
    }

    #[test]
    fn each_smaller_letter_tells_what_it_leaves_out() {
        let (short, long) = (bytes::Bytes::from_static(b"5"), bytes::Bytes::from(vec![b'k'; 65]));
        let record = |key: &bytes::Bytes| Message {
            key: Some(key.clone()),
            payload: Some("value".into()),
            ..message(Headers::from_pairs([("type", &b"X"[..]), ("guild", b"5")]))
        };
        for (extent, kept, left_out, with_long_key) in [
            (Extent::Whole, 2, None, None),
            (Extent::WithoutValue, 2, Some(5), Some(5)),
            (Extent::Bare, 0, Some(16), Some(81)),
        ] {
            let headers = marked(&record(&short), Class::Exhausted, "no", extent);
            assert_eq!(headers.iter().filter(|(name, _)| !name.starts_with(MARKS)).count(), kept, "{extent:?}");
            assert_eq!(DeadLetter::of(&headers).unwrap().left_out, left_out, "{extent:?}");
            assert_eq!(key(&record(&short), extent), Some(&b"5"[..]));
            let headers = marked(&record(&long), Class::Exhausted, "no", extent);
            assert_eq!(DeadLetter::of(&headers).unwrap().left_out, with_long_key, "{extent:?}");
            assert_eq!(key(&record(&long), extent).is_some(), extent != Extent::Bare);
        }
    }
}
