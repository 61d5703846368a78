//! What all bots behind one address have in common: Cloudflare's bans, and the count of invalid requests that leads there.

use std::{collections::VecDeque, time::Duration};

use common::discord::Priority;
use tokio::time::Instant;

use super::ramp::{Gone, Ramp};

/// The period over which Discord counts invalid requests; 10,000 in it get the address banned.
const PERIOD: Duration = Duration::from_secs(10 * 60);
/// So many are told to the operator.
pub(super) const WARNING: usize = 2_000;
/// From so many on nothing is sent that nobody waits for.
pub(super) const BULK: usize = 5_000;
/// From so many on nothing is sent at all.
pub(super) const ALL: usize = 8_000;
/// Requests are counted together for so long.
const GRAIN: Duration = Duration::from_secs(1);
/// Others are told of so many seconds at once.
const TOLD: Duration = Duration::from_secs(10);

/// The address.
#[derive(Debug, Default)]
pub(super) struct Address {
    banned: Option<Instant>,
    /// How it opens again after a ban.
    ramp: Ramp,
    /// How many invalid requests were answered from an instant on for a second, the oldest first.
    invalid: VecDeque<(Instant, usize)>,
    count: usize,
    /// How many others behind the address have counted, and until when these count.
    others: Vec<(Instant, usize)>,
}

/// How far the breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breaker {
    /// Everything goes.
    Closed,
    /// Everything goes, and somebody should look.
    Warning,
    /// What nobody waits for does not go.
    Bulk,
    /// Nothing goes.
    All,
}

impl Breaker {
    /// Its name for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Breaker::Closed => "closed",
            Breaker::Warning => "warning",
            Breaker::Bulk => "bulk",
            Breaker::All => "all",
        }
    }
}

impl Address {
    /// Until when a call of this priority must wait.
    pub(super) fn closed_until(&mut self, priority: Priority, now: Instant) -> Option<Instant> {
        self.forget(now);
        let most = match priority {
            Priority::Interactive => ALL,
            Priority::Bulk => BULK,
        };
        let mut left = self.count(now);
        let breaker = (left >= most).then(|| {
            let own = self.invalid.iter().map(|(first, count)| (*first + GRAIN + PERIOD, *count));
            let mut ends: Vec<_> = own.chain(self.others.iter().copied()).collect();
            ends.sort_unstable();
            let enough = ends.into_iter().find(|(_, count)| {
                left = left.saturating_sub(*count);
                left < most
            });
            enough.map_or(now, |(until, _)| until)
        });
        self.banned.filter(|until| *until > now).max(breaker)
    }

    /// Cloudflare bans the address until then.
    pub(super) fn banned(&mut self, until: Instant) {
        self.banned = self.banned.max(Some(until));
        self.ramp.closes();
    }

    /// When another may go beside those that are on the way, if no answer comes before; none where it may now.
    pub(super) fn opens(&self, now: Instant) -> Option<Instant> {
        self.ramp.opens(now)
    }

    /// Lets a request of this priority go, if it may now. It [ends](Self::ended) with its answer.
    pub(super) fn admits(&mut self, priority: Priority, now: Instant) -> Option<Gone> {
        (self.closed_until(priority, now).is_none() && self.ramp.has_room(now)).then(|| self.ramp.goes(now))
    }

    /// A request that was let go was answered, or nobody knows; `passed` where it was not Cloudflare that answered.
    pub(super) fn ended(&mut self, gone: Gone, passed: bool) {
        self.ramp.ended(gone, passed);
    }

    /// An invalid request was answered. Tells the breaker's state where this changed it.
    pub(super) fn invalid(&mut self, now: Instant) -> Option<Breaker> {
        let before = self.breaker(now);
        match self.invalid.back_mut() {
            Some((first, count)) if now < *first + GRAIN => *count += 1,
            _ => self.invalid.push_back((now, 1)),
        }
        self.count += 1;
        let after = self.breaker(now);
        (after > before).then_some(after)
    }

    /// How many invalid requests were answered within ten minutes.
    pub(super) fn count(&mut self, now: Instant) -> usize {
        self.forget(now);
        self.count + self.others.iter().map(|(_, count)| count).sum::<usize>()
    }

    /// How many of them are not others', and for how long they count.
    pub(super) fn own(&mut self, now: Instant) -> Vec<(Duration, usize)> {
        self.forget(now);
        let mut told: Vec<(Instant, usize)> = Vec::new();
        for (first, count) in self.invalid.iter().rev() {
            match told.last_mut() {
                Some((last, sum)) if *last - *first < TOLD => *sum += count,
                _ => told.push((*first, *count)),
            }
        }
        told.into_iter().map(|(last, count)| (last + GRAIN + PERIOD - now, count)).collect()
    }

