//! The HTTP routes.

mod interactions;

use axum::{Router, routing::post};
use common::http::shared_key;
use model::routes;
use secrecy::SecretString;

use crate::context::Context;

/// All routes. Where there is a key, only those who have it are answered.
pub fn router(cx: Context, key: Option<SecretString>) -> Router {
    let router = Router::new().route(routes::INTERACTIONS, post(interactions::post)).with_state(cx);
    shared_key::demand(router, key, "WORKER_SHARED_KEY")
}
