//! Bytes that anybody may have written, as text for a terminal: without control characters, and without tokens.

use std::fmt::Write as _;

use serde_json::Value;

/// How much of a token is shown, to tell one from another.
const SHOWN: usize = 4;

/// One line: what is no text or would steer a terminal is escaped.
pub(super) fn line(bytes: &[u8]) -> String {
    escaped(bytes, |_| false)
}

/// One line of at most so many characters.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let text = line(text.as_bytes());
    match text.char_indices().nth(longest) {
        Some(_) => {
            let end = text.char_indices().nth(longest.saturating_sub(1)).map_or(0, |(end, _)| end);
            format!("{}…", &text[..end])
        }
        None => text,
    }
}

/// A value: indented where it is JSON. Every `token` is cut, also where the JSON is broken.
pub(super) fn value(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut json) => {
            cut_tokens(&mut json);
            let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
            escaped(pretty.as_bytes(), |c| c == '\n')
        }
        Err(_) => without_tokens(&escaped(bytes, |c| c == '\n')),
    }
}

fn escaped(bytes: &[u8], keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Beside control characters those that turn the direction of writing.
            let steers = c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers && !keep(c) { out.extend(c.escape_default()) } else { out.push(c) }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn cut_tokens(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(cut_tokens),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(token) if name == "token" => *token = cut_token(token),
                    field => cut_tokens(field),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn cut_token(token: &str) -> String {
    let length = token.chars().count();
    // Of a short one nothing: a part would be most of it.
    let shown: String = token.chars().take(if length >= 4 * SHOWN { SHOWN } else { 0 }).collect();
    format!("{shown}… ({length} characters)")
}

/// As [`cut_tokens`] where a parser finds no JSON: what follows `"token":` up to the next quote, or to the end.
fn without_tokens(text: &str) -> String {
    const NAME: &str = "\"token\"";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NAME) {
        let (before, after) = rest.split_at(at + NAME.len());
        out.push_str(before);
        let opened = past_space(after).strip_prefix(':').and_then(|after| past_space(after).strip_prefix('"'));
        let Some(token) = opened else {
            rest = after;
            continue;
        };
        let end = token.find('"').unwrap_or(token.len());
        out.push_str(":\"");
        out.push_str(&cut_token(&token[..end]));
        rest = &token[end..];
    }
    out.push_str(rest);
    out
}

/// What follows JSON's white space, of which a part may have been escaped.
fn past_space(mut text: &str) -> &str {
    loop {
        let rest = text.trim_start();
        match rest.strip_prefix(r"\t").or_else(|| rest.strip_prefix(r"\r")) {
            Some(after) => text = after,
            None => return rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OTA";

    #[test]
    fn a_terminal_is_never_steered() {
        assert_eq!(line(b"a\x1b[2Jb\r\nc\xff\x00"), r"a\u{1b}[2Jb\r\nc\xff\u{0}");
        assert_eq!(line("umlaut ü \u{202e}evil".as_bytes()), r"umlaut ü \u{202e}evil");
        assert_eq!(value(b"{\"a\":\"\\u001b\"}"), "{\n  \"a\": \"\\u001b\"\n}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut("äöüß€", 4), "äöü…");
    }

    #[test]
    fn a_token_is_cut_at_any_depth() {
        let shown = value(format!(r#"{{"op":0,"d":{{"token":"{TOKEN}","x":[{{"token":"short"}}]}}}}"#).as_bytes());
        assert!(!shown.contains(TOKEN) && shown.contains("aW50… (43 characters)"), "{shown}");
        assert!(!shown.contains("short"), "{shown}");
    }

    #[test]
    fn a_token_is_cut_where_the_json_is_broken() {
        for broken in [
            format!(r#"{{"d":{{"token" : "{TOKEN}","id":"1""#),
            format!(r#"{{"d":{{"token":"{TOKEN}"#),
            format!("\u{0}\"token\"\t:\t\"{TOKEN}\""),
            format!(r#""token","token":"{TOKEN}"}}"#),
        ] {
            let shown = value(broken.as_bytes());
            assert!(!shown.contains(&TOKEN[..10]), "{shown}");
        }
    }
}
