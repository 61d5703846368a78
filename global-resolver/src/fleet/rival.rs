use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Another process with this instance's own address, as a configuration that was copied makes one: calls that it should
/// get are waited for in vain.
#[derive(Default)]
pub(super) struct Rival(Mutex<Option<Seen>>);

/// A lease by our own address that is not ours.
struct Seen {
    value: String,
    first: Instant,
    last: Instant,
    told: bool,
}

impl Rival {
    /// Redis named this lease. That of a process before us ends by itself; one that is older than a lease can be is renewed.
    pub(super) fn saw(&self, value: String, lease: Duration, url: &str) {
        let (mut seen, now) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        match &mut *seen {
            Some(seen) if seen.value == value => {
                seen.last = now;
                if seen.is_alive(lease) && !seen.told {
                    seen.told = true;
                    tracing::error!(
                        "another process has the RESOLVER_URL {url} too, and each must have its own: calls of bots that it \
                         sends for wait here in vain"
                    );
                }
            }
            _ => *seen = Some(Seen { value, first: now, last: now, told: false }),
        }
    }

    /// Whether there is one, by what was seen within the last minute.
    pub(super) fn is_there(&self, lease: Duration) -> bool {
        const RECENT: Duration = Duration::from_secs(60);
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().is_some_and(|seen| seen.is_alive(lease) && seen.last.elapsed() < RECENT)
    }
}

impl Seen {
    fn is_alive(&self, lease: Duration) -> bool {
        self.last - self.first > lease
    }
}
