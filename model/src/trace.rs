//! What an event or a click is called in the logs of every process that it passes.

use std::{fmt, str::FromStr};

/// A trace and a step of it: the `traceparent` of [W3C Trace Context](https://www.w3.org/TR/trace-context/), version 00.
///
/// Everything that follows from one event or click has the same trace id. Nothing secret can be read from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    sampled: bool,
}

/// The name of the header that carries it, on Kafka and by HTTP.
pub const HEADER: &str = "traceparent";

/// Length of the text: version, trace id, span id and flags, with `-` between.
pub const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// A text that is no `traceparent` of version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no traceparent of version 00")]
pub struct NoTraceParent;

impl TraceParent {
    /// A trace id and a span id; `None` where one is all zeros, which the standard forbids.
    #[must_use]
    pub fn from_ids(trace: [u8; 16], span: [u8; 8], sampled: bool) -> Option<TraceParent> {
        TraceParent::valid(u128::from_be_bytes(trace), u64::from_be_bytes(span), sampled)
    }

    /// The trace of what this source and number identify: the same whenever it comes again, and another for anything else.
    ///
    /// It needs no random numbers, so it costs a few nanoseconds.
    #[must_use]
    pub fn derived(source: &str, number: u64) -> TraceParent {
        let mut state = [0x9e37_79b9_7f4a_7c15_u64, 0xc2b2_ae3d_27d4_eb4f_u64];
        let mut absorb = |word: u64| state = state.map(|half| scramble(half ^ word));
        for part in source.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            absorb(u64::from_le_bytes(word));
        }
        // A source of zero bytes is another than a shorter one.
        absorb(u64::try_from(source.len()).unwrap_or(u64::MAX));
        absorb(number);
        let [high, low] = state;
        let trace = (u128::from(high) << 64) | u128::from(low);
        TraceParent { trace: trace.max(1), span: scramble(high ^ low.rotate_left(32)).max(1), sampled: true }
    }

    /// A further step of the same trace; each `step` has its own span id.
    #[must_use]
    pub fn child(self, step: u64) -> TraceParent {
        let span = scramble(self.span ^ scramble(step));
        // Neither zero nor the parent itself: one of two others is neither.
        let taken = |span| span == 0 || span == self.span;
        let span = [span, !span, 1].into_iter().find(|span| !taken(*span)).unwrap_or(2);
        TraceParent { span, ..self }
    }

    /// The trace id.
    #[must_use]
    pub fn trace_id(self) -> TraceId {
        TraceId(self.trace)
    }

    /// Whether the one that began the trace records it.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.sampled
    }

    /// Writes the text into `buffer`, without an allocation.
    pub fn encode(self, buffer: &mut [u8; LENGTH]) -> &str {
        *buffer = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&self.trace.to_be_bytes(), &mut buffer[3..35]);
        hex(&self.span.to_be_bytes(), &mut buffer[36..52]);
        hex(&[u8::from(self.sampled)], &mut buffer[53..]);
        // Digits and dashes only.
        std::str::from_utf8(buffer).unwrap_or_default()
    }

    /// Reads a text; `None` where it is no `traceparent` of version 00.
    #[must_use]
    pub fn parse(text: &str) -> Option<TraceParent> {
        let text: &[u8; LENGTH] = text.as_bytes().try_into().ok()?;
        if &text[..3] != b"00-" || text[35] != b'-' || text[52] != b'-' {
            return None;
        }
        let trace = unhex(&text[3..35])?;
        let span = u64::try_from(unhex(&text[36..52])?).ok()?;
        // Of the flags only the lowest bit has a meaning in this version.
        let flags = unhex(&text[53..])?;
        TraceParent::valid(trace, span, flags & 1 == 1)
    }

    fn valid(trace: u128, span: u64, sampled: bool) -> Option<TraceParent> {
        (trace != 0 && span != 0).then_some(TraceParent { trace, span, sampled })
    }
}

/// The finisher of SplitMix64 (Steele, Lea, Flood 2014): each bit of the input changes half of the output.
fn scramble(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// The standard allows small letters only.
fn unhex(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; LENGTH]))
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<TraceParent, NoTraceParent> {
        TraceParent::parse(text).ok_or(NoTraceParent)
    }
}

/// A trace's id: 32 hexadecimal digits, as logs show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The example of the standard.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_standards_example_comes_back_as_it_was() {
        let parent = TraceParent::parse(EXAMPLE).unwrap();
        assert_eq!(parent.to_string(), EXAMPLE);
        assert_eq!(parent.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(parent.is_sampled());
        let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
        let span = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
        assert_eq!(TraceParent::from_ids(trace, span, true), Some(parent));
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        #[track_caller]
        fn refused(text: &str) {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
        refused("");
        refused(&EXAMPLE[..54]);
        refused(&format!("{EXAMPLE}-"));
        refused(&EXAMPLE.replace("00-4", "ff-4"));
        refused(&EXAMPLE.replace("00-4", "01-4"));
        refused(&EXAMPLE.to_uppercase());
        refused(&EXAMPLE.replace("-01", "-0g"));
        refused(&EXAMPLE.replace("-01", "_01"));
        refused(&EXAMPLE.replace("36-00", "36_00"));
        refused("00-00000000000000000000000000000000-00f067aa0ba902b7-01");
        refused("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01");
        refused("00-4bf92f3577b34da6a3ce929d0e0e47€-00f067aa0ba902b7-01");
        assert_eq!(TraceParent::from_ids([0; 16], [1; 8], true), None);
        assert_eq!(TraceParent::from_ids([1; 16], [0; 8], true), None);
    }

    #[test]
    fn flags_of_later_versions_are_dropped() {
        let parent = TraceParent::parse(&EXAMPLE.replace("-01", "-fe")).unwrap();
        assert!(!parent.is_sampled());
        assert_eq!(parent.to_string(), EXAMPLE.replace("-01", "-00"));
    }

    #[test]
    fn the_same_source_and_number_have_the_same_trace_and_no_others() {
        assert_eq!(TraceParent::derived("session", 7), TraceParent::derived("session", 7));
        let mut traces = HashSet::new();
        let sources = ["", "\0", "\0\0\0\0\0\0\0\0", "session", "session\0", "1234567890abcdef", "1234567890abcdeg"];
        for source in sources {
            for number in (0..1_000).chain([u64::MAX]) {
                let parent = TraceParent::derived(source, number);
                assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent));
                assert!(traces.insert(parent.trace_id()), "{source:?} {number}");
            }
        }
    }

    #[test]
    fn a_child_is_another_step_of_the_same_trace() {
        let parent = TraceParent::parse(EXAMPLE).unwrap();
        let (one, two) = (parent.child(1), parent.child(2));
        assert_eq!((one.trace_id(), one.is_sampled()), (parent.trace_id(), true));
        assert_eq!(HashSet::from([parent.to_string(), one.to_string(), two.to_string()]).len(), 3);
        assert_eq!(one, parent.child(1));
    }
}
