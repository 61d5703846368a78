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

const SUFFIX: &str = "-dead";

/// An error's text is cut here: a chain can quote a whole payload.
const LONGEST_TEXT: usize = 2_000;

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
    }
}

/// Whether somebody gave the record up, whatever else its headers say.
pub(super) fn is_letter(headers: &Headers) -> bool {
    headers.get(CLASS).is_some()
}

/// Writes `message` to the dead letters of its topic.
pub(crate) async fn bury(
    producer: &Producer,
    message: &Message,
    group: &str,
    attempts: u32,
    class: Class,
    error: &str,
) -> Result<(), Error> {
    let topic = topic(&message.topic);
    let record = Record {
        topic: &topic,
        key: message.key.as_deref(),
        headers: headers(message, group, attempts, class, error).finish(),
        payload: message.payload.as_deref(),
    };
    let delivery = producer.enqueue_record(None, record)?;
    delivery.await.map(|_| ())
}

fn headers(message: &Message, group: &str, attempts: u32, class: Class, error: &str) -> HeaderWriter {
    // A dead letter that was replayed and died again carries the marks of its first death: only the newest count.
    let mut headers = HeaderWriter::copy_of(&message.headers, |name| !name.starts_with(MARKS));
    let letter = DeadLetter {
        topic: message.topic.to_string(),
        partition: message.partition,
        offset: message.offset,
        group: group.to_owned(),
        attempts,
        class,
        error: error.to_owned(),
    };
    letter.write(&mut headers);
    headers
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
    };
    letter.write(headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: Headers) -> Message {
        Message { topic: "events".into(), partition: 3, offset: 17, key: None, headers, payload: None }
    }

    #[test]
    fn a_dead_letter_tells_where_it_came_from_and_why() {
        let message = message(Headers::from_pairs([("schema", &b"1"[..]), ("type", &b"X"[..])]));
        let headers = Headers::from(&headers(&message, "worker.events", 6, Class::Exhausted, "no database").finish());
        assert_eq!(headers.text("type"), Ok("X"));
        let expected = DeadLetter {
            topic: "events".to_owned(),
            partition: 3,
            offset: 17,
            group: "worker.events".to_owned(),
            attempts: 6,
            class: Class::Exhausted,
            error: "no database".to_owned(),
        };
        assert_eq!(DeadLetter::of(&headers), Ok(expected));
    }

    #[test]
    fn a_second_death_replaces_the_marks_of_the_first() {
        let first = Headers::from(&headers(&message(Headers::default()), "a", 1, Class::Panicked, "one").finish());
        let second = Headers::from(&headers(&message(first), "b", 2, Class::Discarded, "two").finish());
        let letter = DeadLetter::of(&second).unwrap();
        assert_eq!((letter.attempts, letter.class, letter.error.as_str()), (2, Class::Discarded, "two"));
        assert_eq!(second.iter().len(), 7);
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let headers = Headers::from(
            &headers(&message(Headers::default()), "g", 1, Class::Discarded, &"€".repeat(1_000)).finish(),
        );
        let error = DeadLetter::of(&headers).unwrap().error;
        assert_eq!(error.len(), 1_998);
    }
}
