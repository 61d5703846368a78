//! What a handler is told about a record, and what it answers when it fails.

use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::{Headers, Message};

/// A handler's answer when it could not do its work: try again, or not.
#[derive(Debug)]
pub struct Failure {
    pub(super) again: bool,
    pub(super) error: anyhow::Error,
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
        Failure { again: true, error: error.into() }
    }

    /// The work will never succeed: the record becomes a dead letter at once.
    pub fn discard(error: impl Into<anyhow::Error>) -> Failure {
        Failure { again: false, error: error.into() }
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
    pub(super) message: Arc<Message>,
}

impl Meta {
    pub(super) fn of(message: &Arc<Message>, attempt: u32) -> Meta {
        Meta {
            topic: Arc::clone(&message.topic),
            partition: message.partition,
            offset: message.offset,
            attempt,
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
