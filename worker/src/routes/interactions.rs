//! `POST /interactions`: an interaction whose signature http-gateway has checked.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use model::{TraceParent, routes, trace};
use time::OffsetDateTime;
use tracing::{Instrument, Span, error_span, warn};

use crate::{answer, context::Context, interaction::Interaction};

/// Answers with Discord's interaction response, or 202 where that comes later; 400 for no interaction, 421 for another bot's.
pub(super) async fn post(State(cx): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    let interaction = match Interaction::parse(&body) {
        Ok(interaction) => interaction,
        Err(error) => {
            warn!("no interaction: {error}");
            return (StatusCode::BAD_REQUEST, "no interaction\n").into_response();
        }
    };
    let bot = header(&headers, routes::BOT_ID);
    if interaction.application_id != cx.bot || bot.is_some_and(|bot| bot != cx.bot.to_string()) {
        warn!(interaction.id = %interaction.id, "an interaction of another bot");
        return (StatusCode::MISDIRECTED_REQUEST, "another bot\n").into_response();
    }
    let received_at = header(&headers, routes::RECEIVED_AT_MS)
        .and_then(|ms| ms.parse::<i128>().ok())
        .and_then(|ms| OffsetDateTime::from_unix_timestamp_nanos(ms.checked_mul(1_000_000)?).ok())
        .unwrap_or_else(|| cx.clock.now());
    let trace = header(&headers, trace::HEADER).and_then(TraceParent::parse);
    let answer = answer::http::answer(&cx, interaction, received_at).instrument(span(trace));
    match answer.await {
        Some(response) => Json(response).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    }
}

/// Every line of the log about this click carries its trace; an error's span, so that no filter of levels takes it away.
fn span(trace: Option<TraceParent>) -> Span {
    trace.map_or_else(Span::none, |trace| error_span!("click", trace_id = %trace.trace_id()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
