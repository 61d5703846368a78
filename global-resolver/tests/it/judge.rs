//! A Discord in virtual time that counts every request against its limits and remembers whom it told to wait.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use common::discord::{Priority, Route};
use global_resolver::limiter::{BotKey, Call, Fields, Lesson, Limiter, No};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What is limited: a name, how many, and in which time.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) limit: u32,
    pub(crate) period: Duration,
}

#[derive(Default)]
struct Counted {
    windows: HashMap<String, (Instant, u32)>,
    global: HashMap<BotKey, VecDeque<Instant>>,
    /// Until when the gate knows that it must not send, by bucket and by bot.
    told: HashMap<String, Instant>,
    refusals: usize,
    requests: usize,
    violations: Vec<String>,
}

/// The Discord.
pub(crate) struct Judge {
    start: Instant,
    counted: Mutex<Counted>,
    rng: Mutex<StdRng>,
    pub(crate) global: usize,
    /// The limit of each route, by its label; others have 5 in a second.
    pub(crate) rules: HashMap<&'static str, Rule>,
    /// How long a request is on its way at most, each way.
    pub(crate) way: Duration,
    /// Whether answers that pass have `X-RateLimit-Scope` too.
    pub(crate) scoped: bool,
    /// The share of requests that are refused at random, and of those that fail.
    pub(crate) refuses: f64,
}

/// What Discord said.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What may not be sent until when.
    told: Option<(String, Instant)>,
}

impl Judge {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            start: Instant::now(),
            counted: Mutex::default(),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            global: 50,
            rules: HashMap::new(),
            way: Duration::from_millis(25),
            scoped: false,
            refuses: 0.0,
        }
    }

    /// Sends one request when the limiter lets it, again where it is told to wait, and gives the status of the last.
    pub(crate) async fn call(&self, limiter: &Limiter, call: Call) -> Result<StatusCode, No> {
        self.call_by(watch::channel(Some(limiter.clone())).1, call).await
    }

    /// The same by whatever limiter has the bot, if any.
    pub(crate) async fn call_by(
        &self,
        mut limiter: watch::Receiver<Option<Limiter>>,
        call: Call,
    ) -> Result<StatusCode, No> {
        loop {
            let Some(now) = limiter.borrow_and_update().clone() else {
                limiter.changed().await.unwrap();
                continue;
            };
            let pass = tokio::select! {
                pass = now.enter(call.clone()) => pass?,
                Ok(()) = limiter.changed() => continue,
            };
            self.sent(&call);
            sleep(self.way.mul_f64(self.random())).await;
            let answer = self.request(&call);
            sleep(self.way.mul_f64(self.random())).await;
            if let Some((what, until)) = answer.told {
                let mut counted = self.counted.lock().unwrap();
                let told = counted.told.entry(what).or_insert(until);
                *told = (*told).max(until);
            }
            let lesson = Lesson::read(answer.status, &answer.headers, &answer.body);
            let _ = pass.answered(answer.status, &lesson, &answer.body);
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer.status);
            }
        }
    }

    /// What was wrong, how many requests came, and how many of them were refused.
    pub(crate) fn verdict(&self) -> (Vec<String>, usize, usize) {
        let counted = self.counted.lock().unwrap();
        (counted.violations.clone(), counted.requests, counted.refusals)
    }

    fn random(&self) -> f64 {
        self.rng.lock().unwrap().random()
    }

    /// A request leaves now, after all that was told.
    fn sent(&self, call: &Call) {
        let now = Instant::now();
        let mut counted = self.counted.lock().unwrap();
        let names = [bucket(call), global(call)];
        for name in names.iter().take(if call.route.by_path_token { 1 } else { 2 }) {
            if let Some(until) = counted.told.get(name).filter(|until| **until > now) {
                let early = format!("{} was sent {:?} before the time of {name}", call.route.label, *until - now);
                counted.violations.push(early);
            }
        }
    }

    /// Counts a request that arrives now.
    fn request(&self, call: &Call) -> Answer {
        let (route, now) = (&call.route, Instant::now());
        let mut counted = self.counted.lock().unwrap();
        let counted = &mut *counted;
        counted.requests += 1;
        let rule = self.rules.get(route.label.as_str()).copied().unwrap_or(Rule { limit: 5, period: SECOND });
        let bucket = bucket(call);
        if !route.by_path_token {
            let latest = counted.global.entry(call.bot).or_default();
            while latest.front().is_some_and(|first| *first + SECOND <= now) {
                latest.pop_front();
            }
            if latest.len() >= self.global {
                counted.violations.push(format!("{} is one too many in a second", route.label));
            }
            latest.push_back(now);
        }
        let (begin, count) = counted.windows.entry(bucket.clone()).or_insert((now, 0));
        if *begin + rule.period <= now {
            (*begin, *count) = (now, 0);
        }
        let ends = *begin + rule.period;
        let full = *count >= rule.limit;
        if !full {
            *count += 1;
        }
        let remaining = rule.limit - *count;
        if full {
            return counted.refuse(&bucket, ends - now, self.headers(route, rule, 0, ends, now), "user");
        }
        if self.random() < self.refuses {
            let wait = SECOND.mul_f64(0.2 + 2.0 * self.random());
            let headers = self.headers(route, rule, remaining, ends, now);
            return match (self.random() * 3.0) as u32 {
                0 => counted.refuse(&bucket, wait, headers, "shared"),
                1 if !route.by_path_token => counted.refuse(&global(call), wait, HeaderMap::new(), "global"),
                _ => counted.refuse(&bucket, wait, headers, "user"),
            };
        }
        let mut headers = self.headers(route, rule, remaining, ends, now);
        if self.scoped {
            headers.insert("x-ratelimit-scope", HeaderValue::from_static("user"));
        }
        Answer { status: StatusCode::OK, headers, body: Bytes::new(), told: None }
    }

    fn headers(&self, route: &Route, rule: Rule, remaining: u32, ends: Instant, now: Instant) -> HeaderMap {
        let text = |value: String| HeaderValue::try_from(value).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-bucket", text(format!("{:x}", route.label.len() * 7919)));
        headers.insert("x-ratelimit-limit", text(rule.limit.to_string()));
        headers.insert("x-ratelimit-remaining", text(remaining.to_string()));
        headers.insert("x-ratelimit-reset-after", text(format!("{:.3}", (ends - now).as_secs_f64())));
        headers.insert("x-ratelimit-reset", text(format!("{:.3}", (ends - self.start).as_secs_f64() + 1e9)));
        headers
    }
}

impl Counted {
    fn refuse(&mut self, what: &str, wait: Duration, mut headers: HeaderMap, scope: &'static str) -> Answer {
        self.refusals += 1;
        let until = Instant::now() + wait;
        headers.insert("x-ratelimit-scope", HeaderValue::from_static(scope));
        let body =
            format!(r#"{{"message":"wait","retry_after":{},"global":{}}}"#, wait.as_secs_f64(), scope == "global");
        Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers,
            body: body.into(),
            told: Some((what.to_owned(), until)),
        }
    }
}

fn bucket(call: &Call) -> String {
    format!("{} {} {}", call.bot, call.route.label, call.route.major)
}

fn global(call: &Call) -> String {
    call.bot.to_string()
}

/// A call of the bot that waits for a minute.
pub(crate) fn call(method: Method, path: &str) -> Call {
    let route = Route::new(&method, path, 0);
    Call {
        bot: BotKey::of(b"Bot token"),
        flow: route.flow,
        route,
        fields: Fields::default(),
        priority: Priority::Interactive,
        deadline: Instant::now() + 60 * SECOND,
    }
}
