//! REST disturbances by chance, drawn from a seed.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::rest::RestFault;

/// Of the 429s, one in so many is Cloudflare's page; the others are evenly of the four scopes.
const PAGES: u32 = 25;
/// Waits that a 429 tells, in milliseconds.
const WAITS: std::ops::Range<u64> = 200..3000;
/// Short stalls, in milliseconds.
const STALLS: std::ops::Range<u64> = 1000..5000;
/// One stall in so many is longer than anybody waits.
const LONG_STALLS: u32 = 5;
/// A long stall.
const LONG_STALL: Duration = Duration::from_secs(60);

/// What befalls requests of bots, at random: nothing, or one of the disturbances with its share. The same seed draws the same for the
/// same requests in the same order.
///
/// It blows while it is `state.storm`. When it is taken away, those that it stalls go on.
#[derive(Debug)]
pub struct Storm {
    seed: u64,
    rng: StdRng,
    shares: Shares,
    /// So many times shorter are all waits and stalls.
    pace: u32,
    drawn: u64,
    calm: Calm,
}

/// Shares of all requests, between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Shares {
    limits: f64,
    errors: f64,
    lost: f64,
    stalls: f64,
    callbacks: f64,
}

#[derive(Debug)]
struct Calm(CancellationToken);

impl Drop for Calm {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Storm {
    /// Of a hundred requests four are limited, two fail, the answers of two are lost, and one is stalled; the answers to interactions a
    /// quarter as often, for they have three seconds in all.
    pub fn new(seed: u64) -> Self {
        let shares = Shares { limits: 0.04, errors: 0.02, lost: 0.02, stalls: 0.01, callbacks: 0.25 };
        Self { seed, rng: StdRng::seed_from_u64(seed), shares, pace: 1, drawn: 0, calm: Calm(CancellationToken::new()) }
    }

    /// Nothing but what is named afterwards.
    pub fn empty(seed: u64) -> Self {
        Self::new(seed).limits(0.0).errors(0.0).lost(0.0).stalls(0.0)
    }

    /// This share is answered 429: `user`, `shared`, `global`, or a limit within the route that the headers do not show, evenly, and now
    /// and then Cloudflare's page. The waits are 0.2 to 3 s, the page's 1 to 3 s. Until its end a wait refuses all that it is about.
    pub fn limits(mut self, share: f64) -> Self {
        self.shares.limits = share;
        self
    }

    /// This share is answered 500, 502, 503 or 504, without effect.
    pub fn errors(mut self, share: f64) -> Self {
        self.shares.errors = share;
        self
    }

    /// This share is carried out and then answered 500, or the connection ends within the answer.
    pub fn lost(mut self, share: f64) -> Self {
        self.shares.lost = share;
        self
    }

    /// This share waits for 1 to 5 s, or one in five for a minute, before the effect or after it.
    pub fn stalls(mut self, share: f64) -> Self {
        self.shares.stalls = share;
        self
    }

    /// Answers to interactions are disturbed this much as often as other requests.
    pub fn callbacks(mut self, factor: f64) -> Self {
        self.shares.callbacks = factor;
        self
    }

    /// All happens so many times faster: waits and stalls are as much shorter. Cloudflare's page tells whole seconds, so it comes as much
    /// more rarely instead.
    pub fn faster(mut self, times: u32) -> Self {
        self.pace = times.max(1);
        self
    }

    /// How many requests it could befall so far.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Ends with the storm.
    pub(crate) fn calm(&self) -> CancellationToken {
        self.calm.0.clone()
    }

    /// What befalls the next request. One that is authorised `by_token` in its path knows no global limit.
    pub(crate) fn draw(&mut self, is_callback: bool, by_token: bool) -> Option<RestFault> {
        let Shares { limits, errors, lost, stalls, callbacks } = self.shares;
        self.drawn += 1;
        let factor = if is_callback { callbacks } else { 1.0 };
        let mut chance: f64 = self.rng.random();
        let mut is = |share: f64| {
            let hit = chance < share * factor;
            chance -= share * factor;
            hit
        };
        if is(limits) {
            return Some(self.limit(by_token));
        }
        if is(errors) {
            return Some(RestFault::ServerError([500, 502, 503, 504][self.rng.random_range(0..4)]));
        }
        if is(lost) {
            let breaks = self.rng.random();
            return Some(if breaks { RestFault::BreakAfterEffect } else { RestFault::FailAfterEffect });
        }
        is(stalls).then(|| self.stall())
    }

    fn limit(&mut self, by_token: bool) -> RestFault {
        let wait = Duration::from_millis(self.rng.random_range(WAITS));
        if self.rng.random_range(0..PAGES * self.pace) == 0 {
            return RestFault::BanPage { retry_after: wait };
        }
        let retry_after = wait / self.pace;
        match self.rng.random_range(0..4) {
            0 => RestFault::InnerLimited { retry_after },
            1 => RestFault::RateLimited { retry_after, scope: "shared" },
            2 if !by_token => RestFault::RateLimited { retry_after, scope: "global" },
            _ => RestFault::RateLimited { retry_after, scope: "user" },
        }
    }

