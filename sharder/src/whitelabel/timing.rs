use std::time::Duration;

/// How often things are looked at. No variables: tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The longest time between two looks at the table; the wait is three quarters of it at least.
    pub sweep: Duration,
    /// The least time between two, however many signals come.
    pub breath: Duration,
    /// The first wait before a bot that failed starts again; it doubles up to a minute.
    pub restart: Duration,
    /// How long one process alone may try to tell an owner. Longer than the two calls that it takes, and shorter than
    /// Discord remembers a nonce (a few minutes): who died after the message was sent has it sent again, and Discord
    /// does not show it twice.
    pub notice: Duration,
}

impl Default for Timing {
    /// A sweep takes its time too: what changed without a signal is found within 30 s.
    fn default() -> Self {
        Self {
            sweep: Duration::from_secs(25),
            breath: Duration::from_millis(100),
            restart: Duration::from_secs(1),
            notice: Duration::from_secs(60),
        }
    }
}

impl Timing {
    /// The wait until the next sweep, not the same for all processes.
    pub(super) fn until_next_sweep(&self) -> Duration {
        self.sweep.mul_f64(rand::random_range(0.75..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sweeps_are_less_than_30_s_apart_and_no_two_waits_are_the_same() {
        let timing = Timing::default();
        let waits: Vec<_> = (0..100).map(|_| timing.until_next_sweep()).collect();
        assert!(waits.iter().all(|wait| *wait >= timing.sweep.mul_f64(0.75) && *wait <= timing.sweep));
        // What is left is for the look itself: a connection that is waited for (3 s), and the query.
        assert!(timing.sweep <= Duration::from_secs(25));
        assert!(waits.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
