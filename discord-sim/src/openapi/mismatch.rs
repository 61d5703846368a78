use std::fmt;

use axum::http::Method;

/// One point in which a request or an answer departs from Discord's description.
///
/// `Display` gives one line of at most [`Mismatch::MAX_LINE`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The method of the request.
    pub method: Method,
    /// The route template, or the path itself where the description has no such route.
    pub route: String,
    /// Whether the client or the simulator is at fault.
    pub side: Side,
    /// The status of the answer; `None` for a request.
    pub status: Option<u16>,
    /// JSON pointer into the body; empty for the body as a whole, the query, the path and the status.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// The side of a conversation that a [`Mismatch`] blames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client sent something that Discord would refuse.
    Request,
    /// The simulator answered as Discord would not.
    Response,
}

impl Mismatch {
    /// The most characters that a printed mismatch has.
    pub const MAX_LINE: usize = 300;
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, route, side, status, pointer, detail } = self;
        let mut line = format!("{method} {route}");
        match (side, status) {
            (Side::Request, _) => line.push_str(" request"),
            (Side::Response, Some(status)) => line.push_str(&format!(" response {status}")),
            (Side::Response, None) => line.push_str(" response"),
        }
        if !pointer.is_empty() {
            line.push_str(&format!(" at {pointer}"));
        }
        line.push_str(&format!(": {detail}"));
        f.write_str(&shorten(&line, Self::MAX_LINE))
    }
}

/// `text` with at most `max` characters; what is cut is marked with an ellipsis. Line breaks become spaces.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let flat = text.replace(['\n', '\r'], " ");
    if flat.chars().count() <= max {
        return flat;
    }
    flat.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}
