//! What callers were told to wait for.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{
    place::{Bucket, Place},
    refusal::{Refusal, Scope},
};

/// So many keys make it worthwhile to forget those whose waits are over.
const SWEEP_AT: usize = 1024;

/// The waits that were told.
#[derive(Debug)]
pub(super) struct Waits {
    told: HashMap<Key, Vec<Wait>>,
    /// Since when a route is known to count against a bucket: answers name it.
    known: HashMap<(Bucket, String), Instant>,
    sweep_at: usize,
}

/// What a wait is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address,
    Bot(Id<ApplicationMarker>),
    Bucket(Bucket),
    /// The bucket, and the name of a limit within it, or the route where it has none.
    Inner(Bucket, String),
}

#[derive(Debug)]
struct Wait {
    refusal: Refusal,
    route: Option<String>,
    told: Instant,
    until: Instant,
    /// Whether what comes meanwhile is refused on its account.
    closes: bool,
}

/// A request that came before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Early {
    pub(super) refusal: Refusal,
    /// Before the end of the wait.
    pub(super) before: Duration,
    /// After it was told.
    pub(super) after: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { told: HashMap::new(), known: HashMap::new(), sweep_at: SWEEP_AT }
    }
}

impl Waits {
    /// Somebody is told to wait, on account of a limit `within` the route where it has several.
    pub(super) fn tell(
        &mut self,
        place: Option<&Place>,
        refusal: Refusal,
        within: Option<&'static str>,
        closes: bool,
        now: Instant,
    ) {
        let (Some(key), Some(until)) = (key(place, refusal, within), now.checked_add(refusal.wait())) else { return };
        if self.told.len() >= self.sweep_at {
            self.told.retain(|_, waits| waits.iter().any(|wait| wait.until > now));
            self.sweep_at = SWEEP_AT.max(2 * self.told.len());
        }
        let waits = self.told.entry(key).or_default();
        waits.retain(|wait| wait.until > now);
        let route = place.map(|place| place.route.clone());
        // One that was told earlier and lasts as long says it all.
        if !waits.iter().any(|wait| wait.until >= until && wait.closes >= closes && wait.route == route) {
            waits.push(Wait { refusal, route, told: now, until, closes });
        }
    }

    /// An answer named the bucket of this route.
    pub(super) fn learn(&mut self, place: &Place, now: Instant) {
        let bucket = Bucket { major: String::new(), ..place.bucket.clone() };
        self.known.entry((bucket, place.route.clone())).or_insert(now);
    }

    /// Whether a request that comes now is early, by a wait that was told more than `on_the_way` ago.
    ///
    /// That a route shares its bucket with another one is known by an answer of its own only.
    pub(super) fn early(&self, place: Option<&Place>, on_the_way: Duration, now: Instant) -> Option<Early> {
        let waits = self.running(place, now);
        let known = |wait: &Wait| match (wait.refusal, place) {
            (Refusal::Limited(Scope::User | Scope::Shared, _), Some(place))
                if wait.route.as_ref() != Some(&place.route) =>
            {
                let bucket = Bucket { major: String::new(), ..place.bucket.clone() };
                self.known.get(&(bucket, place.route.clone())).map(|known| wait.told.max(*known))
            }
            _ => Some(wait.told),
        };
        let early = waits.filter(|wait| known(wait).is_some_and(|known| now > known + on_the_way));
        let early = early.max_by_key(|wait| wait.until)?;
        Some(Early { refusal: early.refusal, before: early.until - now, after: now - early.told })
    }

    /// What refuses a request that comes now.
    pub(super) fn closed(&self, place: Option<&Place>, now: Instant) -> Option<Refusal> {
        let wait = self.running(place, now).filter(|wait| wait.closes).max_by_key(|wait| wait.until)?;
        Some(match wait.refusal {
            Refusal::Limited(scope, _) => Refusal::limited(scope, wait.until - now),
            Refusal::Page(_) => Refusal::page(wait.until - now),
        })
    }

    /// Whether a bot was told to wait with everything.
    pub(super) fn is_told(&self, bot: Id<ApplicationMarker>, now: Instant) -> bool {
        self.waits(&Key::Bot(bot), now).next().is_some()
    }

    /// Whether anybody was shown the page.
    pub(super) fn is_page_told(&self, now: Instant) -> bool {
        self.waits(&Key::Address, now).next().is_some()
    }

    fn waits<'a>(&'a self, key: &Key, now: Instant) -> impl Iterator<Item = &'a Wait> + use<'a> {
        self.told.get(key).into_iter().flatten().filter(move |wait| wait.until > now)
    }

    fn running(&self, place: Option<&Place>, now: Instant) -> impl Iterator<Item = &Wait> {
        keys(place).flat_map(move |key| self.waits(&key, now))
    }
}

/// What a refusal is about. That of a stranger is remembered for its address only.
fn key(place: Option<&Place>, refusal: Refusal, within: Option<&'static str>) -> Option<Key> {
    let Refusal::Limited(scope, _) = refusal else { return Some(Key::Address) };
    let place = place?;
    let bucket = place.bucket.clone();
    Some(match (scope, place.bot) {
        (Scope::Global, Some(bot)) => Key::Bot(bot),
        (Scope::Inner, _) => {
            let first = || place.inner.first().map(|inner| inner.name);
            Key::Inner(bucket, within.or_else(first).unwrap_or(&place.route).to_owned())
        }
        _ => Key::Bucket(bucket),
    })
}

/// All that a request must wait for.
fn keys(place: Option<&Place>) -> impl Iterator<Item = Key> {
    let of_place = place.into_iter().flat_map(|place| {
        let names = place.inner.iter().map(|inner| inner.name).chain([place.route.as_str()]);
        let inner = names.map(|name| Key::Inner(place.bucket.clone(), name.to_owned()));
        place.bot.map(Key::Bot).into_iter().chain([Key::Bucket(place.bucket.clone())]).chain(inner)
    });
    of_place.chain([Key::Address])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Principal, State};

    #[test]
    fn waits_that_are_over_are_forgotten() {
        let (mut waits, start, ms) = (Waits::default(), Instant::now(), Duration::from_millis(1));
        let (state, bot) = (State::default(), Some(Principal::Bot(Id::new(1))));
        for number in 0..5000 {
            let (method, template) = ("POST", "/channels/{channel_id}/messages");
            let place = Place::of(&state, bot, method, Some(template), &format!("/channels/{number}/messages"), None);
            waits.tell(place.as_ref(), Refusal::limited(Scope::User, 100 * ms), None, false, start + number * ms);
            waits.learn(&place.unwrap(), start);
        }
        assert!(waits.told.len() <= SWEEP_AT);
        assert_eq!(waits.known.len(), 1);
    }
}
