use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync, time::Instant};

use super::route::Route;

/// How long a route is still sent one by one after its last wait.
const CAREFUL: Duration = Duration::from_secs(60);

/// So many remembered routes make a sweep worthwhile.
const SWEEP_AT: usize = 1024;

/// So many invalid requests within [`INVALID_PERIOD`] close the gate: a quarter of what gets the address banned, because
/// other processes and bots may share it.
pub(super) const MOST_INVALID: usize = 2_500;

/// The period over which Discord counts invalid requests.
const INVALID_PERIOD: Duration = Duration::from_secs(10 * 60);

/// What an answer teaches about limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Lesson {
    /// Nothing.
    Free,
    /// The request passed, and was the last one for that long.
    UsedUp(Duration),
    /// The route is limited.
    Route(Duration),
    /// Something within the route is limited.
    Inner(Duration),
    /// The bot is limited.
    Global(Duration),
    /// The address is banned, whoever asks.
    Banned(Duration),
}

/// Remembers who was told to wait, so that nobody asks again before the time.
///
/// One per bot token. It is driven by the instants it is given: it neither sleeps nor sends.
#[derive(Debug, Default)]
pub(super) struct Gate {
    address: Arc<Mutex<Address>>,
    state: Mutex<State>,
}

/// What all bots of our address have in common.
#[derive(Debug, Default)]
struct Address {
    banned: Option<Instant>,
    /// When the latest invalid requests were answered, at most [`MOST_INVALID`] of them.
    invalid: VecDeque<Instant>,
}

#[derive(Debug, Default)]
struct State {
    global: Option<Instant>,
    routes: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    /// A route that was at its limit is sent one by one: all who waited would else run into the limit together.
    lane: Arc<sync::Mutex<()>>,
}

impl Gate {
    /// The gate of another bot behind the same address.
    pub(super) fn of_another_bot(&self) -> Gate {
        Gate { address: self.address.clone(), state: Mutex::default() }
    }

    /// Until when a request on `route` must wait; `None` when it may go now.
    pub(super) fn closed_until(&self, route: &Route, now: Instant) -> Option<Instant> {
        let banned = lock(&self.address).banned;
        let state = lock(&self.state);
        let global = state.global.filter(|_| !route.by_path_token);
        let keyed = keys(route).filter_map(|key| state.routes.get(key)).map(|entry| entry.until);
        banned.into_iter().chain(global).chain(keyed).filter(|until| *until > now).max()
    }

    /// The lane to hold while sending, if the route was limited of late.
    pub(super) fn lane(&self, route: &Route, now: Instant) -> Option<Arc<sync::Mutex<()>>> {
        let state = lock(&self.state);
        keys(route)
            .filter_map(|key| state.routes.get(key))
            .find(|entry| entry.until + CAREFUL > now)
            .map(|entry| entry.lane.clone())
    }

    /// Remembers what the answer to a request on `route`, which arrived `now`, says.
    pub(super) fn learn(&self, route: &Route, lesson: Lesson, now: Instant) {
        let mut state = lock(&self.state);
        match lesson {
            Lesson::Free => {}
            Lesson::Banned(wait) => {
                let mut address = lock(&self.address);
                address.banned = address.banned.max(Some(now + wait));
            }
            Lesson::Global(wait) if !route.by_path_token => {
                state.global = state.global.max(Some(now + wait));
            }
            Lesson::Inner(wait) if !route.inner_keys.is_empty() => {
                for key in &route.inner_keys {
                    state.close(key, now, wait);
                }
            }
            Lesson::UsedUp(wait) | Lesson::Route(wait) | Lesson::Inner(wait) | Lesson::Global(wait) => {
                state.close(&route.key, now, wait);
            }
        }
    }

    /// Remembers an invalid request, answered `now`. Where there are too many it closes the gate as a ban would, until
    /// the oldest is no longer counted; true when that is news, and not one of many such closings in a row.
    pub(super) fn count_invalid(&self, now: Instant) -> bool {
        let mut address = lock(&self.address);
        address.invalid.push_back(now);
        if address.invalid.len() > MOST_INVALID {
            address.invalid.pop_front();
        }
        let reopens = address.invalid.front().map(|oldest| *oldest + INVALID_PERIOD);
        let Some(reopens) = reopens.filter(|at| address.invalid.len() == MOST_INVALID && *at > now) else {
            return false;
        };
        let news = address.banned.is_none_or(|until| until + INVALID_PERIOD < now);
        address.banned = address.banned.max(Some(reopens));
        news
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn close(&mut self, key: &str, now: Instant, wait: Duration) {
        if self.routes.len() >= SWEEP_AT {
            self.routes.retain(|_, entry| entry.until + CAREFUL > now);
        }
        let until = now + wait;
        match self.routes.get_mut(key) {
            Some(entry) => entry.until = entry.until.max(until),
            None => {
                self.routes.insert(key.to_owned(), Entry { until, lane: Arc::default() });
            }
        }
    }
}

/// The keys that hold up a request, the narrowest first.
fn keys(route: &Route) -> impl Iterator<Item = &String> {
    route.inner_keys.iter().chain([&route.key])
}

#[cfg(test)]
mod tests {
    use twilight_http::request::Method;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn post_message(channel: u64) -> Route {
        Route::new(Method::Post, &format!("channels/{channel}/messages"), None)
    }

    fn callback() -> Route {
        Route::new(Method::Post, "interactions/1/token/callback", None)
    }

