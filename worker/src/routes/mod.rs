//! The HTTP routes.

mod interactions;

use axum::{Router, routing::post};
use model::routes;

use crate::context::Context;

/// All routes.
pub fn router(cx: Context) -> Router {
    Router::new().route(routes::INTERACTIONS, post(interactions::post)).with_state(cx)
}
