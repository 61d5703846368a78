//! Where in a JSON text strings and nested values are, sixty-four bytes at a time.

use memchr::memchr;

const BLOCK: usize = 64;

/// A walk over an object's text that knows how deep it is.
///
/// It costs three instructions a byte. Going through the text key by key costs twelve, and a wrong guess of the
/// processor's at the end of most strings (measured: 0.5 µs instead of 1.4 µs for a message of 1.5 kB).
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the next block begins.
    at: usize,
    /// All ones where `at` is inside of a string.
    inside: u64,
    /// Whether the byte at `at` is escaped.
    escaped: bool,
    /// How many values are open at `at`; 1 is the object itself.
    depth: usize,
    /// No backslash stands before.
    backslash: usize,
}

/// What stands at a quote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A string of the object itself begins.
    Own,
    /// It is part of a string, ends one, or belongs to a nested value.
    Other,
    /// The object has ended before.
    Outside,
}

/// What a block looks like. The lowest bit is the first byte.
struct Marks {
    /// Quotes that begin or end a string.
    quotes: u64,
    /// Bytes of strings, the quotes that begin them among them, those that end them not.
    inside: u64,
    /// Brackets and braces outside of strings.
    brackets: u64,
    /// Whether the byte behind is escaped.
    escapes: bool,
}

impl<'a> Walk<'a> {
    /// Begins behind the brace of an object.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, inside: 0, escaped: false, depth: 1, backslash: at }
    }

    /// What the quote at `place` is. Places are asked for in ascending order.
    pub(crate) fn place(&mut self, place: usize) -> Place {
        loop {
            let marks = self.marks();
            let ahead = place - self.at;
            let before = if ahead < BLOCK { (1_u64 << ahead) - 1 } else { u64::MAX };
            let Some(depth) = self.depth_behind(marks.brackets & before) else { return Place::Outside };
            if ahead < BLOCK {
                let begins = marks.quotes & marks.inside & (1 << ahead) != 0;
                return if begins && depth == 1 { Place::Own } else { Place::Other };
            }
            self.depth = depth;
            self.inside = if marks.inside >> 63 == 1 { u64::MAX } else { 0 };
            self.escaped = marks.escapes;
            self.at += BLOCK;
        }
    }

    fn depth_behind(&self, mut brackets: u64) -> Option<usize> {
        let mut depth = self.depth;
        while brackets != 0 {
            let at = self.at + brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            // Of `[ { ] }` the first two have this bit.
            if self.bytes[at] & 2 != 0 {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return None;
                }
            }
        }
        Some(depth)
    }

    fn marks(&mut self) -> Marks {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let mut padded = [b' '; BLOCK];
        let block = match rest.first_chunk::<BLOCK>() {
            Some(block) => block,
            None => {
                padded[..rest.len()].copy_from_slice(rest);
                &padded
            }
        };
        let (escaped, escapes) = self.escaped(block);
        let quotes = mask(block, |byte| byte == b'"') & !escaped;
        let inside = running_parity(quotes) ^ self.inside;
        // Differ by one bit from each other: `[` and `{`, `]` and `}`.
        let brackets = mask(block, |byte| matches!(byte | 0x20, b'{' | b'}')) & !inside;
        Marks { quotes, inside, brackets, escapes }
    }

    /// The bytes that are escaped by a backslash, and whether the one behind the block is.
    fn escaped(&mut self, block: &[u8; BLOCK]) -> (u64, bool) {
        if self.backslash < self.at {
            self.backslash = self.at;
        }
        if self.bytes.get(self.backslash) != Some(&b'\\') {
            let ahead = self.bytes.get(self.backslash..).and_then(|rest| memchr(b'\\', rest));
            self.backslash = ahead.map_or(usize::MAX, |ahead| self.backslash + ahead);
        }
        let mut escaped = u64::from(self.escaped);
        if self.backslash >= self.at.saturating_add(BLOCK) {
            return (escaped, false);
        }
        let mut backslashes = mask(block, |byte| byte == b'\\');
        let mut escapes = false;
        while backslashes != 0 {
            let at = backslashes.trailing_zeros();
            backslashes &= backslashes - 1;
            if escaped >> at & 1 == 0 {
                escapes = at == 63;
                escaped |= (1_u64 << at) << 1;
            }
        }
        (escaped, escapes)
    }
}

/// A bit for each byte that is of a kind.
fn mask(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let mut ones = [0; BLOCK];
    for (one, byte) in ones.iter_mut().zip(block) {
        *one = u8::from(is(*byte));
    }
    let (eights, _) = ones.as_chunks::<8>();
    // The product's highest byte has the lowest bit of each byte, in their order.
    let gather = |eight: [u8; 8]| u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().rev().fold(0, |bits, eight| bits << 8 | gather(*eight))
}

/// Each bit tells whether the number of ones up to and with it is odd.
fn running_parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ (bits << shift))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same byte by byte: for each quote what it is, behind the brace at the beginning.
    fn places(text: &[u8]) -> Vec<(usize, Place)> {
        let (mut inside, mut escaped, mut depth, mut found) = (false, false, 1, Vec::new());
        for (at, byte) in text.iter().copied().enumerate() {
            if byte == b'"' {
                let place = match depth {
                    0 => Place::Outside,
                    1 if !inside && !escaped => Place::Own,
                    _ => Place::Other,
                };
                found.push((at, place));
            }
            if depth == 0 {
                continue;
            }
            match byte {
                b'"' if escaped => {}
                b'"' => inside = !inside,
                b'{' | b'[' if !inside => depth += 1,
                b'}' | b']' if !inside => depth -= 1,
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
        }
        found
    }

    proptest! {
        #[test]
        fn a_walk_agrees_with_going_byte_by_byte(
            text in "([a-z]{0,40}|[\"\\\\\\[\\]{}:,]{1,3}|\\\\{60,70}| \u{fc}){0,40}", every in 1..4usize,
        ) {
            let mut walk = Walk::new(text.as_bytes(), 0);
            for (at, place) in places(text.as_bytes()).into_iter().step_by(every) {
                let found = walk.place(at);
                prop_assert_eq!(found, place, "{} of {:?}", at, text);
                if found == Place::Outside {
                    break;
                }
            }
        }
    }
}
