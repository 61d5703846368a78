//! What is known of one limit: of a route, or of the routes that share a hash, within one channel, guild or webhook.

use std::time::Duration;

use tokio::time::Instant;

use super::{fair::Fair, lesson::Window};

/// A bucket that nothing was heard of for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(10 * 60);

/// Instants of Discord's clock that differ by less are the same: it tells milliseconds.
const SAME: f64 = 0.002;

/// One bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    known: Known,
    /// Sent, or chosen to be sent, and not answered.
    on_the_way: u32,
    /// Discord refused until then.
    closed: Option<Instant>,
    /// After a refusal one goes at a time, until one passes.
    careful: bool,
    /// Always one at a time: what Discord tells of this route is not to be relied on.
    shy: bool,
    touched: Instant,
    /// Those that wait for it.
    pub(super) waiting: Fair<u64>,
    /// When somebody will look at it next.
    pub(super) due: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    /// Nothing yet: one request finds out.
    Nothing,
    /// An answer that told of no limit.
    NoLimit,
    /// A number of requests for each period.
    Limit {
        limit: u32,
        /// Left of the period, those on the way not counted.
        remaining: u32,
        /// When the period is over, by our clock and by Discord's; none before its first request is answered.
        ends: Option<(Instant, f64)>,
    },
}

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Free {
    /// At once.
    Now,
    /// Not before.
    At(Instant),
    /// When one that is on the way is answered.
    AfterAnAnswer,
}

impl Bucket {
    /// A bucket that was not used yet; `limit` where others of its hash told.
    pub(super) fn new(limit: Option<u32>, shy: bool, now: Instant) -> Self {
        let known = limit.map_or(Known::Nothing, |limit| Known::Limit { limit, remaining: limit, ends: None });
        Self {
            known,
            on_the_way: 0,
            closed: None,
            careful: false,
            shy,
            touched: now,
            waiting: Fair::default(),
            due: None,
        }
    }

    /// Whether the next request may go.
    pub(super) fn free(&mut self, now: Instant) -> Free {
        if let Some(until) = self.closed(now) {
            return Free::At(until);
        }
        let one_by_one = self.careful || self.shy;
        if one_by_one && self.on_the_way > 0 {
            return Free::AfterAnAnswer;
        }
        match &mut self.known {
            Known::Nothing if self.on_the_way > 0 => Free::AfterAnAnswer,
            Known::Nothing | Known::NoLimit => Free::Now,
            Known::Limit { limit, remaining, ends } => {
                if let Some((end, _)) = *ends
                    && end <= now
                {
                    (*remaining, *ends) = (*limit, None);
                }
                match *ends {
                    _ if *remaining > self.on_the_way => Free::Now,
                    // Those on the way may count for the next period.
                    Some((end, _)) if self.on_the_way < *limit => Free::At(end),
                    _ => Free::AfterAnAnswer,
                }
            }
        }
    }

    /// Until when Discord refuses.
    pub(super) fn closed(&self, now: Instant) -> Option<Instant> {
        self.closed.filter(|until| *until > now)
    }

    /// A request was chosen.
    pub(super) fn chosen(&mut self, now: Instant) {
        self.on_the_way += 1;
        self.touched = now;
    }

