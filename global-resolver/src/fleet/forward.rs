use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use common::{
    discord::gate::{DEADLINE, REFUSED, Refused},
    http::Transparent,
};
use tokio::time::{Instant, timeout_at};

/// On calls that another instance forwards.
pub(crate) static FORWARDED: HeaderName = HeaderName::from_static("x-resolver-forwarded");

/// The owner keeps the deadline; its answer is waited for so much longer.
const GRACE: Duration = Duration::from_millis(250);

/// How forwarding a call went.
pub(crate) enum Forwarded {
    /// This is the answer.
    Answered(Response),
    /// Nothing was sent: it is not the owner, or nobody is there.
    Refused,
    /// Nobody knows whether it was sent.
    Broken,
    /// The answer did not come in time.
    Late,
}

/// Gives a request to the instance that it is addressed to.
pub(super) async fn forward(client: &Transparent, mut request: Request, deadline: Instant) -> Forwarded {
    let left = deadline.saturating_duration_since(Instant::now());
    let headers = request.headers_mut();
    headers.insert(&FORWARDED, HeaderValue::from_static("1"));
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    headers.insert(&DEADLINE, HeaderValue::from(left));
    match timeout_at(deadline + GRACE, client.send(request)).await {
        Ok(Ok(answer)) if is_no_owner(&answer) => Forwarded::Refused,
        Ok(Ok(answer)) => Forwarded::Answered(answer),
        Ok(Err(error)) if error.is_connect() => Forwarded::Refused,
        Ok(Err(_)) => Forwarded::Broken,
        Err(_) => Forwarded::Late,
    }
}

fn is_no_owner(answer: &Response) -> bool {
    let refused = answer.headers().get(&REFUSED).is_some_and(|why| why == Refused::Owner.as_str());
    refused && answer.status() == StatusCode::SERVICE_UNAVAILABLE
}
