//! What a handler is told about a record, and what it answers when it fails.

use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::{Headers, Message};

/// A handler's answer when it could not do its work: try again, wait, or give up.
#[derive(Debug)]
pub struct Failure {
    pub(super) then: Then,
    pub(super) error: anyhow::Error,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Retry,
    Wait,
    Discard,
}

impl Failure {
    /// The work may succeed later: the handler is called again after a pause, and later records of the key wait.
    ///
    /// ```
    /// # fn save() -> Result<(), std::io::Error> { Ok(()) }
    /// # use event_stream::Failure;
    /// # fn handler() -> Result<(), Failure> {
    /// save().map_err(Failure::retry)?;
    /// # Ok(()) }
    /// ```
    pub fn retry(error: impl Into<anyhow::Error>) -> Failure {
        Failure { then: Then::Retry, error: error.into() }
    }

    /// The work needs something that is away, a database for example, and says nothing against the record: as
    /// [`Failure::retry`], but no attempt is used up, however long it takes.
    pub fn wait(error: impl Into<anyhow::Error>) -> Failure {
        Failure { then: Then::Wait, error: error.into() }
    }

    /// The work will never succeed: the record becomes a dead letter at once.
    pub fn discard(error: impl Into<anyhow::Error>) -> Failure {
        Failure { then: Then::Discard, error: error.into() }
    }
}

/// Where a record came from, and for which time it is handled.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The record's place in it.
    pub offset: i64,
    /// Which call of the handler this is in this process, from 1.
    pub attempt: u32,
    /// Which assignment of the partition to this process this is: numbers are unique in the process; while the number
    /// stays, nobody else handled records of the partition in between. Only a process that the group took for dead, and that
    /// has not heard of it, can be wrong: it goes on for a moment beside whoever has the partition now, and what it commits
    /// is refused.
    pub assignment: u64,
    pub(super) message: Arc<Message>,
}

impl Meta {
    pub(super) fn of(message: &Arc<Message>, attempt: u32, assignment: u64) -> Meta {
        Meta {
            topic: Arc::clone(&message.topic),
            partition: message.partition,
            offset: message.offset,
            attempt,
            assignment,
            message: Arc::clone(message),
        }
    }

    /// The record's headers.
    pub fn headers(&self) -> &Headers {
        &self.message.headers
    }

    /// The record's key.
    pub fn key(&self) -> Option<&Bytes> {
        self.message.key.as_ref()
    }
}
