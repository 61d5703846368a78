//! A request on its way through, and its entry in the ledger.

use std::{mem::take, time::Instant};

use axum::{
    body::{Body, to_bytes},
    http::{Method, request::Parts},
    response::Response,
};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::{
    faults::{self, RestFault},
    limited::{self, set},
};
use crate::{
    ledger::{self, Verdict},
    openapi::Judge,
    rate_limits::{Place, Refusal, Shown},
    sim::Sim,
    state::{Principal, State},
};

/// What nginx notes for a caller that left before the answer.
const LEFT: u16 = 499;

/// A request on its way through. One that is dropped was left by its caller.
pub(super) struct Call {
    pub(super) sim: Sim,
    pub(super) principal: Option<Principal>,
    pub(super) method: Method,
    /// Below `/api/v10`, with `@` unescaped, as the description writes it.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) template: Option<String>,
    pub(super) problems: Vec<String>,
    at: OffsetDateTime,
    /// When it was counted.
    counted: OffsetDateTime,
    place: Option<Place>,
    shown: Option<Shown>,
    refusal: Option<Refusal>,
    pub(super) verdict: Option<Verdict>,
    noted: bool,
}

/// What is to happen to a request that the limits let pass.
pub(super) struct Luck {
    pub(super) fault: Option<RestFault>,
    /// When it is lifted.
    pub(super) calm: CancellationToken,
}

impl Call {
    pub(super) fn new(sim: Sim, parts: &Parts, principal: Option<Principal>, at: OffsetDateTime) -> Self {
        let (method, path) = (parts.method.clone(), parts.uri.path().replace("%40", "@"));
        let template = Judge::shared().template(&method, &path).map(str::to_owned);
        let query = parts.uri.query().map(str::to_owned);
        Self {
            sim,
            principal,
            method,
            path,
            query,
            template,
            problems: Vec::new(),
            at,
            counted: at,
            place: None,
            shown: None,
            refusal: None,
            verdict: None,
            noted: false,
        }
    }

    /// Whether Discord's description can judge it. It describes the routes of bots, not all that clients of people use.
    pub(super) fn is_judged(&self) -> bool {
        self.template.is_some() || !self.is_persons()
    }

    fn is_persons(&self) -> bool {
        matches!(self.principal, Some(Principal::Person(_)))
    }

    /// Counts it against the limits and looks what else befalls it.
    pub(super) fn admit(&mut self, json: Option<&Value>) -> Result<Luck, Refusal> {
        let sim = self.sim.clone();
        let luck = sim.write(|state| {
            let now = Instant::now();
            self.counted = state.now();
            self.try_luck(state, json, now)
        });
        self.refusal.map_or(Ok(luck), Err)
    }

    fn try_luck(&mut self, state: &mut State, json: Option<&Value>, now: Instant) -> Luck {
        let (method, template) = (self.method.as_str(), self.template.as_deref());
        self.place = Place::of(state, self.principal, method, template, &self.path, json);
        let place = self.place.as_ref();
        if !self.is_persons() {
            let ruling = state.rate_limits.arrive(place, now);
            if let Some(violation) = ruling.violation {
                state.ledger.violation(violation);
            }
            (self.refusal, self.verdict, self.shown) = (ruling.refusal, ruling.verdict, ruling.shown);
        }
        let mut luck = Luck { fault: None, calm: CancellationToken::new() };
        if self.refusal.is_some() {
            return luck;
        }
        luck.fault = faults::take(&mut state.rest_faults, &self.method, template);
        let mut by_storm = false;
        if let (None, Some(place), Some(storm)) = (&luck.fault, place, &mut state.storm) {
            luck.fault = storm.draw(place.is_callback(), place.is_by_token());
            luck.calm = storm.calm();
            by_storm = true;
        }
        if let Some(refusal) = luck.fault.as_ref().and_then(RestFault::refusal) {
            if !self.is_persons() {
                state.rate_limits.tell(place, refusal, by_storm, now);
            }
            self.refusal = Some(refusal);
            self.verdict.get_or_insert(refusal.verdict());
        }
        luck
    }

    /// Sends the answer: its headers, the judgement on it, and its entry in the ledger.
    pub(super) async fn finish(mut self, mut response: Response) -> Response {
        if !matches!(self.refusal, Some(Refusal::Page(_))) {
            // discord.py takes a 429 without it for a ban by Cloudflare.
            set(&mut response, "via", "1.1 discord-sim");
        }
        if limited::tells(response.status(), self.refusal) {
            self.tell_bucket(&mut response);
        }
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let status = parts.status.as_u16();
        if self.is_judged() {
            let json = serde_json::from_slice::<Value>(&bytes).ok();
            let path = self.query.as_ref().map_or_else(|| self.path.clone(), |query| format!("{}?{query}", self.path));
            let mismatches = Judge::shared().response(&self.method, &path, status, json.as_ref());
            self.problems.extend(mismatches.iter().map(ToString::to_string));
        }
        self.note(status);
        Response::from_parts(parts, Body::from(bytes))
    }

    fn tell_bucket(&self, response: &mut Response) {
        let (on_all, off, now) =
            self.sim.read(|state| (state.rate_limits.scope_on_all, state.rate_limits.is_off(), state.now()));
        let endless =
            off.then(|| Shown::endless(&format!("{} {}", self.method, self.template.as_deref().unwrap_or_default())));
        let Some(mut shown) = self.shown.clone().or(endless) else { return };
        if !off {
            // The answer may be late.
            let since = (now - self.counted).try_into().unwrap_or_default();
            shown.standing.reset_after = shown.standing.reset_after.saturating_sub(since);
        }
        limited::show(response, &shown, self.refusal, now);
        if on_all && self.refusal.is_none() {
            set(response, "x-ratelimit-scope", "user");
        }
    }

    fn note(&mut self, status: u16) {
        self.noted = true;
        let verdict = self.verdict.unwrap_or_else(|| Verdict::of(status));
        let sim = self.sim.clone();
        sim.write(|state| {
            if !self.is_persons() && status != LEFT {
                let place = self.place.as_ref();
                let banned = state.rate_limits.answered(place, status, self.refusal, Instant::now());
                banned.into_iter().for_each(|violation| state.ledger.violation(violation));
            }
            state.ledger.requested(verdict, || ledger::Request {
                principal: self.principal,
                method: self.method.to_string(),
                path: without_tokens(&self.path),
                template: self.template.take(),
                status,
                verdict,
                bucket: self.place.as_ref().map(Place::bucket),
                at: self.at,
            });
            for problem in take(&mut self.problems) {
                tracing::error!("against Discord's description: {problem}");
                state.ledger.violations.push(problem);
            }
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.noted {
            self.verdict.get_or_insert(Verdict::Failed);
            self.note(LEFT);
        }
    }
}

/// Tokens of interactions and webhooks stand in the path; a ledger is read by people.
fn without_tokens(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if matches!(parts.get(1), Some(&("interactions" | "webhooks"))) && parts.len() > 3 {
        parts[3] = "…";
    }
    parts.join("/")
}
