use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use common::discord;
use futures_util::Stream;
use tokio::{sync::oneshot, time::sleep_until};
use tokio_util::task::AbortOnDropHandle;
use twilight_gateway::{Message, Shard, ShardState, error::ReceiveMessageError, queue::Queue};

use super::{Line, Permit};

/// The gate before one shard's IDENTIFY: the queue that twilight asks, and the last look before the shard goes on.
///
/// twilight would identify whenever it comes to read the queue's answer, be it minutes late. So the answer is given
/// only by [`next`](Self::next), in the very step in which the shard then sends, and only while the permit holds.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    line: Line,
    shard: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The shard waits for it.
    wanted: Option<oneshot::Sender<()>>,
    /// Waits in line for the shard; also while it connects anew, so that it keeps its place.
    waiting: Option<AbortOnDropHandle<()>>,
    permit: Option<Permit>,
    /// Whether the IDENTIFY is out that the shard asked for last.
    out: bool,
    refused: Option<discord::Error>,
    waker: Option<Waker>,
}

/// What came of a step of a shard.
pub enum Passed {
    /// What the shard itself says.
    Item(Option<Result<Message, ReceiveMessageError>>),
    /// Discord refuses the token.
    Refused(discord::Error),
}

impl Queue for Gate {
    fn enqueue(&self, _: u32) -> oneshot::Receiver<()> {
        let (wanted, answer) = oneshot::channel();
        let mut state = self.0.lock();
        state.wanted = Some(wanted);
        state.out = false;
        if state.waiting.as_ref().is_none_or(AbortOnDropHandle::is_finished) {
            let wait = wait(Arc::downgrade(&self.0), self.0.line.clone(), self.0.shard);
            state.waiting = Some(AbortOnDropHandle::new(tokio::spawn(wait)));
        }
        answer
    }
}

impl Gate {
    pub(super) fn new(line: Line, shard: u32) -> Self {
        Self(Arc::new(Inner { line, shard, state: Mutex::default() }))
    }

    /// The next message of the shard, which has this gate as its queue. Cancel safe, as the shard itself is.
    pub async fn next(&self, shard: &mut Shard<Gate>) -> Passed {
        poll_fn(|cx| {
            // Nothing to guard, and thousands of events a second.
            if shard.state().is_identified() {
                return Pin::new(&mut *shard).poll_next(cx).map(Passed::Item);
            }
            let permit = match self.open(cx) {
                Ok(permit) => permit,
                Err(error) => return Poll::Ready(Passed::Refused(error)),
            };
            let polled = Pin::new(&mut *shard).poll_next(cx).map(Passed::Item);
            if let Some(permit) = permit {
                self.0.line.note(&permit);
                let line = self.0.line.clone();
                tokio::spawn(async move { line.used(permit).await });
            }
            polled
        })
        .await
    }

    /// Whether Discord was sent the shard's IDENTIFY and has not answered it on this connection.
    #[must_use]
    pub fn awaits_ready(&self, shard: &Shard<Gate>) -> bool {
        shard.state() == ShardState::Identifying && self.0.lock().out
    }

    /// Tells the shard to identify, if it waits for that and may. The permit is for the shard's next step.
    fn open(&self, cx: &Context<'_>) -> Result<Option<Permit>, discord::Error> {
        let mut state = self.0.lock();
        state.waker = Some(cx.waker().clone());
        if let Some(error) = state.refused.take() {
            return Err(error);
        }
        if state.wanted.is_some()
            && let Some(permit) = state.permit.take_if(|permit| permit.holds())
            && let Some(wanted) = state.wanted.take()
        {
            if wanted.send(()).is_ok() {
                state.waiting = None;
                state.out = true;
                return Ok(Some(permit));
            }
            // The shard connects anew, and will ask again.
            state.permit = Some(permit);
        }
        Ok(None)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits in line, again and again until a permit was used or nobody wants one.
async fn wait(gate: Weak<Inner>, line: Line, shard: u32) {
    loop {
        let permit = line.permit(shard).await;
        let Some(inner) = gate.upgrade() else { return };
        let until = {
            let mut state = inner.lock();
            let until = match permit {
                Ok(permit) => {
                    let until = permit.until();
                    state.permit = Some(permit);
                    Some(until)
                }
                Err(error) => {
                    state.refused = Some(error);
                    None
                }
            };
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
            until
        };
        drop(inner);
        let Some(until) = until else { return };
        sleep_until(until).await;
        let Some(inner) = gate.upgrade() else { return };
        let unused = inner.lock().permit.take();
        drop(inner);
        if let Some(permit) = unused {
            line.unused(permit).await;
        }
        let Some(inner) = gate.upgrade() else { return };
        let mut state = inner.lock();
        if state.wanted.as_ref().is_none_or(oneshot::Sender::is_closed) {
            state.waiting = None;
            return;
        }
    }
}