    /// How many others have counted, and until when these count. Tells the breaker's state where this opened it further.
    pub(super) fn others(&mut self, counted: impl Iterator<Item = (Instant, usize)>, now: Instant) -> Option<Breaker> {
        let before = self.breaker(now);
        self.others = counted.collect();
        let after = self.breaker(now);
        (after > before).then_some(after)
    }

    /// How far the breaker is open.
    pub(super) fn breaker(&mut self, now: Instant) -> Breaker {
        match self.count(now) {
            ALL.. => Breaker::All,
            BULK.. => Breaker::Bulk,
            WARNING.. => Breaker::Warning,
            _ => Breaker::Closed,
        }
    }

    /// Until when Cloudflare bans the address.
    pub(super) fn ban(&self, now: Instant) -> Option<Instant> {
        self.banned.filter(|until| *until > now)
    }

    fn forget(&mut self, now: Instant) {
        while let Some((first, count)) = self.invalid.front().copied()
            && first + GRAIN + PERIOD <= now
        {
            self.count -= count;
            self.invalid.pop_front();
        }
        self.others.retain(|(until, _)| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_ban_stops_everybody_for_its_time() {
        let (mut address, now) = (Address::default(), Instant::now());
        address.banned(now + 3600 * SECOND);
        address.banned(now + SECOND);
        for priority in [Priority::Interactive, Priority::Bulk] {
            assert_eq!(address.closed_until(priority, now), Some(now + 3600 * SECOND));
            assert_eq!(address.closed_until(priority, now + 3600 * SECOND), None);
        }
    }

    #[test]
    fn too_many_invalid_requests_stop_the_rest_first_and_then_everything() {
        let (mut address, start) = (Address::default(), Instant::now());
        let mut told = Vec::new();
        for number in 0..ALL {
            // Ten in a second.
            let now = start + u32::try_from(number / 20).unwrap() * SECOND;
            told.extend(address.invalid(now).map(|breaker| (number + 1, breaker)));
        }
        assert_eq!(told, [(WARNING, Breaker::Warning), (BULK, Breaker::Bulk), (ALL, Breaker::All)]);
        let now = start + 400 * SECOND;
        // The first twenty are forgotten first, and then there is room again.
        assert_eq!(address.closed_until(Priority::Interactive, now), Some(start + GRAIN + PERIOD));
        let bulk = address.closed_until(Priority::Bulk, now).unwrap();
        assert_eq!(bulk, start + 150 * SECOND + GRAIN + PERIOD, "3,001 must be forgotten, 20 in each second");
        assert_eq!(address.closed_until(Priority::Interactive, start + GRAIN + PERIOD), None);
        assert_eq!(address.closed_until(Priority::Bulk, bulk), None);
        assert_eq!(address.count(start + 2000 * SECOND), 0);
    }

    #[test]
    fn what_others_have_counted_adds_up_and_is_forgotten_in_its_time() {
        let (mut address, mut other, start) = (Address::default(), Address::default(), Instant::now());
        for second in 0..100 {
            for _ in 0..ALL / 200 {
                let now = start + second * SECOND;
                address.invalid(now);
                other.invalid(now);
            }
        }
        let now = start + 100 * SECOND;
        let told = other.own(now);
        assert!(told.len() <= 11, "{told:?}");
        assert_eq!(told.iter().map(|(_, count)| count).sum::<usize>(), ALL / 2);
        assert_eq!(address.closed_until(Priority::Interactive, now), None);
        let heard =
            |told: &[(Duration, usize)]| told.iter().map(|(left, count)| (now + *left, *count)).collect::<Vec<_>>();
        assert_eq!(address.others(heard(&told).into_iter(), now), Some(Breaker::All));
        assert_eq!(address.others(heard(&told).into_iter(), now), None, "the same again is no more");
        assert_eq!(address.count(now), ALL);
        let open = address.closed_until(Priority::Interactive, now).unwrap();
        assert_eq!(open, start + GRAIN + PERIOD, "its own first ones");
        assert_eq!(address.closed_until(Priority::Interactive, open), None);
        assert_eq!(address.count(start + 2000 * SECOND), 0);
    }

    #[test]
    fn invalid_requests_that_are_rare_stop_nobody() {
        let (mut address, start) = (Address::default(), Instant::now());
        for number in 0..20_000_u32 {
            let now = start + number * SECOND / 2;
            assert_eq!(address.invalid(now), None, "{number}");
            assert_eq!(address.closed_until(Priority::Bulk, now), None);
        }
    }
}
