//! Whether a server answers, when it may be asked again, and what of that has been said.

use std::time::Duration;

use common::{backoff, service::Dependency};
use tokio::time::Instant;

use crate::config::Pace;

/// A told wait of nothing would be a loop without a pause.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// A server that may be away. Each change is logged once, each failure is not.
pub struct Reach {
    dependency: Dependency,
    pace: Pace,
    failures: Box<dyn Iterator<Item = Duration> + Send>,
    /// When it may be asked again.
    opens: Instant,
    /// Why it is no use, as the log says already.
    said: Option<String>,
}

impl Reach {
    /// One that was not asked yet.
    #[must_use]
    pub fn new(dependency: Dependency, pace: &Pace) -> Self {
        Self { dependency, pace: *pace, failures: failures(pace), opens: Instant::now(), said: None }
    }

    /// When it may be asked again; `None` where at once.
    #[must_use]
    pub fn opens(&self) -> Option<Instant> {
        Some(self.opens).filter(|opens| *opens > Instant::now())
    }

    /// It did what it was asked.
    pub fn answered(&mut self) {
        (self.failures, self.opens) = (failures(&self.pace), Instant::now());
        self.dependency.up();
        if self.said.take().is_some() {
            let name = self.dependency.name();
            tracing::info!(dependency = name, "{name} works again");
        }
    }

    /// It told to wait for so long, and nothing is wrong.
    pub fn wait(&mut self, wait: Duration) {
        self.opens = Instant::now() + wait.max(SHORTEST_WAIT);
    }

    /// It did not answer, which passes. `reason` is shown and holds no secret.
    pub fn away(&mut self, reason: String) {
        let longest = self.pace.longest_retry;
        self.opens = Instant::now() + self.failures.next().unwrap_or(longest).min(longest);
        if self.is_news(&reason) {
            let name = self.dependency.name();
            tracing::warn!(dependency = name, "{name} fails, trying again: {reason}");
        }
        self.down(reason);
    }

    /// It answered what only a person can change. `reason` is shown and holds no secret.
    pub fn refused(&mut self, reason: String) {
        self.opens = Instant::now() + self.pace.pause;
        if self.is_news(&reason) {
            let pause = self.pace.pause.as_secs() / 60;
            tracing::error!(
                dependency = self.dependency.name(),
                "{reason}; it is tried again in {pause} minutes, and at a restart"
            );
        }
        self.down(reason);
    }

    fn is_news(&self, reason: &str) -> bool {
        self.said.as_deref() != Some(reason)
    }

    fn down(&mut self, reason: String) {
        self.dependency.down(&reason);
        self.said = Some(reason);
    }
}

fn failures(pace: &Pace) -> Box<dyn Iterator<Item = Duration> + Send> {
    Box::new(backoff::exponential(pace.first_retry, pace.longest_retry))
}
