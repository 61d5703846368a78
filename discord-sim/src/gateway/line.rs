//! The way from a session to the connection that it is attached to.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::wire::Wire;

/// A numbered event as a session sends it; clones share the mark that it was delivered.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Sequence within the session.
    pub sequence: u64,
    /// The payload.
    pub text: Arc<str>,
    pub(super) session: Arc<str>,
    delivered: Arc<AtomicBool>,
}

impl Frame {
    pub(super) fn new(session: &Arc<str>, sequence: u64, text: String) -> Self {
        Self { sequence, text: text.into(), session: Arc::clone(session), delivered: Arc::default() }
    }

    /// The mark alone, for who does not keep the text.
    pub(crate) fn mark(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.delivered)
    }

    /// Whether it was written to a socket.
    pub fn delivered(&self) -> bool {
        self.delivered.load(Ordering::Relaxed)
    }

    pub(super) fn was_delivered(&self) {
        self.delivered.store(true, Ordering::Relaxed);
    }
}

/// What a connection is to do, in this order.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    /// Sends an event.
    Event(Frame),
    /// Sends what is no event.
    Plain(Arc<str>),
    /// Sends nothing any more, and stays open.
    FallSilent,
    /// Breaks off within the next message.
    Cut,
    /// Sends a close frame with this code; `None` ends the connection without a word.
    Close(Option<u16>),
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By a close frame with this code.
    Close(u16),
    /// Without a close frame, by an orderly end of the TCP connection.
    Drop,
    /// By a TCP reset, at once: what is under way may be lost.
    Reset,
    /// In the middle of the next message.
    Cut,
}

/// Hands a connection its work.
#[derive(Clone, Debug)]
pub(super) struct Line {
    outbox: mpsc::UnboundedSender<Outgoing>,
    /// An end is in the queue, and what holds frames back before it must let go.
    pub(super) hurry: CancellationToken,
    /// The end is now.
    pub(super) abort: CancellationToken,
    pub(super) wire: Wire,
    session: Arc<Mutex<Option<String>>>,
}

impl Line {
    pub(super) fn new(wire: Wire) -> (Self, mpsc::UnboundedReceiver<Outgoing>) {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let line = Self {
            outbox,
            hurry: CancellationToken::new(),
            abort: CancellationToken::new(),
            wire,
            session: Arc::default(),
        };
        (line, inbox)
    }

    /// Whether it arrived; not when the connection is over.
    pub(super) fn send(&self, what: Outgoing) -> bool {
        self.outbox.send(what).is_ok()
    }

    pub(super) fn end(&self, ending: Ending) {
        match ending {
            Ending::Close(code) => {
                self.send(Outgoing::Close(Some(code)));
                self.hurry.cancel();
            }
            Ending::Drop => {
                self.send(Outgoing::Close(None));
                self.hurry.cancel();
            }
            Ending::Reset => {
                self.wire.reset_at_end();
                self.abort.cancel();
            }
            Ending::Cut => {
                self.send(Outgoing::Cut);
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.outbox.is_closed()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.outbox.same_channel(&other.outbox)
    }

    /// The session that was attached here last.
    pub(super) fn session(&self) -> Option<String> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn attach(&self, session: Option<String>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }
}
