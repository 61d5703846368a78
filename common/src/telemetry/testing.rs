//! For tests: what is logged, as the lines that a process would write.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use serde_json::Value;
use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber},
};
use tracing_subscriber::{fmt::layer, layer::SubscriberExt};

use super::json::{Fields, Json};

/// Beside a single subscriber tracing asks only the thread that comes to a line first whether anybody listens, and keeps
/// "no" for all threads (tracing-core 0.1.36, `callsite::Dispatchers`). This one makes it ask all of them.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

/// Collects what this thread logs from now on, until the guard is dropped.
///
/// On this thread alone: a test that is to see the lines of its tasks runs them on it, as `#[tokio::test]` does.
pub fn capture(service: &'static str) -> (Lines, DefaultGuard) {
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = layer().fmt_fields(Fields).event_format(Json { service }).with_writer(move || writer.clone());
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    (lines, guard)
}

/// The lines so far.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Each line as JSON, without those that are none.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8_lossy(&bytes).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The messages of those lines that have this field with this value.
    #[must_use]
    pub fn with(&self, field: &str, value: &str) -> Vec<String> {
        let lines = self.all().into_iter().filter(|line| line[field] == value);
        lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_another_thread_came_to_first_is_captured() {
        let say = || tracing::info!("said");
        let (lines, _captured) = capture("test");
        std::thread::spawn(say).join().unwrap();
        say();
        assert_eq!(lines.all().len(), 1);
    }
}
