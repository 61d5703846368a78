//! What lets the scripts of foreign pages read the answers: there is nothing secret in them.
//!
//! Source: the Fetch standard, "CORS protocol". A `*` goes for requests without cookies, and nothing here looks at any.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// How long a browser may remember the answer to a preflight, in seconds; more than a day none does.
const REMEMBERED: &str = "86400";

/// Marks an answer as readable from everywhere.
pub(super) async fn allow(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    response
}

/// `OPTIONS`: what a browser asks before a request that is not a plain one.
pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ALLOW, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
