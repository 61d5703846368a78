//! Calls a handler until it succeeds, gives up or is told to stop.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    bounds::Retries,
    failure::{Failure, Then},
    gate::{Gate, Permit, Rank},
};
use crate::dead_letters::Class;

/// How the work on a record ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It succeeded.
    Done,
    /// It will not: the record is to be a dead letter.
    Dead { attempts: u32, class: Class, error: String },
    /// It was stopped and is to be done again by whoever owns the partition next.
    Abandoned,
}

/// How a call of a handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Retry,
    Wait,
    Discard,
    Panic,
}

impl How {
    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            How::Retry => "retry",
            How::Wait => "wait",
            How::Discard => "discard",
            How::Panic => "panic",
        }
    }
}

/// What the work on a record obeys.
pub(super) struct Rules<'a> {
    pub(super) retries: &'a Retries,
    /// One permit per call of a handler; none is held during a pause.
    pub(super) gate: &'a Arc<Gate>,
    /// How urgent the lane of the record is.
    pub(super) rank: &'a Rank,
    /// No further attempt begins.
    pub(super) halted: &'a CancellationToken,
    /// The attempt that runs is dropped.
    pub(super) abandoned: &'a CancellationToken,
}

/// Calls `call` with the number of the attempt, from 1, and `failed` after each that failed or panicked.
///
/// `turn` is what the lane still holds of its record before. After a success it holds the turn of that call, for the next one to
/// be asked with; after all else nothing.
pub(super) async fn attempt<F>(
    rules: &Rules<'_>,
    turn: &mut Option<Permit>,
    mut call: impl FnMut(u32) -> F,
    failed: impl Fn(u32, How, &str),
) -> Outcome
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut attempts = 0;
    let mut waited = 0;
    loop {
        let had = turn.take();
        let permit = tokio::select! {
            biased;
            () = rules.halted.cancelled() => return Outcome::Abandoned,
            permit = rules.gate.enter(rules.rank, had) => permit,
        };
        attempts += 1;
        // The call is inside, because a handler can panic before it returns a future.
        let guarded = AssertUnwindSafe(async { call(attempts).await }).catch_unwind();
        let result = tokio::select! {
            biased;
            () = rules.abandoned.cancelled() => return Outcome::Abandoned,
            result = guarded => result,
        };
        let (how, error) = match result {
            Ok(Ok(())) => {
                *turn = Some(permit);
                return Outcome::Done;
            }
            Ok(Err(Failure { then, error })) => (How::from(then), format!("{error:#}")),
            Err(panic) => (How::Panic, panic_text(&*panic)),
        };
        drop(permit);
        failed(attempts, how, &error);
        let own = attempts - waited;
        let (pause, class) = match how {
            How::Discard => (None, Class::Discarded),
            How::Wait => {
                waited += 1;
                (Some(rules.retries.pause(waited)), Class::Exhausted)
            }
            How::Retry => (rules.retries.pause_after(own), Class::Exhausted),
            How::Panic => (rules.retries.pause_after(own), Class::Panicked),
        };
        let Some(pause) = pause else { return Outcome::Dead { attempts, class, error } };
        tokio::select! {
            biased;
            () = rules.halted.cancelled() => return Outcome::Abandoned,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl From<Then> for How {
    fn from(then: Then) -> How {
        match then {
            Then::Retry => How::Retry,
            Then::Wait => How::Wait,
            Then::Discard => How::Discard,
        }
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a text"))
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        future::{pending, ready},
        io,
        time::{Duration, Instant},
    };

    use tokio::sync::Notify;

    use super::*;
    use crate::{Bounds, kind::Priority};

    const NEVER: Duration = Duration::from_secs(3_600);

    struct Case {
        retries: Retries,
        gate: Arc<Gate>,
        rank: Rank,
        halted: CancellationToken,
        abandoned: CancellationToken,
    }

    impl Case {
        fn new(first: Duration) -> Case {
            let gate = Arc::new(Gate::new(1, &Bounds::default()));
            Case {
                retries: Retries { attempts: 3, first, longest: NEVER },
                rank: gate.rank(Priority::Normal),
                gate,
                halted: CancellationToken::new(),
                abandoned: CancellationToken::new(),
            }
        }

        fn rules(&self) -> Rules<'_> {
            self.rules_of(&self.rank)
        }

        fn rules_of<'a>(&'a self, rank: &'a Rank) -> Rules<'a> {
            let Case { retries, gate, halted, abandoned, .. } = self;
            Rules { retries, gate, rank, halted, abandoned }
        }
    }

    fn away() -> Failure {
        Failure::retry(io::Error::other("away"))
    }

    #[tokio::test]
    async fn a_failure_is_tried_again_after_growing_pauses() {
        let case = Case::new(Duration::from_millis(10));
        let begun = Instant::now();
        let calls = RefCell::new(Vec::new());
        let call = |number| {
            calls.borrow_mut().push((number, begun.elapsed()));
            ready(if number < 3 { Err(away()) } else { Ok(()) })
        };
        assert_eq!(attempt(&case.rules(), &mut None, call, |_, _, _| {}).await, Outcome::Done);
        let calls = calls.into_inner();
        assert_eq!(calls.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(calls[1].1 >= Duration::from_millis(10) && calls[2].1 >= Duration::from_millis(30), "{calls:?}");
    }

    #[tokio::test]
    async fn used_up_attempts_tell_the_last_error() {
        let case = Case::new(Duration::ZERO);
        let failures = RefCell::new(Vec::new());
        let failed = |number, how, error: &str| failures.borrow_mut().push((number, how, error.to_owned()));
        let call = |number| ready(Err(Failure::retry(io::Error::other(format!("away {number}")))));
        let outcome = attempt(&case.rules(), &mut None, call, failed).await;
        let expected = Outcome::Dead { attempts: 3, class: Class::Exhausted, error: "away 3".to_owned() };
        assert_eq!(outcome, expected);
        assert_eq!(*failures.borrow(), [1, 2, 3].map(|number| (number, How::Retry, format!("away {number}"))));
    }

    #[tokio::test]
    async fn waiting_uses_no_attempt_up() {
        let mut case = Case::new(Duration::ZERO);
        case.retries.longest = Duration::ZERO;
        // Away, then three failures of its own, among them away again.
        let call = |number| {
            ready(Err(match number {
                1..=50 | 52 => Failure::wait(io::Error::other("the database is away")),
                _ => Failure::retry(io::Error::other("no")),
            }))
        };
        let outcome = attempt(&case.rules(), &mut None, call, |_, _, _| {}).await;
        assert_eq!(outcome, Outcome::Dead { attempts: 54, class: Class::Exhausted, error: "no".to_owned() });
    }

    #[tokio::test]
    async fn a_panic_is_a_failed_attempt_wherever_it_happens() {
        let case = Case::new(Duration::ZERO);
        let call = |number| {
            assert!(number != 1, "before the future");
            async move {
                assert!(number != 2, "in the future");
                Err(Failure::discard(io::Error::other("no")))
            }
        };
        let outcome = attempt(&case.rules(), &mut None, call, |_, _, _| {}).await;
        assert_eq!(outcome, Outcome::Dead { attempts: 3, class: Class::Discarded, error: "no".to_owned() });
    }

    #[tokio::test]
    async fn a_pause_holds_no_permit_and_halting_ends_it() {
        let case = Case::new(NEVER);
        let (rules, mut turn) = (case.rules(), None);
        let first_failed = Notify::new();
        let first = attempt(&rules, &mut turn, |_| ready(Err(away())), |_, _, _| first_failed.notify_one());
        let second = async {
            first_failed.notified().await;
            // Only one may run at once.
            let other = case.gate.rank(Priority::Normal);
            let outcome = attempt(&case.rules_of(&other), &mut None, |_| ready(Ok(())), |_, _, _| {}).await;
            case.halted.cancel();
            outcome
        };
        assert_eq!(tokio::join!(first, second), (Outcome::Abandoned, Outcome::Done));
    }

    #[tokio::test]
    async fn halting_lets_a_call_finish_and_begins_none() {
        let case = Case::new(NEVER);
        let rules = case.rules();
        let call = |_| async {
            case.halted.cancel();
            tokio::task::yield_now().await;
            Ok(())
        };
        assert_eq!(attempt(&rules, &mut None, call, |_, _, _| {}).await, Outcome::Done);
        assert_eq!(attempt(&rules, &mut None, |_| async { unreachable!() }, |_, _, _| {}).await, Outcome::Abandoned);
    }

    #[tokio::test]
    async fn abandoning_drops_the_call_where_it_stands() {
        let case = Case::new(NEVER);
        let (rules, mut turn) = (case.rules(), None);
        let begun = Notify::new();
        let call = |_| async {
            begun.notify_one();
            pending().await
        };
        let abandon = async {
            begun.notified().await;
            case.abandoned.cancel();
        };
        let (outcome, ()) = tokio::join!(attempt(&rules, &mut turn, call, |_, _, _| {}), abandon);
        assert_eq!(outcome, Outcome::Abandoned);
    }
}
