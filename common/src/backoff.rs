//! How repeated attempts are spaced.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Waits between attempts that double from `first` to `longest`, with jitter, without end.
///
/// Bound it with [`Iterator::take`] where the attempts must end.
pub fn exponential(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_jitter().without_max_times().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_never_end() {
        let waits: Vec<_> = exponential(Duration::from_millis(10), Duration::from_millis(80)).take(50).collect();
        assert_eq!(waits.len(), 50);
        assert!(waits[0] >= Duration::from_millis(10), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(160)), "{waits:?}");
        assert!(waits[49] >= Duration::from_millis(80), "{waits:?}");
    }
}
