//! The forms of an answer.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use foldhash::{SharedSeed, fast::FoldHasher};
use serde::Serialize;
use std::hash::Hasher;

use crate::wire;

/// The compact form's media type.
pub const COMPACT: &str = "application/vnd.msgpack";
/// Header of a 404: the guild's epoch, which a refill names again so that nothing older is taken.
pub const EPOCH: &str = "x-cache-epoch";

/// What else than the path decides about an answer: the form, and the bot ([`model::routes::BOT_ID`]).
const VARY: &str = "accept, x-bot-id";

/// An answer in the form that was asked for, with a tag of what it says; 304 where that is known already.
pub(super) fn answer<T: Serialize + ?Sized>(asked: &HeaderMap, value: &T) -> Response {
    let compact = asked.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes() == COMPACT.as_bytes());
    let body = if compact {
        wire::encode(value).map_err(|error| error.to_string())
    } else {
        serde_json::to_vec(value).map_err(|error| error.to_string())
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            tracing::error!("an answer could not be written: {error}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let tag = tag(&body);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| names(known, &tag));
    let tag = [(header::ETAG, tag), (header::VARY, HeaderValue::from_static(VARY))];
    if known {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    let form = if compact { COMPACT } else { "application/json" };
    (tag, [(header::CONTENT_TYPE, form)], body).into_response()
}

/// Nothing is known of it.
pub(super) fn unknown(epoch: u64) -> Response {
    (StatusCode::NOT_FOUND, [(EPOCH, HeaderValue::from(epoch))], "unknown\n").into_response()
}

/// There is nothing that a refill could fill in.
pub(super) fn nothing(why: impl std::fmt::Display) -> Response {
    (StatusCode::NOT_FOUND, format!("{why}\n")).into_response()
}

/// The cache is not right, or not yet.
pub(super) fn not_right() -> Response {
    let again = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
    (StatusCode::SERVICE_UNAVAILABLE, again, "the cache is not up to date; ask Discord, or again\n").into_response()
}

/// The request is not what the route takes.
pub(super) fn bad(why: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

/// The same answer has the same tag in every process: the hash has no secret.
fn tag(body: &[u8]) -> HeaderValue {
    let mut hasher = FoldHasher::with_seed(0x7469_636b_6574_7301, SharedSeed::global_fixed());
    hasher.write(body);
    // Hex between quotes is always a header's value.
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether a header `If-None-Match` names the tag.
fn names(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_alone_or_among_others() {
        let tag = tag(b"{}");
        let text = tag.to_str().unwrap();
        for known in [text.to_owned(), format!("W/{text}"), format!("\"x\", {text}"), "*".to_owned()] {
            assert!(names(&HeaderValue::try_from(known.clone()).unwrap(), &tag), "{known}");
        }
        assert!(!names(&HeaderValue::from_static("\"x\""), &tag));
    }

    #[test]
    fn the_tag_of_a_body_is_the_same_in_every_process() {
        assert_eq!(tag(b"[]"), tag(b"[]"));
        assert_ne!(tag(b"[]"), tag(b"{}"));
    }
}
