//! The key that http-gateway shares with the worker.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tracing::warn;

/// Refuses with 401 who does not send the key as a bearer token.
pub(super) async fn demand(State(key): State<SecretString>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let sent = sent.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    // How long the comparison takes tells nothing of where the texts differ.
    if bool::from(sent.ct_eq(key.expose_secret().as_bytes())) {
        next.run(request).await
    } else {
        warn!("an interaction came without the key: is WORKER_SHARED_KEY the same for http-gateway?");
        (StatusCode::UNAUTHORIZED, "wrong key\n").into_response()
    }
}
