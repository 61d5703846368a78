//! The routes, beside those that every service has.

mod interactions;

use axum::{Router, routing::post};
use common::clock::Clock;
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::{late::Late, metrics::Metrics, signature::PublicKey, worker::Worker};

/// What the routes need.
#[derive(Clone)]
pub struct Cx {
    /// The application whose interactions come in.
    pub bot: Id<ApplicationMarker>,
    /// The key that Discord signs them with.
    pub key: PublicKey,
    /// Wall time.
    pub clock: Clock,
    /// Who answers.
    pub worker: Worker,
    /// Where clicks wait that nobody answered.
    pub late: Late,
    /// The counters.
    pub metrics: Metrics,
}

/// `POST /interactions`.
pub fn router(cx: Cx) -> Router {
    Router::new().route("/interactions", post(interactions::interactions)).with_state(cx)
}
