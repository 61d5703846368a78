use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tracing::Instrument;

use super::{Stopped, TaskFailed, process::Process};

/// Runs a task and turns its early end into a failure of the process.
pub(super) async fn supervise(
    process: Arc<Process>,
    service: &'static str,
    task: &'static str,
    future: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) {
    let span = tracing::error_span!("service", service, task);
    let watched = async {
        let outcome = process.hard().run_until_cancelled(AssertUnwindSafe(future).catch_unwind()).await;
        if let Some((how, logged)) = failure(&process, outcome) {
            let failed = TaskFailed { service, task, how };
            if !logged {
                tracing::error!("{failed}; the process stops");
            }
            process.fail(failed);
        }
    };
    watched.instrument(span).await;
}

type Outcome = Option<Result<anyhow::Result<()>, Box<dyn Any + Send>>>;

/// How the task failed, if it did, and whether the log has it already.
fn failure(process: &Process, outcome: Outcome) -> Option<(String, bool)> {
    match outcome {
        Some(Ok(Ok(()))) if process.stopping() => None,
        Some(Ok(Err(error))) if process.stopping() && error.is::<Stopped>() => None,
        Some(Ok(Ok(()))) => Some(("ended before the process was told to stop".to_owned(), false)),
        // A service inside of another fails with the failure of its own task.
        Some(Ok(Err(error))) => Some((format!("failed: {error:#}"), error.is::<TaskFailed>())),
        Some(Err(panic)) => Some((format!("panicked: {}", panic_message(&*panic)), false)),
        None => Some(("was dropped: it did not finish in the time for stopping".to_owned(), false)),
    }
}

/// The text of a panic.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
