//! What another must know of a bot, and what is not to be relied on when another sent for it.

use common::discord::Route;
use tokio::time::Instant;

use super::{Bot, Chosen, Key, Names};
use crate::limiter::{
    bucket::{Bucket, Free},
    memory::{About, Fact, SHORT},
};

impl Bot {
    /// Somebody else sent for the bot until now: what is known of its buckets is of before.
    pub(in crate::limiter) fn unsure(&mut self, until: Instant) {
        self.unsure = Some(until);
        self.buckets.values_mut().for_each(Bucket::unsure);
    }

    /// Everything is refused until then.
    pub(in crate::limiter) fn close(&mut self, until: Instant) {
        self.global.close(until);
        self.ramp.closes();
    }

    /// The bucket of this route has no room until then.
    pub(in crate::limiter) fn close_bucket(&mut self, route: &Route, hash: Option<&str>, until: Instant, now: Instant) {
        let (label, key) = self.key(route);
        let shy = route.is_shy();
        let key = match hash {
            Some(hash) => self.known_as(&Chosen { label, key, exempt: false, shy, at: now, gone: None }, hash, now),
            None => key,
        };
        self.bucket(&key, shy, now).refused(until);
    }

    /// What another must know of the bucket that a call was chosen from, and of all.
    pub(in crate::limiter) fn facts_of(&mut self, chosen: &Chosen, now: Instant) -> Vec<Fact> {
        let key = self.now_of(chosen);
        let full = self.buckets.get_mut(&key).and_then(|bucket| full(bucket, now));
        let mut facts = full.map(|until| self.bucket_facts(&key, until)).unwrap_or_default();
        facts.extend(self.global_fact(now));
        facts
    }

    /// What another must know.
    pub(in crate::limiter) fn facts(&mut self, now: Instant) -> Vec<Fact> {
        let full = self.buckets.iter_mut().filter_map(|(key, bucket)| Some((key.clone(), full(bucket, now)?)));
        let full: Vec<_> = full.collect();
        let mut facts: Vec<_> = full.into_iter().flat_map(|(key, until)| self.bucket_facts(&key, until)).collect();
        facts.extend(self.global_fact(now));
        facts
    }

    fn global_fact(&self, now: Instant) -> Option<Fact> {
        let until = self.global.closed(now).filter(|until| *until > now + SHORT)?;
        Some(Fact { about: About::Global, until })
    }

    /// One for each route that has the bucket: another may not know what its routes are called.
    fn bucket_facts(&self, key: &Key, until: Instant) -> Vec<Fact> {
        let of = |names: &&Names| names.label == key.group || names.hash.as_ref() == Some(&key.group);
        let fact = |names: &Names| Fact {
            about: About::Bucket {
                route: names.label.to_string(),
                hash: names.hash.as_deref().map(str::to_owned),
                major: key.major.to_string(),
            },
            until,
        };
        self.names.values().filter(of).map(fact).collect()
    }
}

/// Until when a bucket has no room, where that is long.
fn full(bucket: &mut Bucket, now: Instant) -> Option<Instant> {
    match bucket.free(now) {
        Free::At(until) => Some(until).filter(|until| *until > now + SHORT),
        Free::Now | Free::AfterAnAnswer => None,
    }
}