    fn rename() -> Route {
        Route::new(Method::Patch, "channels/1", Some(br#"{"name":"new"}"#))
    }

    fn lock_channel() -> Route {
        Route::new(Method::Patch, "channels/1", Some(br#"{"permission_overwrites":[]}"#))
    }

    #[test]
    fn a_limited_route_is_closed_until_its_time_and_not_longer() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&post_message(1), Lesson::Route(SECOND), now);
        assert_eq!(gate.closed_until(&post_message(1), now), Some(now + SECOND));
        assert_eq!(gate.closed_until(&post_message(1), now + SECOND - Duration::from_millis(1)), Some(now + SECOND));
        assert_eq!(gate.closed_until(&post_message(1), now + SECOND), None);
    }

    #[test]
    fn another_channel_is_not_held_up() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&post_message(1), Lesson::UsedUp(SECOND), now);
        assert_eq!(gate.closed_until(&post_message(2), now), None);
    }

    #[test]
    fn a_global_limit_closes_everything_but_interactions_and_webhooks() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&post_message(1), Lesson::Global(SECOND), now);
        assert_eq!(gate.closed_until(&lock_channel(), now), Some(now + SECOND));
        assert_eq!(gate.closed_until(&callback(), now), None);
    }

    #[test]
    fn a_callback_that_is_limited_holds_up_only_itself() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&callback(), Lesson::Global(SECOND), now);
        assert_eq!(gate.closed_until(&callback(), now), Some(now + SECOND));
        assert_eq!(gate.closed_until(&post_message(1), now), None);
    }

    #[test]
    fn a_ban_of_the_address_closes_everything() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&post_message(1), Lesson::Banned(SECOND), now);
        assert_eq!(gate.closed_until(&callback(), now), Some(now + SECOND));
    }

    #[test]
    fn a_ban_of_the_address_closes_it_for_other_bots_and_a_limit_of_one_bot_does_not() {
        let (gate, now) = (Gate::default(), Instant::now());
        let other = gate.of_another_bot();
        gate.learn(&post_message(1), Lesson::Global(SECOND), now);
        gate.learn(&post_message(1), Lesson::Route(SECOND), now);
        assert_eq!(other.closed_until(&post_message(1), now), None);
        other.learn(&callback(), Lesson::Banned(2 * SECOND), now);
        assert_eq!(gate.closed_until(&post_message(1), now), Some(now + 2 * SECOND));
    }

    #[test]
    fn too_many_invalid_requests_close_everything_until_the_oldest_is_no_longer_counted() {
        let (gate, start) = (Gate::default(), Instant::now());
        for second in 1..u32::try_from(MOST_INVALID).unwrap() {
            assert!(!gate.count_invalid(start + second * SECOND / 10));
        }
        let now = start + 400 * SECOND;
        assert_eq!(gate.closed_until(&post_message(1), now), None);
        assert!(gate.count_invalid(now), "it closes");
        let reopens = start + SECOND / 10 + INVALID_PERIOD;
        assert_eq!(gate.closed_until(&post_message(1), now), Some(reopens));
        assert_eq!(gate.closed_until(&callback(), now), Some(reopens), "callbacks count for the address too");
        assert_eq!(gate.closed_until(&post_message(1), reopens), None);
        assert!(!gate.count_invalid(reopens), "the next one is no news");
        assert_eq!(gate.closed_until(&post_message(1), reopens), Some(reopens + SECOND / 10), "but closes it again");
    }

    #[test]
    fn invalid_requests_that_are_rare_close_nothing() {
        let (gate, start) = (Gate::default(), Instant::now());
        for number in 0..3 * u32::try_from(MOST_INVALID).unwrap() {
            assert!(!gate.count_invalid(start + number * SECOND / 4));
        }
    }

    #[test]
    fn a_limited_rename_does_not_hold_up_another_change_of_the_channel() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&rename(), Lesson::Inner(600 * SECOND), now);
        assert_eq!(gate.closed_until(&rename(), now), Some(now + 600 * SECOND));
        assert_eq!(gate.closed_until(&lock_channel(), now), None);
        gate.learn(&lock_channel(), Lesson::Inner(SECOND), now);
        assert_eq!(gate.closed_until(&lock_channel(), now), Some(now + SECOND));
    }

    #[test]
    fn a_shorter_wait_never_shortens_a_longer_one() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.learn(&post_message(1), Lesson::Global(5 * SECOND), now);
        gate.learn(&post_message(1), Lesson::Global(SECOND), now);
        assert_eq!(gate.closed_until(&post_message(1), now), Some(now + 5 * SECOND));
    }

    #[test]
    fn a_route_is_sent_one_by_one_for_a_while_after_a_wait() {
        let (gate, now) = (Gate::default(), Instant::now());
        assert!(gate.lane(&post_message(1), now).is_none());
        gate.learn(&post_message(1), Lesson::Route(SECOND), now);
        assert!(gate.lane(&post_message(1), now + 30 * SECOND).is_some());
        assert!(gate.lane(&post_message(1), now + 62 * SECOND).is_none());
    }

    #[test]
    fn routes_that_are_long_open_are_forgotten() {
        let (gate, now) = (Gate::default(), Instant::now());
        for channel in 0..SWEEP_AT as u64 {
            gate.learn(&post_message(channel), Lesson::Route(SECOND), now);
        }
        gate.learn(&post_message(9999), Lesson::Route(SECOND), now + 120 * SECOND);
        assert_eq!(lock(&gate.state).routes.len(), 1);
    }
}
