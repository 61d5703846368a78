//! `GET /total/prometheus`: the count as Prometheus reads it.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus::TextEncoder;

use super::Cx;

/// Answers from memory, also before the first count: `tickets_guilds_up` is 0 then.
pub(super) async fn total(State(cx): State<Cx>) -> Response {
    match TextEncoder::new().encode_to_string(&cx.gauges.gather()) {
        Ok(text) => {
            let headers = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT), (header::CACHE_CONTROL, "no-store")];
            (headers, text).into_response()
        }
        Err(error) => {
            tracing::warn!("the count cannot be encoded: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
