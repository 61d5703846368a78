//! One bot's limits, and who waits for them. It is driven by the instants that it is given: it neither sleeps nor sends.

mod memory;

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use common::discord::{Priority, Route};
use foldhash::HashMap;
use tokio::time::Instant;

use super::{
    bucket::{Bucket, Free},
    fair::Fair,
    global::Global,
    lesson::{Lesson, Limit},
    ramp::{Gone, Ramp},
};

/// A request that was chosen goes within this time, or takes another place of the global limit: a place covers its way to Discord,
/// and not what a starved machine makes of it.
const AT_ONCE: Duration = Duration::from_millis(10);

/// So many buckets make it worthwhile to forget those that are stale.
const SWEEP_AT: usize = 1024;

/// The name of a bucket: the route, or the hash that Discord gave it, and the major parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    /// The route's label until its hash is known.
    group: Arc<str>,
    major: Arc<str>,
}

/// One bot.
#[derive(Debug)]
pub(in crate::limiter) struct Bot {
    global: Global,
    /// How it opens again after Discord refused everything.
    ramp: Ramp,
    buckets: HashMap<Key, Bucket>,
    /// What each route's bucket is called, by its label.
    names: HashMap<String, Names>,
    /// The limit of each hash.
    limits: HashMap<Arc<str>, u32>,
    calls: HashMap<u64, Call>,
    /// Those that their bucket let pass and that wait for the global limit.
    ready: Fair<u64>,
    /// When to look at buckets again that somebody waits for: one entry for each that has `due`.
    due: BinaryHeap<Reverse<(Instant, Key)>>,
    /// Until then a bucket is not thought to be unused because this gate did not use it.
    unsure: Option<Instant>,
    sweep_at: usize,
    next: u64,
}

#[derive(Debug)]
struct Names {
    label: Arc<str>,
    hash: Option<Arc<str>>,
}

#[derive(Debug)]
struct Call {
    chosen: Chosen,
    priority: Priority,
    flow: u64,
    /// It passed its bucket.
    ready: bool,
}

/// A call that may go, or went: what the answer is told with.
#[derive(Clone, Debug)]
pub(in crate::limiter) struct Chosen {
    label: Arc<str>,
    key: Key,
    exempt: bool,
    shy: bool,
    /// When its place of the global limit was taken.
    at: Instant,
    /// How it was let go, of those that count for the global limit.
    gone: Option<Gone>,
}

impl Bot {
    /// A bot with so many requests in a second.
    pub(in crate::limiter) fn new(limit: u32) -> Self {
        Self {
            global: Global::new(limit),
            ramp: Ramp::default(),
            buckets: HashMap::default(),
            names: HashMap::default(),
            limits: HashMap::default(),
            calls: HashMap::default(),
            ready: Fair::default(),
            due: BinaryHeap::new(),
            unsure: None,
            sweep_at: SWEEP_AT,
            next: 0,
        }
    }

    /// Takes in a call, which goes when its turn comes: see [`advance`](Self::advance).
    pub(in crate::limiter) fn enter(&mut self, route: &Route, priority: Priority, flow: u64, now: Instant) -> u64 {
        let id = self.next;
        self.next += 1;
        let (label, key) = self.key(route);
        let chosen =
            Chosen { label, key: key.clone(), exempt: route.by_path_token, shy: route.is_shy(), at: now, gone: None };
        self.bucket(&key, chosen.shy, now).waiting.push(priority, flow, id);
        self.calls.insert(id, Call { chosen, priority, flow, ready: false });
        self.look_at(now, key);
        id
    }

    /// The caller waits no longer. One that was chosen tells by [`answered`](Self::answered) or
    /// [`unsent`](Self::unsent) instead.
    pub(in crate::limiter) fn leave(&mut self, id: u64, now: Instant) {
        // It stands in a queue still; who takes it out finds that it is gone.
        if let Some(call) = self.calls.remove(&id)
            && call.ready
        {
            self.unsent(&call.chosen, now);
        }
    }

    /// When a call of this route can go at the earliest, by what is closed now.
    pub(in crate::limiter) fn earliest(&mut self, route: &Route, now: Instant) -> Option<Instant> {
        let (_, key) = self.key(route);
        let bucket = self.buckets.get_mut(&key).and_then(|bucket| match bucket.free(now) {
            Free::At(at) => Some(at),
            Free::Now | Free::AfterAnAnswer => None,
        });
        let global = self.global.closed(now).filter(|_| !route.by_path_token);
        bucket.max(global)
    }

