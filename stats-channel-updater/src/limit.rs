//! How often the channel is renamed at most.

use std::time::Duration;

use tokio::time::Instant;

/// Two renames in any time of this length.
///
/// The gate knows the limit too, and what another process renamed; this one spares it the questions.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    window: Duration,
    last: Option<Instant>,
    before: Option<Instant>,
}

impl Limit {
    /// Nothing was renamed yet.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, last: None, before: None }
    }

    /// A rename was answered, or may have been done. It counts from its answer on: it reached Discord no later.
    pub fn count(&mut self) {
        self.before = self.last.replace(Instant::now());
    }

    /// When the next rename may be; `None` where at once.
    #[must_use]
    pub fn opens(&self) -> Option<Instant> {
        self.before.map(|before| before + self.window).filter(|opens| *opens > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_third_rename_waits_for_the_first_to_be_ten_minutes_old() {
        let (mut limit, start) = (Limit::new(10 * MINUTE), Instant::now());
        assert_eq!(limit.opens(), None);
        limit.count();
        tokio::time::advance(4 * MINUTE).await;
        assert_eq!(limit.opens(), None);
        limit.count();
        assert_eq!(limit.opens(), Some(start + 10 * MINUTE));
        tokio::time::advance(6 * MINUTE).await;
        assert_eq!(limit.opens(), None);
        limit.count();
        assert_eq!(limit.opens(), Some(start + 14 * MINUTE));
    }
}
