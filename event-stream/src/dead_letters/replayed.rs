//! Which dead letters were replayed: a mark in the topic of the dead letters itself.
//!
//! Behind its letter in the same log, so the brokers never delete it before the letter, and it goes with the topic: a
//! topic that is made anew begins at offset 0 again, and marks kept elsewhere would speak of letters that are gone.

use std::collections::HashMap;

use super::{id::LetterId, letter::is_letter};
use crate::{
    envelope::{HeaderWriter, Headers, Message},
    producer::Record,
};

/// The letter that a mark is about.
const LETTER: &str = "replayed-letter";
/// Where the record lies now.
const TO: &str = "replayed-to";

/// The offset of each letter that was replayed: one bit for each offset from the first that was asked for.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    partitions: HashMap<i32, Bits>,
}

#[derive(Debug, Default)]
struct Bits {
    first: i64,
    words: Vec<u64>,
}

impl Replayed {
    /// Makes room for the letters of a partition between two offsets; marks of others are passed over.
    pub(super) fn expect(&mut self, partition: i32, offsets: std::ops::Range<i64>) {
        let count = usize::try_from(offsets.end - offsets.start).unwrap_or(0);
        self.partitions.insert(partition, Bits { first: offsets.start, words: vec![0; count.div_ceil(64)] });
    }

    /// Reads a record of the topic: notes what a mark says.
    pub(super) fn read(&mut self, message: &Message) {
        if let Some(id) = marked(message)
            && *id.topic == *message.topic
            && let Some((word, bit)) = self.place(&id)
            && let Some(word) = self.partitions.get_mut(&id.partition).and_then(|bits| bits.words.get_mut(word))
        {
            *word |= bit;
        }
    }

    /// Whether a letter was replayed.
    pub(super) fn has(&self, id: &LetterId) -> bool {
        let Some((word, bit)) = self.place(id) else { return false };
        let words = self.partitions.get(&id.partition).map(|bits| &bits.words);
        words.and_then(|words| words.get(word)).is_some_and(|word| word & bit != 0)
    }

    fn place(&self, id: &LetterId) -> Option<(usize, u64)> {
        let index = usize::try_from(id.offset - self.partitions.get(&id.partition)?.first).ok()?;
        Some((index / 64, 1 << (index % 64)))
    }
}

/// Whether a record of a topic of dead letters is a mark, and no letter.
pub(super) fn is_mark(message: &Message) -> bool {
    marked(message).is_some()
}

/// The letter that a record is a mark for; `None` where the record is a letter, whatever headers it died with.
fn marked(message: &Message) -> Option<LetterId> {
    if message.payload.is_some() || is_letter(&message.headers) {
        return None;
    }
    message.headers.text(LETTER).ok()?.parse().ok()
}

/// The mark for a letter that lies at `to` now; in the partition of the letter, for only there it lies behind it, and only
/// there it is looked for.
pub(super) fn mark<'a>(id: &'a LetterId, key: &'a str, to: &str) -> Record<'a> {
    let mut headers = HeaderWriter::copy_of(&Headers::default(), |_| true);
    headers.text(LETTER, key);
    headers.text(TO, to);
    Record {
        topic: &id.topic,
        partition: Some(id.partition),
        key: Some(key.as_bytes()),
        headers: headers.finish(),
        payload: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(offset: i64) -> LetterId {
        LetterId { topic: "e-dead".to_owned(), partition: 0, offset }
    }

    fn mark_of(letter: &str) -> Message {
        let headers = Headers::from_pairs([(LETTER, letter.as_bytes())]);
        Message { topic: "e-dead".into(), partition: 0, offset: 900, key: None, headers, payload: None }
    }

    #[test]
    fn exactly_the_marked_letters_are_replayed() {
        let mut replayed = Replayed::default();
        replayed.expect(0, 100..300);
        for marked in ["e-dead/0/100", "e-dead/0/163", "e-dead/0/164", "e-dead/0/299"] {
            replayed.read(&mark_of(marked));
        }
        // Before and behind what was asked for, of another partition or topic, no id.
        for foreign in ["e-dead/0/99", "e-dead/0/4000", "e-dead/1/101", "other/0/101", "nonsense"] {
            replayed.read(&mark_of(foreign));
        }
        let marked: Vec<_> = (0..5_000).filter(|offset| replayed.has(&id(*offset))).collect();
        assert_eq!(marked, [100, 163, 164, 299]);
        assert!(!replayed.has(&LetterId { partition: 1, ..id(100) }));
    }

    #[test]
    fn a_letter_is_never_taken_for_a_mark() {
        let mark = mark_of("e-dead/0/7");
        assert!(is_mark(&mark));
        assert!(!is_mark(&Message { payload: Some(bytes::Bytes::new()), ..mark.clone() }));
        assert!(!is_mark(&Message { headers: Headers::default(), ..mark.clone() }));
        // A tombstone that carried the header of a mark, and died.
        let headers = Headers::from_pairs([(LETTER, &b"e-dead/0/7"[..]), ("dead-class", b"undecodable")]);
        let letter = Message { headers, ..mark };
        assert!(!is_mark(&letter));
    }
}