    fn stall(&mut self) -> RestFault {
        let long = self.rng.random_range(0..LONG_STALLS) == 0;
        let time = if long { LONG_STALL } else { Duration::from_millis(self.rng.random_range(STALLS)) } / self.pace;
        if self.rng.random() { RestFault::Delay(time) } else { RestFault::Hold(time) }
    }
}

impl Serialize for Storm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told {
            seed: u64,
            #[serde(flatten)]
            shares: Shares,
        }
        Told { seed: self.seed, shares: self.shares }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(mut storm: Storm, is_callback: bool, by_token: bool) -> Vec<RestFault> {
        (0..20_000).filter_map(|_| storm.draw(is_callback, by_token)).collect()
    }

    #[track_caller]
    fn about(count: usize, expected: f64) {
        let count = u32::try_from(count).map(f64::from).unwrap();
        assert!((count - expected).abs() < 0.2 * expected, "{count} instead of {expected}");
    }

    fn count(faults: &[RestFault], matches: impl Fn(&RestFault) -> bool) -> usize {
        faults.iter().filter(|fault| matches(fault)).count()
    }

    #[test]
    fn a_seed_draws_always_the_same() {
        assert_eq!(drawn(Storm::new(7), false, false), drawn(Storm::new(7), false, false));
        assert_ne!(drawn(Storm::new(7), false, false), drawn(Storm::new(8), false, false));
    }

    #[test]
    fn each_kind_has_its_share() {
        let faults = drawn(Storm::new(1).limits(0.4).errors(0.2).lost(0.2).stalls(0.1), false, false);
        about(count(&faults, |fault| fault.refusal().is_some()), 8000.0);
        about(count(&faults, |fault| matches!(fault, RestFault::ServerError(_))), 4000.0);
        for status in [500, 502, 503, 504] {
            about(count(&faults, |fault| *fault == RestFault::ServerError(status)), 1000.0);
        }
        about(count(&faults, |fault| *fault == RestFault::FailAfterEffect), 2000.0);
        about(count(&faults, |fault| *fault == RestFault::BreakAfterEffect), 2000.0);
        about(count(&faults, |fault| matches!(fault, RestFault::Delay(_))), 1000.0);
        about(count(&faults, |fault| matches!(fault, RestFault::Hold(_))), 1000.0);
        about(
            count(
                &faults,
                |fault| matches!(fault, RestFault::Delay(time) | RestFault::Hold(time) if *time == LONG_STALL),
            ),
            400.0,
        );
    }

    #[test]
    fn limits_are_evenly_of_all_scopes_and_rarely_a_page() {
        let faults = drawn(Storm::empty(2).limits(1.0), false, false);
        let scoped =
            |name| count(&faults, |fault| matches!(fault, RestFault::RateLimited { scope, .. } if *scope == name));
        for scope in ["user", "shared", "global"] {
            about(scoped(scope), 4800.0);
        }
        about(count(&faults, |fault| matches!(fault, RestFault::InnerLimited { .. })), 4800.0);
        about(count(&faults, |fault| matches!(fault, RestFault::BanPage { .. })), 800.0);
        let waits = faults.iter().filter_map(|fault| Some(fault.refusal()?.wait().as_millis()));
        assert!(waits.clone().all(|wait| (200..=3000).contains(&wait)), "{:?}", waits.max());
        let by_token = drawn(Storm::empty(2).limits(1.0), false, true);
        let is_global = |fault: &RestFault| matches!(fault, RestFault::RateLimited { scope: "global", .. });
        assert_eq!(count(&by_token, is_global), 0);
    }

    #[test]
    fn answers_to_interactions_are_disturbed_less() {
        let storm = || Storm::empty(3).errors(0.4);
        about(drawn(storm(), true, true).len(), 2000.0);
        about(drawn(storm().callbacks(1.0), true, true).len(), 8000.0);
        assert_eq!(drawn(storm().callbacks(0.0), true, true), []);
    }

    #[test]
    fn stalls_are_of_seconds_and_now_and_then_too_long_for_anybody() {
        let mut storm = Storm::empty(1).stalls(1.0);
        let stalls: Vec<_> = (0..20).filter_map(|_| storm.draw(false, false)).collect();
        let long = |fault: &RestFault| *fault == RestFault::Delay(LONG_STALL) || *fault == RestFault::Hold(LONG_STALL);
        assert!((1..10).contains(&count(&stalls, long)), "{stalls:?}");
        let times = stalls.iter().map(|fault| match fault {
            RestFault::Delay(time) | RestFault::Hold(time) => *time,
            other => panic!("{other:?} is no stall"),
        });
        assert!(times.filter(|time| *time != LONG_STALL).all(|time| (1..=5).contains(&time.as_secs())));
    }

    #[test]
    fn a_faster_one_has_shorter_waits_and_fewer_pages() {
        let faults = drawn(Storm::empty(4).limits(0.5).stalls(0.5).faster(10), false, false);
        let pages = count(&faults, |fault| matches!(fault, RestFault::BanPage { .. }));
        assert!((10..90).contains(&pages), "{pages}");
        for fault in faults {
            let (time, most) = match fault {
                RestFault::Delay(time) | RestFault::Hold(time) => (time, LONG_STALL / 10),
                RestFault::RateLimited { retry_after, .. } | RestFault::InnerLimited { retry_after } => {
                    (retry_after, Duration::from_millis(300))
                }
                _ => continue,
            };
            assert!(time <= most, "{fault:?}");
        }
    }

    #[test]
    fn a_storm_that_is_taken_away_lets_go_of_those_it_stalls() {
        let storm = Storm::new(1);
        let calm = storm.calm();
        assert!(!calm.is_cancelled());
        drop(storm);
        assert!(calm.is_cancelled());
    }
}
