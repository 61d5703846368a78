//! Short texts, of which the cache holds millions.

use std::{
    collections::HashSet,
    fmt,
    ops::Deref,
    sync::{Mutex, PoisonError},
};

use ecow::EcoString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text of 16 bytes: up to 15 bytes lie in it, a longer one is shared by all its clones.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(EcoString);

/// What fits into a [`Text`] itself.
const INLINE: usize = EcoString::INLINE_LIMIT;

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// None where it is empty: Discord has no empty names or topics.
    #[must_use]
    pub fn non_empty(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EcoString::deserialize(deserializer).map(Self)
    }
}

/// A text that may be missing, where missing and empty are the same; missing is `null` for people.
pub(crate) mod or_null {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};

    pub(crate) fn serialize<S: Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
        text.non_empty().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

/// Gives equal long texts one place in memory: thousands of guilds have a channel "announcements-and-news".
///
/// It holds what was asked for lately, in two generations: when the young one is full it becomes the old one, and what the
/// old one held is only kept by those who use it. So nothing is held that nobody asks for.
#[derive(Debug, Default)]
pub(crate) struct Interner(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<EcoString, foldhash::fast::RandomState>,
    old: HashSet<EcoString, foldhash::fast::RandomState>,
}

/// Texts of one generation: at most some 10 MB of the table's own.
const GENERATION: usize = 1 << 16;

impl Interner {
    /// Gives every text of a list its place.
    pub(crate) fn intern<'a>(&self, texts: impl IntoIterator<Item = &'a mut Text>) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Text(text) in texts {
            if text.len() > INLINE {
                generations.intern(text);
            }
        }
    }
}

impl Generations {
    fn intern(&mut self, text: &mut EcoString) {
        if let Some(known) = self.young.get(text) {
            text.clone_from(known);
            return;
        }
        if let Some(known) = self.old.take(text) {
            *text = known;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(text.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_large_as_two_pointers() {
        assert_eq!(size_of::<Text>(), 16);
        assert_eq!(INLINE, 15);
    }

    #[test]
    fn equal_long_texts_have_one_place() {
        let interner = Interner::default();
        let long = "announcements-and-news";
        let (mut one, mut other) = (Text::from(long), Text::from(long));
        assert_ne!(one.as_ptr(), other.as_ptr());
        interner.intern([&mut one, &mut other]);
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert_eq!(other.as_str(), long);
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten_after_two_generations() {
        let interner = Interner::default();
        interner.intern([&mut Text::from("announcements-and-news")]);
        for number in 0..2 * GENERATION {
            interner.intern([&mut Text::from(format!("a channel's topic {number}").as_str())]);
        }
        let generations = interner.0.lock().unwrap();
        assert!(!generations.young.contains("announcements-and-news"));
        assert!(!generations.old.contains("announcements-and-news"));
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}
