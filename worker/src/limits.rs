//! How long people's texts may be.

/// Characters of a ticket's subject: it must fit into an embed's field beside the rest.
pub(crate) const SUBJECT: u16 = 200;

/// Characters of a closing reason: a choice of autocomplete is at most 100, an embed's field 1024.
pub(crate) const REASON: u16 = 500;

/// Cuts `text` to at most `limit` characters, between characters.
#[must_use]
pub(crate) fn cut(text: &str, limit: u16) -> &str {
    match text.char_indices().nth(usize::from(limit)) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("", 0), "");
    }
}
