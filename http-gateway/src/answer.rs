//! The answers that the gateway gives itself. The worker's pass through unchanged.

use bytes::Bytes;

/// To a ping.
pub const PONG: Bytes = Bytes::from_static(br#"{"type":1}"#);

/// "Thinking…", seen by the one who clicked; the worker's follow-up takes its place.
pub const DEFERRED: Bytes = Bytes::from_static(br#"{"type":5,"data":{"flags":64}}"#);

/// No suggestions. The person types on, and the next letter asks again.
pub const NO_CHOICES: Bytes = Bytes::from_static(br#"{"type":8,"data":{"choices":[]}}"#);

/// Nobody can take the click now. Seen by the one who clicked, who would read "did not respond" otherwise.
pub const TRY_AGAIN: Bytes = Bytes::from_static(
    br#"{"type":4,"data":{"content":"I could not take this just now. Please try again in a moment.","flags":64}}"#,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_json_with_discords_type() {
        for (answer, kind) in [(PONG, 1), (DEFERRED, 5), (NO_CHOICES, 8), (TRY_AGAIN, 4)] {
            let value: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(value["type"], kind);
        }
    }
}
