//! The name of the channel, with the number in it.

use std::{fmt::Write, str::FromStr};

/// Discord's limit of a channel's name, in UTF-16 units.
const LONGEST_NAME: usize = 100;
/// The number that must still fit: Discord has far fewer guilds.
const LARGEST: u64 = 999_999_999;

/// A text with placeholders for the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// 1234
    Count,
    /// 1,234
    Grouped,
    /// 1.2K
    Short,
}

/// Why a text is no template; it follows the name of the variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that there is not.
    #[error("must have no placeholder but {{count}}, {{count_grouped}} or {{count_short}}")]
    Unknown,
    /// No placeholder at all: the name would never change.
    #[error("must say where the number belongs, by {{count}}, {{count_grouped}} or {{count_short}}")]
    NoPlaceholder,
    /// A placeholder without its end.
    #[error("must have a \"}}\" for each \"{{\"")]
    Unclosed,
    /// Discord would not take what becomes of it.
    #[error("must make a name of at most {LONGEST_NAME} characters, and would make one of {0}: shorten it")]
    TooLong(usize),
}

impl Template {
    /// The name that shows this number.
    #[must_use]
    pub fn render(&self, count: u64) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Count => {
                    let _ = write!(name, "{count}");
                }
                Part::Grouped => name.push_str(&grouped(count)),
                Part::Short => name.push_str(&short(count)),
            }
        }
        name
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (placeholder, after) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match placeholder {
                "count" => Part::Count,
                "count_grouped" => Part::Grouped,
                "count_short" => Part::Short,
                _ => return Err(TemplateError::Unknown),
            });
            rest = after;
        }
        if parts.is_empty() {
            return Err(TemplateError::NoPlaceholder);
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts };
        let longest = template.render(LARGEST).encode_utf16().count();
        if longest > LONGEST_NAME { Err(TemplateError::TooLong(longest)) } else { Ok(template) }
    }
}

/// With a comma before each three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// With one digit behind the point and a letter. It is rounded down: it never says more than there is.
fn short(count: u64) -> String {
    let units = [(1_000_000_000, 'B'), (1_000_000, 'M'), (1_000, 'K')];
    let Some((unit, letter)) = units.into_iter().find(|(unit, _)| count >= *unit) else { return count.to_string() };
    let (whole, tenths) = (count / unit, count % unit * 10 / unit);
    if tenths == 0 { format!("{whole}{letter}") } else { format!("{whole}.{tenths}{letter}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, count: u64, expected: &str) {
        assert_eq!(template.parse::<Template>().unwrap().render(count), expected);
    }

    #[test]
    fn a_name_has_the_number_where_the_placeholders_are() {
        check("Servers: {count}", 1234, "Servers: 1234");
        check("{count_grouped} servers", 1234, "1,234 servers");
        check("{count} is {count_short} }", 1234, "1234 is 1.2K }");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (count, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")]
        {
            check("{count_grouped}", count, expected);
        }
    }

    #[test]
    fn a_short_number_never_says_more_than_there_is() {
        for (count, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1K"),
            (1_099, "1K"),
            (1_299, "1.2K"),
            (12_345, "12.3K"),
            (999_999, "999.9K"),
            (3_400_000, "3.4M"),
            (2_000_000_000, "2B"),
            (u64::MAX, "18446744073.7B"),
        ] {
            check("{count_short}", count, expected);
        }
    }

    #[test]
    fn what_cannot_become_a_name_is_refused() {
        let refused = |text: &str| text.parse::<Template>().unwrap_err();
        assert_eq!(refused("{counts}"), TemplateError::Unknown);
        assert_eq!(refused("{}"), TemplateError::Unknown);
        assert_eq!(refused("{count} {Count}"), TemplateError::Unknown);
        assert_eq!(refused("count"), TemplateError::NoPlaceholder);
        assert_eq!(refused("{count} {"), TemplateError::Unclosed);
    }

    #[test]
    fn the_largest_number_must_fit_into_a_name() {
        let padded = |padding: usize| format!("{}{{count}}", "x".repeat(padding)).parse::<Template>();
        assert!(padded(91).is_ok());
        assert_eq!(padded(92), Err(TemplateError::TooLong(101)));
        let emoji = "\u{1f3ab}".repeat(46);
        assert_eq!(format!("{emoji}{{count}}").parse::<Template>(), Err(TemplateError::TooLong(101)));
    }
}
