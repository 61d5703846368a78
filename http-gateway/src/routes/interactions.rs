//! `POST /interactions`: Discord's requests.

use std::time::Duration;

use axum::{
    body::{self, Body},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use model::{TraceParent, topics::LateInteraction, trace};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::Cx;
use crate::{
    answer,
    interaction::{Interaction, Kind},
    metrics::Outcome,
    signature::{self, Claim, Refused},
};

/// Largest body. A form with every field full and the message that a button stands on stay far below it.
const LARGEST_BODY: usize = 512 * 1024;
/// From this size on a body is hashed beside the threads that answer others.
const LARGE_BODY: usize = 64 * 1024;
/// How long the body may take to arrive.
const BODY_BUDGET: Duration = Duration::from_secs(1);
/// How long the worker has, counted from the receipt.
const WORKER_BUDGET: Duration = Duration::from_secs(2);
/// When Kafka must have the click. Discord waits 3 s, of which the way back takes a part.
const KAFKA_BUDGET: Duration = Duration::from_millis(2_800);

/// Answers one interaction: the worker's answer, or one of our own within Discord's three seconds.
pub(super) async fn interactions(State(cx): State<Cx>, request: Request) -> Response {
    let received = Received { at: Instant::now(), wall: cx.clock.now() };
    let claim = match signature::claim(request.headers(), received.wall.unix_timestamp()) {
        Ok(claim) => claim,
        Err(refused) => return unauthorized(&cx, refused),
    };
    let sent = traceparent(request.headers());
    let body = match timeout_at(received.at + BODY_BUDGET, body::to_bytes(request.into_body(), LARGEST_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_too_large)) => {
            return refuse(&cx, StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or broke off");
        }
        Err(_elapsed) => return refuse(&cx, StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    };
    if let Err(refused) = verify(&cx, claim, &body).await {
        return unauthorized(&cx, refused);
    }
    // From here on it is Discord who asks.
    let interaction: Interaction = match serde_json::from_slice(&body) {
        Ok(interaction) => interaction,
        Err(error) => {
            tracing::error!("Discord sent an interaction that cannot be read: {error}");
            return refuse(&cx, StatusCode::BAD_REQUEST, "not an interaction");
        }
    };
    if interaction.application_id != cx.bot {
        tracing::error!(
            application.id = %interaction.application_id,
            bot.id = %cx.bot,
            "an interaction is for application {}, but PUBLIC_BOT_ID is {}: they must be the same",
            interaction.application_id,
            cx.bot
        );
        return refuse(&cx, StatusCode::FORBIDDEN, "another application's interaction");
    }
    let (outcome, answer) = match interaction.kind {
        Kind::Ping => (Outcome::Answered, answer::PONG),
        _ => answer(&cx, received, trace_of(&interaction, sent), &interaction, body).await,
    };
    cx.metrics.answered(interaction.kind, outcome, received.at.elapsed());
    json(answer)
}

/// When a request came in: by the clock that measures, and by the one on the wall.
#[derive(Clone, Copy)]
struct Received {
    at: Instant,
    wall: OffsetDateTime,
}

/// Asks the worker; where it is silent, keeps the click before saying that it is being worked on.
async fn answer(
    cx: &Cx,
    received: Received,
    trace: TraceParent,
    interaction: &Interaction,
    body: Bytes,
) -> (Outcome, Bytes) {
    let asked = cx.worker.ask(cx.bot, received.wall, trace, body.clone(), received.at + WORKER_BUDGET).await;
    if let Some(answer) = asked {
        return (Outcome::Answered, answer);
    }
    // What a person was typing is out of date by the time anybody could answer.
    if interaction.kind == Kind::Autocomplete {
        return (Outcome::NoChoices, answer::NO_CHOICES);
    }
    let late = LateInteraction {
        bot: cx.bot,
        interaction: interaction.id,
        guild: interaction.guild_id,
        received_at: received.wall,
        trace: Some(trace),
        payload: body,
    };
    if cx.late.keep(&late, received.at + KAFKA_BUDGET).await {
        (Outcome::Deferred, answer::DEFERRED)
    } else {
        (Outcome::TryAgain, answer::TRY_AGAIN)
    }
}

fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::parse(headers.get(trace::HEADER)?.to_str().ok()?)
}

/// Goes on with the trace of whoever handed us the request, a proxy for example; else the click's own begins.
fn trace_of(interaction: &Interaction, sent: Option<TraceParent>) -> TraceParent {
    let id = interaction.id.get();
    sent.map_or_else(|| TraceParent::derived("interaction", id), |sent| sent.child(id))
}

/// A verification takes 30 µs and is not worth a change of threads, unless there is much to hash.
async fn verify(cx: &Cx, claim: Claim, body: &Bytes) -> Result<(), Refused> {
    if body.len() < LARGE_BODY {
        return claim.verify(&cx.key, body);
    }
    let (key, body) = (cx.key.clone(), body.clone());
    tokio::task::spawn_blocking(move || claim.verify(&key, &body)).await.unwrap_or(Err(Refused::Forged))
}

fn unauthorized(cx: &Cx, refused: Refused) -> Response {
    cx.metrics.refused_signature(refused);
    refuse(cx, StatusCode::UNAUTHORIZED, "invalid request signature")
}

fn refuse(cx: &Cx, status: StatusCode, text: &'static str) -> Response {
    cx.metrics.refused(status);
    (status, text).into_response()
}

fn json(answer: Bytes) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], Body::from(answer)).into_response()
}
