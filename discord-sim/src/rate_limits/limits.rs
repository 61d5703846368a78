use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    global::Global,
    invalid::{self, Invalid},
    place::{Bucket, Place},
    refusal::{Refusal, Scope},
    waits::Waits,
    windows::{Standing, Windows},
};
use crate::ledger::Verdict;

/// Whether limits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is refused: answers show a bucket that is never exhausted.
    #[default]
    Off,
    /// Bots are refused what is too much, as Discord refuses it.
    Real,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "real" => Ok(Self::Real),
            other => Err(format!("\"{other}\" is neither \"real\" nor \"off\"")),
        }
    }
}

/// The rate limits, and what callers know of them.
///
/// Everything counts as sent from one address. People have no limits here: on Discord they come from addresses of their own.
#[derive(Debug)]
pub struct RateLimits {
    /// Whether limits are counted. Waits that faults tell are remembered, and invalid requests counted, in any case.
    pub mode: Mode,
    /// The global limit: requests of a bot in any second. Discord's 50 unless a test changes it (Discord: "Global Rate Limit").
    pub global: usize,
    /// Whether every answer has `X-RateLimit-Scope`. Discord promises it for a 429 only (Discord: "Header Format").
    pub scope_on_all: bool,
    /// So many invalid requests in ten minutes get the address banned: Discord's 10,000 unless a test changes it
    /// (Discord: "Invalid Request Limit").
    pub invalid_limit: usize,
    /// How long the address is banned then: an hour unless a test changes it (Discord names no time, this is our guess).
    pub ban_time: Duration,
    /// So long after a 429 a request may still have left before it was known: 250 ms unless a test changes it.
    pub on_the_way: Duration,
    buckets: Windows<Bucket>,
    /// By name and object; for a bot, or for all.
    inner: Windows<(&'static str, String, Option<Bucket>)>,
    bots: Global,
    invalid: Invalid,
    waits: Waits,
    ban: Option<Instant>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            global: 50,
            scope_on_all: false,
            invalid_limit: 10_000,
            ban_time: Duration::from_secs(60 * 60),
            on_the_way: Duration::from_millis(250),
            buckets: Windows::default(),
            inner: Windows::default(),
            bots: Global::default(),
            invalid: Invalid::default(),
            waits: Waits::default(),
            ban: None,
        }
    }
}

/// What becomes of a request that arrives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ruling {
    /// How it is refused, if it is.
    pub(crate) refusal: Option<Refusal>,
    /// Known already where it is refused or early.
    pub(crate) verdict: Option<Verdict>,
    /// What the headers tell.
    pub(crate) shown: Option<Shown>,
    /// What nobody may do.
    pub(crate) violation: Option<String>,
}

/// A bucket as the headers show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) hash: String,
    pub(crate) standing: Standing,
}

impl Shown {
    /// The bucket of a route that is never exhausted.
    pub(crate) fn endless(route: &str) -> Self {
        Self { hash: super::place::hash(route), standing: Standing::ENDLESS }
    }
}

impl RateLimits {
    pub(crate) fn is_off(&self) -> bool {
        self.mode == Mode::Off
    }

    /// A request arrives.
    pub(crate) fn arrive(&mut self, place: Option<&Place>, now: Instant) -> Ruling {
        let early = self.waits.early(place, self.on_the_way, now);
        let mut ruling = self.rule(place, now);
        if let Some(early) = early {
            ruling.verdict = Some(Verdict::Early);
            ruling.violation = Some(format!(
                "{} came {:?} before the end of the wait for {} that was told {:?} earlier",
                place.map_or_else(|| "a request without a good token".to_owned(), Place::what),
                early.before,
                early.refusal.what(),
                early.after,
            ));
        }
        ruling
    }

    fn rule(&mut self, place: Option<&Place>, now: Instant) -> Ruling {
        if let Some(ban) = self.ban.filter(|ban| *ban > now) {
            let page = Refusal::page(ban - now);
            if !self.waits.is_page_told(now) {
                self.waits.tell(None, page, None, false, now);
            }
            return Ruling::refused(page, None);
        }
        let shown = place.and_then(|place| self.show(place, now));
        if let Some(refusal) = self.waits.closed(place, now) {
            return Ruling::refused(refusal, shown);
        }
        match place {
            Some(place) if self.mode == Mode::Real => self.count(place, now),
            _ => Ruling { shown, ..Ruling::default() },
        }
    }

