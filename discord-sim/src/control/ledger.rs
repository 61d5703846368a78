use std::convert::Infallible;

use axum::{
    Json,
    body::Body,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    ledger::{Close, Dispatch, Identify, Request, Resume},
    sim::Sim,
    state::{Principal, State as World, timestamp},
};

/// Entries that are written under one lock.
const PART: usize = 500;

/// `GET /_sim/ledger`: everything but the dispatches and the requests.
pub(super) async fn summary(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.read(|state| {
        let ledger = &state.ledger;
        let failed: Vec<_> = ledger.failed_interactions.iter().map(|(id, why)| json!({ "id": id, "why": why })).collect();
        let chaos: Vec<_> = ledger.chaos.iter().map(|blow| json!({ "ms": blow.at.as_millis(), "what": blow.what })).collect();
        json!({
            "violations": ledger.violations, "failed_interactions": failed,
            "identifies": state.sessions.identifies.len(), "resumes": state.sessions.resumes, "requests": ledger.requested,
            "verdicts": verdicts(state),
            "dispatched": ledger.dispatched, "kept": ledger.dispatches.len(), "chaos": chaos,
            "by_shard": by_shard(state),
            "identify_list": ledger.identifies.iter().map(identify).collect::<Vec<_>>(),
            "resume_list": ledger.resumes.iter().map(resume).collect::<Vec<_>>(),
            "closes": ledger.closes.iter().map(close).collect::<Vec<_>>(),
        })
    }))
}

/// Counts of requests.
fn verdicts(state: &World) -> Value {
    state.ledger.verdicts.iter().map(|(verdict, count)| (verdict.name().to_owned(), json!(count))).collect()
}

/// Counts of accepted IDENTIFYs, of those that nothing called for, and of RESUMEs, under `bot/shard/count`.
fn by_shard(state: &World) -> Value {
    let mut counts = Map::new();
    let mut count = |bot, [shard, total]: [u32; 2], what: &str| {
        let entry = counts
            .entry(format!("{bot}/{shard}/{total}"))
            .or_insert_with(|| json!({ "identifies": 0, "unplanned": 0, "resumes": 0, "refused_resumes": 0 }));
        entry[what] = json!(entry[what].as_u64().unwrap_or(0) + 1);
    };
    for one in &state.ledger.identifies {
        count(one.bot, one.shard, "identifies");
        if !one.cause.is_planned() {
            count(one.bot, one.shard, "unplanned");
        }
    }
    for one in &state.ledger.resumes {
        let accepted = matches!(one.answer, crate::ledger::ResumeAnswer::Replayed(_));
        if let Some(shard) = one.shard {
            count(one.bot, shard, if accepted { "resumes" } else { "refused_resumes" });
        }
    }
    Value::Object(counts)
}

fn identify(one: &Identify) -> Value {
    json!({
        "bot": one.bot, "shard": one.shard, "session": one.session_id, "at": timestamp(one.at), "cause": format!("{:?}", one.cause),
        "planned": one.cause.is_planned(),
    })
}

fn resume(one: &Resume) -> Value {
    json!({
        "bot": one.bot, "shard": one.shard, "session": one.session_id, "sequence": one.sequence, "at": timestamp(one.at),
        "answer": format!("{:?}", one.answer),
    })
}

fn close(one: &Close) -> Value {
    json!({
        "bot": one.bot, "shard": one.shard, "session": one.session_id, "by_bot": one.by_bot, "code": one.code, "at": timestamp(one.at),
    })
}

/// `GET /_sim/sessions`: the sessions of bots that are alive.
pub(super) async fn sessions(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.read(|state| {
        let all = state.sessions.of_bots().into_iter().map(|session| {
            let confirmed = state.sessions.records.get(&session.id).map_or(0, |record| record.confirmed);
            json!({
                "session": session.id, "bot": session.principal.user(), "shard": session.shard, "sequence": session.sequence,
                "confirmed": confirmed, "connected": session.connected(), "presence": session.presence, "intents": session.intents,
            })
        });
        all.collect()
    }))
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Range {
    /// How many entries are passed over.
    #[serde(default)]
    after: usize,
    /// Whether whole frames are wanted and not only their digests.
    #[serde(default)]
    frames: bool,
}

/// `GET /_sim/dispatches?after=N&frames=true`: dispatches from the Nth on, one JSON object a line, up to those there are at the end.
pub(super) async fn dispatches(State(sim): State<Sim>, Query(range): Query<Range>) -> Response {
    lines(sim, range.after, move |state, n| Some(line(state, n, state.ledger.dispatches.get(n)?, range.frames)))
}

/// `GET /_sim/requests?after=N`: REST requests from the Nth on, in the same form.
pub(super) async fn requests(State(sim): State<Sim>, Query(range): Query<Range>) -> Response {
    lines(sim, range.after, |state, n| Some(request(n, state.ledger.requests.get(n)?)))
}

fn lines(sim: Sim, after: usize, line: impl Fn(&World, usize) -> Option<Value> + Send + 'static) -> Response {
    let lines = futures_util::stream::unfold(after, move |after| {
        let part: Vec<_> = sim.read(|state| (after..after + PART).map_while(|n| line(state, n)).collect());
        let text: String = part.iter().map(|line| format!("{line}\n")).collect();
        let next = (!part.is_empty()).then(|| (Ok::<_, Infallible>(text), after + part.len()));
        std::future::ready(next)
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

fn request(n: usize, one: &Request) -> Value {
    json!({
        "n": n, "at": timestamp(one.at), "user": one.principal.map(Principal::user), "method": one.method, "template": one.template,
        "path": one.path, "status": one.status, "verdict": one.verdict.name(), "bucket": one.bucket,
    })
}

fn line(state: &World, n: usize, dispatch: &Dispatch, frames: bool) -> Value {
    let mut line = json!({
        "n": n, "bot": dispatch.bot, "shard": dispatch.shard, "session": dispatch.session_id, "sequence": dispatch.sequence,
        "kind": dispatch.kind, "guild": dispatch.guild_id, "delivered": dispatch.delivered(), "expired": state.sessions.expired(dispatch),
    });
    if frames && !dispatch.frame.is_empty() {
        line["frame"] = json!(&*dispatch.frame);
    } else {
        line["sha256"] = json!(dispatch.digest());
    }
    line
}
