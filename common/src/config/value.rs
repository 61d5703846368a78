use std::{net::SocketAddr, path::PathBuf, time::Duration};

use twilight_model::id::Id;
use url::Url;

/// A type that a variable can hold.
pub trait Value: Sized {
    /// What is expected, as it follows "must be": "a whole number from 0 to 255".
    fn expected() -> String;

    /// Reads the text, which is neither empty nor surrounded by white space.
    fn parse(text: &str) -> Option<Self>;
}

impl Value for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(PathBuf::from(text))
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Value for $integer {
            fn expected() -> String {
                format!("a whole number from {} to {}", <$integer>::MIN, <$integer>::MAX)
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, usize, i32, i64);

impl Value for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl Value for SocketAddr {
    fn expected() -> String {
        "an IP address and a port".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for Url {
    fn expected() -> String {
        "a URL with http:// or https://".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    }
}

/// Seconds ("2.5"), or with a unit: "250ms", "5s", "10m", "2h", "1d".
impl Value for Duration {
    fn expected() -> String {
        "a duration in seconds or with a unit (250ms, 5s, 10m, 2h, 1d)".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim() {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
    }
}

/// Separated by commas.
impl Value for Vec<String> {
    fn expected() -> String {
        "a list separated by commas".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> =
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (!parts.is_empty()).then_some(parts)
    }
}

impl<T> Value for Id<T> {
    fn expected() -> String {
        "a Discord id".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Id::new_checked(text.parse().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use twilight_model::id::marker::UserMarker;

    use super::*;

    #[track_caller]
    fn check<T: Value + PartialEq + std::fmt::Debug>(text: &str, expected: Option<T>) {
        assert_eq!(T::parse(text), expected, "{text:?}");
    }

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        check("2", Some(Duration::from_secs(2)));
        check("2.5", Some(Duration::from_millis(2500)));
        check("250ms", Some(Duration::from_millis(250)));
        check("10m", Some(Duration::from_secs(600)));
        check::<Duration>("soon", None);
        check::<Duration>("5 parsecs", None);
        check::<Duration>("-1", None);
    }

    #[test]
    fn a_list_is_separated_by_commas() {
        check("a, b,", Some(vec!["a".to_owned(), "b".to_owned()]));
        check::<Vec<String>>(" , ", None);
    }

    #[test]
    fn an_id_is_never_zero() {
        check("7", Some(Id::<UserMarker>::new(7)));
        check::<Id<UserMarker>>("0", None);
    }

    #[test]
    fn a_url_has_a_host_and_a_web_scheme() {
        check("http://127.0.0.1:1/x", Some(Url::parse("http://127.0.0.1:1/x").unwrap()));
        check::<Url>("127.0.0.1:1", None);
        check::<Url>("file:///etc/passwd", None);
    }
}
