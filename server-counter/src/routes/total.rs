//! `GET /total`: the count as JSON.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use model::routes::Total;
use serde::Serialize;

use super::Cx;
use crate::total::Reading;

#[derive(Serialize)]
struct Unknown {
    error: &'static str,
}

/// Answers from memory: the last good count, or 503 where there was none yet.
pub(super) async fn total(State(cx): State<Cx>) -> Response {
    let seconds = cx.interval.as_secs().max(1);
    let Some(Reading { count, age, as_of, stale }) = cx.total.read() else {
        let headers = [(header::RETRY_AFTER, seconds.to_string()), (header::CACHE_CONTROL, "no-store".to_owned())];
        let error = "the number of guilds is not known yet";
        return (StatusCode::SERVICE_UNAVAILABLE, headers, Json(Unknown { error })).into_response();
    };
    let as_of = Some(as_of.replace_nanosecond(0).unwrap_or(as_of));
    let body = Total { count, age_seconds: age.as_secs(), as_of, stale };
    ([(header::CACHE_CONTROL, format!("public, max-age={seconds}"))], Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use time::OffsetDateTime;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_old_count_is_told_with_its_age() {
        let known = crate::total::Total::default();
        let cx = Cx::new(known.clone(), Duration::from_secs(10)).unwrap();
        known.learn(1234, Instant::now(), OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_500));
        known.miss();
        tokio::time::advance(Duration::from_millis(61_900)).await;
        let body = axum::body::to_bytes(total(State(cx)).await.into_body(), 1024).await.unwrap();
        let expected = json!({"count": 1234, "age_seconds": 61, "as_of": "1970-01-01T00:00:01Z", "stale": true});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}