    /// A request was answered, or is given up.
    pub(super) fn ended(&mut self, now: Instant) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
        self.touched = now;
    }

    /// An answer told how things stand.
    pub(super) fn told(&mut self, window: Option<Window>, passed: bool, now: Instant) {
        if passed {
            self.careful = false;
        }
        let Some(window) = window else {
            if passed && matches!(self.known, Known::Nothing) {
                self.known = Known::NoLimit;
            }
            return;
        };
        let end = now + window.reset_after;
        let at = window.reset.unwrap_or(f64::INFINITY);
        self.known = match self.known {
            // An answer that was overtaken: it tells of an earlier moment.
            Known::Limit { ends: Some((_, known)), .. } if at + SAME < known && at.is_finite() => return,
            Known::Limit { remaining, ends: Some((known_end, known)), .. }
                if (at - known).abs() < SAME || (at.is_infinite() && end < known_end) =>
            {
                Known::Limit {
                    limit: window.limit,
                    remaining: remaining.min(window.remaining),
                    ends: Some((known_end.max(end), known)),
                }
            }
            _ => Known::Limit { limit: window.limit, remaining: window.remaining, ends: Some((end, at)) },
        };
    }

    /// Discord refused.
    pub(super) fn refused(&mut self, until: Instant) {
        self.closed = self.closed.max(Some(until));
        self.careful = true;
        if let Known::Limit { remaining, ends, .. } = &mut self.known {
            (*remaining, *ends) = (0, Some((until, f64::NEG_INFINITY)));
        }
    }

    /// Somebody else may have sent: one request finds out how much is left.
    pub(super) fn unsure(&mut self) {
        self.known = Known::Nothing;
    }

    /// This is the same bucket as `old`, by another name.
    pub(super) fn take_over(&mut self, old: &Bucket, now: Instant) {
        self.on_the_way += old.on_the_way;
        if let Some(until) = old.closed(now) {
            self.refused(until);
        }
    }

    /// Whether nothing waits and nothing is on the way.
    pub(super) fn is_unused(&self) -> bool {
        self.on_the_way == 0 && self.waiting.is_empty()
    }

    /// Whether there is nothing worth remembering.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.is_unused() && self.closed(now).is_none() && now - self.touched >= FORGOTTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn window(limit: u32, remaining: u32, reset_after: f64, reset: f64) -> Option<Window> {
        Some(Window { limit, remaining, reset_after: Duration::from_secs_f64(reset_after), reset: Some(reset) })
    }

    fn send(bucket: &mut Bucket, now: Instant) -> u32 {
        let mut sent = 0;
        while bucket.free(now) == Free::Now && sent < 100 {
            bucket.chosen(now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn one_request_finds_out_and_the_others_wait_for_its_answer() {
        let now = Instant::now();
        let mut bucket = Bucket::new(None, false, now);
        assert_eq!(send(&mut bucket, now), 1);
        assert_eq!(bucket.free(now), Free::AfterAnAnswer);
        bucket.ended(now);
        bucket.told(window(5, 4, 1.0, 10.0), true, now);
        assert_eq!(send(&mut bucket, now), 4);
        assert_eq!(bucket.free(now), Free::At(now + SECOND));
    }

    #[test]
    fn answers_without_limits_hold_up_nobody() {
        let now = Instant::now();
        let mut bucket = Bucket::new(None, false, now);
        send(&mut bucket, now);
        bucket.ended(now);
        bucket.told(None, true, now);
        assert_eq!(send(&mut bucket, now), 100);
    }

    #[test]
    fn a_new_channel_of_a_known_route_starts_with_all_of_its_limit() {
        let now = Instant::now();
        assert_eq!(send(&mut Bucket::new(Some(5), false, now), now), 5);
        assert_eq!(send(&mut Bucket::new(Some(5), true, now), now), 1, "unless its headers are not to be relied on");
    }

    #[test]
    fn answers_in_another_order_than_their_requests_do_not_add_to_what_remains() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Some(5), false, now);
        assert_eq!(send(&mut bucket, now), 5);
        for remaining in [1, 4, 0, 3, 2] {
            bucket.ended(now);
            bucket.told(window(5, remaining, 1.0, 10.0), true, now);
        }
        assert_eq!(bucket.free(now), Free::At(now + SECOND));
        // An answer of the period before, that took long.
        bucket.told(window(5, 5, 0.0, 9.0), true, now);
        assert_eq!(bucket.free(now), Free::At(now + SECOND));
        assert_eq!(send(&mut bucket, now + SECOND), 5);
    }

    #[test]
    fn what_is_on_the_way_counts_for_the_next_period_too() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Some(2), false, now);
        assert_eq!(send(&mut bucket, now), 2);
        bucket.ended(now);
        bucket.told(window(2, 1, 1.0, 10.0), true, now);
        // One is on the way still, and Discord may count it in either period.
        assert_eq!(send(&mut bucket, now), 0);
        assert_eq!(send(&mut bucket, now + SECOND), 1);
    }

    #[test]
    fn after_a_refusal_nothing_goes_before_the_time_and_then_one_by_one() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Some(5), false, now);
        bucket.chosen(now);
        bucket.ended(now);
        bucket.refused(now + 2 * SECOND);
        assert_eq!(bucket.free(now), Free::At(now + 2 * SECOND));
        assert_eq!(bucket.free(now + 2 * SECOND - Duration::from_millis(1)), Free::At(now + 2 * SECOND));
        assert_eq!(send(&mut bucket, now + 2 * SECOND), 1);
        bucket.ended(now + 2 * SECOND);
        bucket.told(window(5, 4, 1.0, 12.0), true, now + 2 * SECOND);
        assert_eq!(send(&mut bucket, now + 2 * SECOND), 4);
    }

    #[test]
    fn it_is_forgotten_when_nothing_was_heard_of_it_for_long() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Some(5), false, now);
        bucket.chosen(now);
        assert!(!bucket.is_stale(now + FORGOTTEN), "one is on the way");
        bucket.ended(now);
        assert!(!bucket.is_stale(now + FORGOTTEN - SECOND));
        assert!(bucket.is_stale(now + FORGOTTEN));
    }
}
