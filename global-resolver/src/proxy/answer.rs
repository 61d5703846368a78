//! What the caller gets: Discord's answer, or why there is none.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use common::discord::gate::{DEADLINE, PRIORITY, REFUSED, Refused};
use serde_json::json;

use crate::{
    fleet::FORWARDED,
    limiter::{No, Refusal},
};

/// What ends at each hop (RFC 9110, 7.6.1), and what is for us: we read refusals, so nobody may have them packed.
pub(super) fn remove_own(headers: &mut HeaderMap) {
    static OWN: [HeaderName; 11] = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::HOST,
        HeaderName::from_static("keep-alive"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        HeaderName::from_static("proxy-connection"),
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    for name in OWN.iter().chain([&DEADLINE, &PRIORITY, &FORWARDED]) {
        headers.remove(name);
    }
}

/// Discord's answer as it came.
pub(super) fn answer(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response {
    remove_own(&mut headers);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Why an answer is not Discord's.
pub(super) enum Fault {
    /// The limiter does not let the call go.
    No(No),
    /// It cannot be sent, or was not answered.
    Failed(StatusCode, Refused, &'static str),
}

impl From<No> for Fault {
    fn from(no: No) -> Self {
        Fault::No(no)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let refused = |why: Refused| (REFUSED.clone(), HeaderValue::from_static(why.as_str()));
        match self {
            Fault::No(No::Remembered(Refusal { status, body })) => {
                let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                (status, [json, refused(Refused::Remembered)], body).into_response()
            }
            Fault::No(No::Wait { wait, why }) => {
                let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let headers = [
                    (header::RETRY_AFTER, HeaderValue::from(whole)),
                    (HeaderName::from_static("x-ratelimit-scope"), HeaderValue::from_static("user")),
                    refused(why),
                ];
                let status = match why {
                    Refused::Address | Refused::Owner => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::TOO_MANY_REQUESTS,
                };
                // As Discord would say it, with the whole wait.
                let message = "You are being rate limited.";
                let body = json!({"message": message, "retry_after": wait.as_secs_f64(), "global": false});
                (status, headers, Json(body)).into_response()
            }
            Fault::Failed(status, why, message) => {
                (status, [refused(why)], Json(json!({"message": message, "code": 0}))).into_response()
            }
        }
    }
}
