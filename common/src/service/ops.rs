use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Service, health::Health, metrics};

/// What every service answers itself.
pub(super) const PATHS: [&str; 4] = ["/health", "/healthz", "/readyz", "/metrics"];

/// The [`PATHS`], of a service and its children.
pub(super) fn router(service: Service) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .with_state(service)
}

async fn health(State(service): State<Service>) -> Response {
    let health = Health::of(&service);
    (status(&health), Json(health)).into_response()
}

async fn readyz(State(service): State<Service>) -> Response {
    let health = Health::of(&service);
    let text = if health.is_ready() { "ready\n".to_owned() } else { health.reasons().join("\n") + "\n" };
    (status(&health), text).into_response()
}

async fn prometheus(State(service): State<Service>) -> Response {
    match metrics::encode(&service) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::warn!("the metrics cannot be encoded: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn status(health: &Health) -> StatusCode {
    if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