    fn count(&mut self, place: &Place, now: Instant) -> Ruling {
        if let Some(bot) = place.bot
            && let Err(free) = self.bots.take(bot, self.global, now)
        {
            let refusal = Refusal::limited(Scope::Global, free - now);
            let first = !self.waits.is_told(bot, now);
            self.waits.tell(Some(place), refusal, None, false, now);
            let violation = first.then(|| format!("{} is one of more than {} in a second", place.what(), self.global));
            return Ruling { verdict: Some(Verdict::OverGlobal), violation, ..Ruling::refused(refusal, None) };
        }
        let Some(rule) = place.rule else { return Ruling::default() };
        let show = |standing| Some(Shown { hash: place.hash(), standing });
        let standing = match self.buckets.take(place.bucket.clone(), rule, now) {
            Ok(standing) => standing,
            Err(standing) => {
                let refusal = Refusal::limited(Scope::User, standing.reset_after);
                self.waits.tell(Some(place), refusal, None, false, now);
                return Ruling::refused(refusal, show(standing));
            }
        };
        // What is refused within the bucket has counted against it (community: discord-api-docs #1900, #2190).
        let keys = place.inner.iter().map(|inner| {
            let whose = (inner.scope == Scope::Inner).then(|| place.bucket.clone());
            (inner, (inner.name, inner.object.clone(), whose))
        });
        let keys: Vec<_> = keys.collect();
        for (inner, key) in &keys {
            let within = self.inner.standing(key, inner.rule, now);
            if within.remaining == 0 {
                let refusal = Refusal::limited(inner.scope, within.reset_after);
                self.waits.tell(Some(place), refusal, Some(inner.name), false, now);
                return Ruling::refused(refusal, show(standing));
            }
        }
        for (inner, key) in keys {
            self.inner.count(key, inner.rule, now);
        }
        Ruling { shown: show(standing), ..Ruling::default() }
    }

    /// The bucket as it stands.
    fn show(&self, place: &Place, now: Instant) -> Option<Shown> {
        let standing = match self.mode {
            Mode::Off => Standing::ENDLESS,
            Mode::Real => self.buckets.standing(&place.bucket, place.rule?, now),
        };
        Some(Shown { hash: place.hash(), standing })
    }

    /// A request is refused from elsewhere: its sender knows now. `closes` what it names until then.
    pub(crate) fn tell(&mut self, place: Option<&Place>, refusal: Refusal, closes: bool, now: Instant) {
        self.waits.tell(place, refusal, None, closes, now);
    }

    /// A request was answered. Returns a violation where this is one invalid request too many, and begins the ban.
    pub(crate) fn answered(
        &mut self,
        place: Option<&Place>,
        status: u16,
        refusal: Option<Refusal>,
        now: Instant,
    ) -> Option<String> {
        if let Some(place) = place {
            self.waits.learn(place, now);
        }
        let exempt = matches!(refusal, Some(Refusal::Page(_) | Refusal::Limited(Scope::Shared, _)));
        if exempt || !matches!(status, 401 | 403 | 429) || !self.invalid.count(self.invalid_limit, now) {
            return None;
        }
        if self.mode == Mode::Real {
            self.ban(self.ban_time, now);
        }
        Some(format!("{} requests within {:?} were answered 401, 403 or 429", self.invalid_limit, invalid::PERIOD))
    }

    /// Bans the address for this time: every request but those of people is answered with Cloudflare's page.
    pub fn ban(&mut self, time: Duration, now: Instant) {
        self.ban = now.checked_add(time);
    }

    /// Whether the address is banned.
    pub fn is_banned(&self, now: Instant) -> bool {
        self.ban.is_some_and(|ban| ban > now)
    }
}

impl Ruling {
    fn refused(refusal: Refusal, shown: Option<Shown>) -> Self {
        Self { refusal: Some(refusal), verdict: Some(refusal.verdict()), shown, violation: None }
    }
}
