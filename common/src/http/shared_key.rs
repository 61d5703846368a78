//! The key that processes of one installation share, where a port may be reached by others: `Authorization: Bearer`.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use reqwest::header::InvalidHeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// A key that is demanded.
#[derive(Clone)]
struct Demand {
    key: SecretString,
    /// The variable that both sides have it from, for whoever has to mend it.
    variable: &'static str,
}

/// These routes for those alone who send the key; others get 401. Without a key, for everybody who reaches them.
pub fn demand(router: Router, key: Option<SecretString>, variable: &'static str) -> Router {
    match key {
        Some(key) => router.route_layer(from_fn_with_state(Demand { key, variable }, check)),
        None => router,
    }
}

/// The header that sends the key, marked as a secret.
///
/// # Errors
///
/// When the key has characters that no header can have.
pub fn bearer(key: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn check(State(Demand { key, variable }): State<Demand>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let sent = sent.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    // How long the comparison takes tells nothing of where the texts differ.
    if bool::from(sent.ct_eq(key.expose_secret().as_bytes())) {
        next.run(request).await
    } else {
        tracing::warn!("a request came without the key: is {variable} the same for both sides?");
        (StatusCode::UNAUTHORIZED, "wrong key\n").into_response()
    }
}
