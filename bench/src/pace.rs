//! Calls at a steady rate, however late the answers are.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::events::count;

/// How many calls, and when.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Calls in a second.
    pub(crate) rate: u32,
    /// Calls in all.
    pub(crate) calls: u32,
    /// Each sends its share of the calls at its own times.
    pub(crate) threads: u32,
}

/// Makes the calls, each thread with what `open` gave it, and tells how long each took, in their order.
pub(crate) fn send<Open: Send>(
    pace: Pace,
    open: impl Fn() -> anyhow::Result<Open> + Sync,
    call: impl Fn(&mut Open, u32) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Vec<Duration>> {
    // When all threads have their connections.
    let start = Instant::now() + Duration::from_millis(200);
    thread::scope(|scope| {
        let one = |number: u32| {
            let (open, call) = (&open, &call);
            scope.spawn(move || send_share(pace, number, start, open, call))
        };
        let threads: Vec<_> = (0..pace.threads).map(one).collect();
        let mut all = Vec::with_capacity(usize::try_from(pace.calls)?);
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a thread that sends panicked"))??);
        }
        all.sort_unstable_by_key(|(number, _)| *number);
        Ok(all.into_iter().map(|(_, took)| took).collect())
    })
}

/// What one thread sends: one of so many calls as there are threads.
fn send_share<Open>(
    Pace { rate, calls, threads }: Pace,
    number: u32,
    start: Instant,
    open: impl Fn() -> anyhow::Result<Open>,
    call: impl Fn(&mut Open, u32) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<(u32, Duration)>> {
    let (mut open, mut took) = (open()?, Vec::new());
    let mut number = number;
    while number < calls {
        // A call that is late because of the one before counts from when it was due, and its wait counts; one that is late
        // because this thread woke late counts from then.
        let mut begin = start + Duration::from_secs(1) * number / rate;
        if let Some(left) = begin.checked_duration_since(Instant::now()) {
            thread::sleep(left);
            begin = Instant::now();
        }
        call(&mut open, number)?;
        took.push((number, begin.elapsed()));
        number += threads;
    }
    Ok(took)
}

/// The same from one thread that never sleeps, for a process with a core of its own: no call waits for a thread to wake. In place
/// of threads there are so many at once.
pub(crate) async fn spin<Open>(
    Pace { rate, calls, threads }: Pace,
    open: impl AsyncFn() -> anyhow::Result<Open>,
    call: impl AsyncFn(&mut Open, u32) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    let mut opened = Vec::new();
    for number in 0..threads {
        opened.push((number, open().await?));
    }
    let (start, call) = (Instant::now() + Duration::from_millis(200), &call);
    let share = |(mut number, mut open): (u32, Open)| async move {
        let mut took = Vec::new();
        while number < calls {
            let due = start + Duration::from_secs(1) * number / rate;
            while Instant::now() < due {
                tokio::task::yield_now().await;
            }
            call(&mut open, number).await?;
            took.push((number, due.elapsed()));
            number += threads;
        }
        anyhow::Ok(took)
    };
    let mut all = try_join_all(opened.into_iter().map(share)).await?.concat();
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, took)| took).collect())
}

/// What calls took, in microseconds of each round.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Took {
    pub(crate) p50: Vec<f64>,
    pub(crate) p95: Vec<f64>,
    pub(crate) p99: Vec<f64>,
    pub(crate) max: Vec<f64>,
}

impl Took {
    /// Adds a round.
    pub(crate) fn push(&mut self, mut took: Vec<Duration>) {
        took.sort_unstable();
        self.p50.push(micros(quantile(&took, 0.5)));
        self.p95.push(micros(quantile(&took, 0.95)));
        self.p99.push(micros(quantile(&took, 0.99)));
        self.max.push(micros(quantile(&took, 1.0)));
    }

    /// Adds rounds of another process.
    pub(crate) fn join(&mut self, rounds: Took) {
        let Took { p50, p95, p99, max } = rounds;
        self.p50.extend(p50);
        self.p95.extend(p95);
        self.p99.extend(p99);
        self.max.extend(max);
    }
}

/// The least that so large a share does not exceed; zero of nothing.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * count(sorted.len() as u64)).ceil();
    sorted.iter().zip(1_u32..).find(|(_, number)| f64::from(*number) >= rank).map_or(Duration::ZERO, |(took, _)| *took)
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let of = |share| quantile(&sorted, share).as_millis();
        assert_eq!((of(0.5), of(0.99), of(1.0)), (100, 198, 200));
        assert_eq!(quantile(&[], 0.99), Duration::ZERO);
    }
}
