//! What people read: keys into one file of texts, `locales/en.ftl`.
//!
//! The file is written in the part of Fluent's syntax that is needed here: `key = text`, further lines indented,
//! `{ $name }` for a value, `#` for comments. A value is put in as it is and never expanded again.

use std::{collections::HashMap, fmt, sync::LazyLock};

/// The language that has every text.
const BASE: &str = include_str!("../locales/en.ftl");

static TEXTS: LazyLock<HashMap<&'static str, String>> = LazyLock::new(|| parse(BASE));

/// A text by its key, with the values that stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

/// The text of this key.
#[must_use]
pub fn text(key: &'static str) -> Text {
    Text { key, values: Vec::new() }
}

impl Text {
    /// Gives the value that `{ $name }` stands for.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// Its key: what a test compares.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.key
    }
}

impl fmt::Display for Text {
    /// Writes the text in the base language; a key or value that is missing shows as its own name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mut rest) = TEXTS.get(self.key).map(String::as_str) else {
            return f.write_str(self.key);
        };
        while let Some(start) = rest.find("{ $") {
            f.write_str(&rest[..start])?;
            let after = &rest[start + 3..];
            let Some(end) = after.find(" }") else {
                return f.write_str(&rest[start..]);
            };
            let name = &after[..end];
            match self.values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => f.write_str(value)?,
                None => f.write_str(name)?,
            }
            rest = &after[end + 2..];
        }
        f.write_str(rest)
    }
}

fn parse(file: &str) -> HashMap<&str, String> {
    let mut texts: HashMap<&str, String> = HashMap::new();
    let mut current = None;
    for line in file.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(text) = current.and_then(|key| texts.get_mut(key)) {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(line.trim());
            }
        } else if line.is_empty() {
            // A blank line inside a text stays; the ones behind it are cut off below.
            if let Some(text) = current.and_then(|key| texts.get_mut(key)) {
                text.push('\n');
            }
        } else if let (false, Some((key, text))) = (line.starts_with('#'), line.split_once('=')) {
            current = Some(key.trim());
            texts.insert(key.trim(), text.trim().to_owned());
        } else {
            current = None;
        }
    }
    for text in texts.values_mut() {
        text.truncate(text.trim_end().len());
    }
    texts
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn values_are_put_in_and_never_expanded_again() {
        let text = text("claim-taken").with("by", "{ $by } and { $x }");
        assert_eq!(text.to_string(), "{ $by } and { $x } has this ticket already.");
    }

    #[test]
    fn a_text_of_several_lines_keeps_its_lines() {
        let texts = parse("# comment\na =\n    one\n    two\n\n    three\n\nb = four { $x }\n");
        assert_eq!(texts["a"], "one\ntwo\n\nthree");
        assert_eq!(texts["b"], "four { $x }");
    }

    /// The keys that stand behind `text("` and in the tables of this crate, read from its sources.
    fn used_keys(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used_keys(&path, found);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            let mut rest = code;
            while let Some(at) = rest.find("text(\"") {
                let word_before = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                rest = &rest[at + "text(\"".len()..];
                // `context("…")` ends in the same letters.
                if !word_before {
                    found.insert(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }

    #[test]
    fn every_key_in_use_is_in_the_base_language_and_every_text_is_in_use() {
        let mut used = BTreeSet::new();
        used_keys(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        let known: BTreeSet<String> = TEXTS.keys().map(|key| (*key).to_owned()).collect();
        assert_eq!(used, known);
    }
}
