use serde::{Deserialize, Deserializer, Serialize};
use twilight_model::id::{
    Id,
    marker::{EmojiMarker, RoleMarker},
};

use super::{Interner, Text};
use crate::wire;

/// An emoji of a guild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emoji {
    /// Its id.
    #[serde(with = "wire::id")]
    pub id: Id<EmojiMarker>,
    /// Its name.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: Text,
    /// Whether it moves.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub animated: bool,
    /// Whether it can be used: not after the guild lost boosts.
    #[serde(default = "available", deserialize_with = "or_available")]
    pub available: bool,
    /// Whether an integration owns it.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub managed: bool,
    /// Who alone may use it; empty is everybody.
    #[serde(default, with = "wire::ids")]
    pub roles: Box<[Id<RoleMarker>]>,
}

fn available() -> bool {
    true
}

fn or_available<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(available))
}

impl Emoji {
    pub(crate) fn intern(&mut self, interner: &Interner) {
        interner.intern([&mut self.name]);
    }
}
