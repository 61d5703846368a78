use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long the work in flight may take after a stop was asked for.
pub(super) const GRACE: Duration = Duration::from_secs(25);

/// A task of a service ended early, failed, panicked, or outlived the time for stopping. It has been logged.
#[derive(Debug, Clone, thiserror::Error)]
#[error("task {task} of {service} {how}")]
pub struct TaskFailed {
    pub(super) service: &'static str,
    pub(super) task: &'static str,
    pub(super) how: String,
}

/// A stop was asked for while the service was still waiting for `for_what`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stopped while waiting for {for_what}")]
pub struct Stopped {
    pub(super) for_what: &'static str,
}

/// What all services of a process share: how it stops, and why.
#[derive(Debug)]
pub(super) struct Process {
    soft: CancellationToken,
    hard: CancellationToken,
    grace: Duration,
    failure: Mutex<Option<TaskFailed>>,
}

impl Process {
    pub(super) fn new(grace: Duration) -> Arc<Process> {
        Arc::new(Process {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            grace,
            failure: Mutex::new(None),
        })
    }

    pub(super) fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    pub(super) fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    pub(super) fn stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Begins the soft stop; the hard one follows when the grace is over.
    pub(super) fn begin_stop(&self) {
        if self.soft.is_cancelled() {
            return;
        }
        self.soft.cancel();
        if let Ok(runtime) = Handle::try_current() {
            let (hard, grace) = (self.hard.clone(), self.grace);
            runtime.spawn(async move {
                tokio::time::sleep(grace).await;
                hard.cancel();
            });
        }
    }

    /// Keeps the first failure and begins the stop.
    pub(super) fn fail(&self, failure: TaskFailed) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.begin_stop();
    }

    pub(super) fn failure(&self) -> Option<TaskFailed> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