    /// Chooses those who may go now, and says when to look again. `choose` gives back what a caller does not want any more.
    pub(in crate::limiter) fn advance(
        &mut self,
        now: Instant,
        mut choose: impl FnMut(u64, Chosen) -> Result<(), Chosen>,
    ) -> Option<Instant> {
        loop {
            while self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                let Some(Reverse((at, key))) = self.due.pop() else { break };
                self.look(at, &key, now, &mut choose);
            }
            let mut global = None;
            while !self.ready.is_empty() && global.is_none() {
                global = self.ramp.opens(now);
                if global.is_some() {
                    break;
                }
                match self.global.take(now) {
                    Ok(()) => {
                        let id = self.ready.pop().filter(|id| !self.was_closed(*id, now));
                        if !id.is_some_and(|id| self.choose(id, now, &mut choose)) {
                            self.global.give_back();
                        }
                    }
                    Err(at) => global = Some(at),
                }
            }
            let due = self.due.peek().map(|Reverse((at, _))| *at);
            // Who was chosen and did not want to go left room in a bucket.
            if due.is_none_or(|at| at > now) {
                return due.into_iter().chain(global).min();
            }
        }
    }

    /// Whether a call that was chosen may still go: an answer may have come in between.
    pub(in crate::limiter) fn is_open(&self, chosen: &Chosen, now: Instant) -> bool {
        let closed = self.buckets.get(&self.now_of(chosen)).and_then(|bucket| bucket.closed(now));
        closed.or(self.global.closed(now).filter(|_| !chosen.exempt)).is_none()
    }

    /// The answer to a call that was chosen; `refusal` is what of the lesson's counts.
    pub(in crate::limiter) fn answered(
        &mut self,
        chosen: &Chosen,
        lesson: &Lesson,
        refusal: Option<(Limit, Duration)>,
        passed: bool,
        now: Instant,
    ) {
        let own = self.now_of(chosen);
        if let Some(bucket) = self.buckets.get_mut(&own) {
            bucket.ended(now);
        }
        if let Some(gone) = chosen.gone {
            self.ramp.ended(gone, !matches!(refusal, Some((Limit::Global | Limit::Banned, _))));
        }
        let key = match &lesson.hash {
            Some(hash) => self.known_as(chosen, hash, now),
            None => own.clone(),
        };
        let bucket = self.bucket(&key, chosen.shy, now);
        bucket.told(lesson.window, passed, now);
        match refusal {
            Some((Limit::User | Limit::Shared, wait)) => bucket.refused(now + wait),
            Some((Limit::Global, wait)) if chosen.exempt => bucket.refused(now + wait),
            Some((Limit::Global, wait)) => self.close(now + wait),
            // What lies within the route, and what lies before Discord, is others' to remember.
            Some((Limit::Inner | Limit::Banned, _)) | None => {}
        }
        if let Some(window) = lesson.window {
            self.limits.insert(key.group.clone(), window.limit);
        }
        self.look_at(now, key);
        self.look_at(now, own);
        self.sweep(now);
    }

    /// A call that was chosen was not sent, or nobody knows what became of it.
    pub(in crate::limiter) fn unsent(&mut self, chosen: &Chosen, now: Instant) {
        let key = self.now_of(chosen);
        if let Some(bucket) = self.buckets.get_mut(&key) {
            bucket.ended(now);
        }
        if let Some(gone) = chosen.gone {
            self.ramp.ended(gone, false);
        }
        self.look_at(now, key);
    }

    /// Whether a call that was chosen still goes in the second that it counts for, or has a place in another.
    pub(in crate::limiter) fn is_in_time(&mut self, chosen: &mut Chosen, now: Instant) -> bool {
        if chosen.exempt || now <= chosen.at + AT_ONCE {
            return true;
        }
        let again = self.is_open(chosen, now) && self.global.take(now).is_ok();
        if again {
            chosen.at = now;
        }
        again
    }

    /// Whether nothing waits and nothing is on the way.
    pub(in crate::limiter) fn is_unused(&self) -> bool {
        self.calls.is_empty() && self.buckets.values().all(Bucket::is_unused)
    }

    /// How many wait.
    pub(in crate::limiter) fn waiting(&self) -> usize {
        self.calls.len()
    }

    /// How many requests may go at once by the global limit.
    pub(in crate::limiter) fn free(&self, now: Instant) -> usize {
        self.global.free(now)
    }

    /// Until when Discord refuses everything of this bot.
    pub(in crate::limiter) fn closed(&self, now: Instant) -> Option<Instant> {
        self.global.closed(now)
    }

    /// How many buckets are known.
    pub(in crate::limiter) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The route's label and its bucket.
    fn key(&mut self, route: &Route) -> (Arc<str>, Key) {
        let major: Arc<str> = Arc::from(route.major.as_str());
        let names = match self.names.get(&route.label) {
            Some(names) => names,
            None => {
                let names = Names { label: Arc::from(route.label.as_str()), hash: None };
                self.names.entry(route.label.clone()).or_insert(names)
            }
        };
        let own = Key { group: names.label.clone(), major };
        let key = match &names.hash {
            // One that has yet to learn its hash goes on under the route's own name until then.
            Some(hash) if !self.buckets.contains_key(&own) => Key { group: hash.clone(), major: own.major },
            _ => own,
        };
        (names.label.clone(), key)
    }

    /// The bucket of a call, which may have been told its hash since the call was chosen.
    fn now_of(&self, chosen: &Chosen) -> Key {
        let hash = self.names.get(&*chosen.label).and_then(|names| names.hash.as_ref());
        match hash {
            Some(hash) if !self.buckets.contains_key(&chosen.key) => {
                Key { group: hash.clone(), major: chosen.key.major.clone() }
            }
            _ => chosen.key.clone(),
        }
    }

    fn bucket(&mut self, key: &Key, shy: bool, now: Instant) -> &mut Bucket {
        let limit = self.limits.get(&key.group).copied().filter(|_| self.unsure.is_none_or(|until| until <= now));
        self.buckets.entry(key.clone()).or_insert_with(|| Bucket::new(limit, shy, now))
    }

    /// Somebody may pass this bucket then.
    fn look_at(&mut self, at: Instant, key: Key) {
        if let Some(bucket) = self.buckets.get_mut(&key)
            && !bucket.waiting.is_empty()
            && bucket.due.is_none_or(|due| due > at)
        {
            bucket.due = Some(at);
            self.due.push(Reverse((at, key)));
        }
    }

    /// Lets those at the head of a bucket pass, as many as it has room for.
    fn look(
        &mut self,
        at: Instant,
        key: &Key,
        now: Instant,
        choose: &mut impl FnMut(u64, Chosen) -> Result<(), Chosen>,
    ) {
        match self.buckets.get_mut(key) {
            // Else an earlier look took its place.
            Some(bucket) if bucket.due == Some(at) => bucket.due = None,
            _ => return,
        }
        loop {
            let Some(bucket) = self.buckets.get_mut(key).filter(|bucket| !bucket.waiting.is_empty()) else { return };
            match bucket.free(now) {
                Free::Now => {}
                Free::At(at) => return self.look_at(at, key.clone()),
                Free::AfterAnAnswer => return,
            }
            let Some(id) = bucket.waiting.pop() else { return };
            let Some(call) = self.calls.get_mut(&id) else { continue };
            bucket.chosen(now);
            call.ready = true;
            if call.chosen.exempt {
                self.choose(id, now, choose);
            } else {
                self.ready.push(call.priority, call.flow, id);
            }
        }
    }

    /// Sends a call back to its bucket that was closed while the call waited for the global limit.
    fn was_closed(&mut self, id: u64, now: Instant) -> bool {
        let Some(key) = self.calls.get(&id).map(|call| self.now_of(&call.chosen)) else { return false };
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Some(bucket) = self.buckets.get_mut(&key) else { return false };
        let Some(until) = bucket.closed(now) else { return false };
        call.ready = false;
        call.chosen.key = key.clone();
        bucket.ended(now);
        bucket.waiting.push(call.priority, call.flow, id);
        self.look_at(until, key);
        true
    }

    /// True where the caller goes.
    fn choose(&mut self, id: u64, now: Instant, choose: &mut impl FnMut(u64, Chosen) -> Result<(), Chosen>) -> bool {
        let Some(Call { mut chosen, .. }) = self.calls.remove(&id) else { return false };
        chosen.at = now;
        chosen.gone = (!chosen.exempt).then(|| self.ramp.goes(now));
        match choose(id, chosen) {
            Ok(()) => true,
            Err(chosen) => {
                self.unsent(&chosen, now);
                false
            }
        }
    }

    /// The bucket of a route has this name: what is known under the route's, and those that wait there, come along.
    fn known_as(&mut self, chosen: &Chosen, hash: &str, now: Instant) -> Key {
        let Chosen { label, key, shy, .. } = chosen;
        let known = self.limits.get_key_value(hash).map(|(known, _)| known.clone());
        let group: Arc<str> = known.unwrap_or_else(|| Arc::from(hash));
        if let Some(names) = self.names.get_mut(&**label) {
            names.hash = Some(group.clone());
        }
        let new = Key { group, major: key.major.clone() };
        if key.group == *label
            && let Some(mut old) = self.buckets.remove(key)
        {
            self.bucket(&new, *shy, now).take_over(&old, now);
            while let Some(id) = old.waiting.pop() {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.chosen.key = new.clone();
                    let (priority, flow) = (call.priority, call.flow);
                    self.bucket(&new, *shy, now).waiting.push(priority, flow, id);
                }
            }
        }
        new
    }

    fn sweep(&mut self, now: Instant) {
        if self.buckets.len() >= self.sweep_at {
            self.buckets.retain(|_, bucket| !bucket.is_stale(now));
            self.sweep_at = SWEEP_AT.max(2 * self.buckets.len());
        }
    }
}
