//! The HTTP routes.

mod interactions;
mod key;

use axum::{Router, middleware::from_fn_with_state, routing::post};
use model::routes;
use secrecy::SecretString;

use crate::context::Context;

/// All routes. Where there is a key, only those who have it are answered.
pub fn router(cx: Context, key: Option<SecretString>) -> Router {
    let router = Router::new().route(routes::INTERACTIONS, post(interactions::post)).with_state(cx);
    match key {
        Some(key) => router.route_layer(from_fn_with_state(key, key::demand)),
        None => router,
    }
}
