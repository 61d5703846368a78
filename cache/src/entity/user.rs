use serde::{Deserialize, Serialize};
use twilight_model::{
    id::{Id, marker::UserMarker},
    util::ImageHash,
};

use super::{Interner, Text, text};
use crate::wire;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    #[serde(with = "wire::id")]
    pub id: Id<UserMarker>,
    /// The unique name.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub username: Text,
    /// The name that is shown.
    #[serde(default, with = "text::or_null")]
    pub global_name: Text,
    /// The four digits of bots and old accounts; "0" else.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub discriminator: Text,
    /// The avatar.
    #[serde(default, with = "wire::image")]
    pub avatar: Option<ImageHash>,
    /// Whether it is an application.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub bot: bool,
    /// Discord's public flags (badges).
    #[serde(default, deserialize_with = "wire::or_default")]
    pub public_flags: u64,
}

impl User {
    pub(crate) fn intern(&mut self, interner: &Interner) {
        interner.intern([&mut self.username, &mut self.global_name, &mut self.discriminator]);
    }
}
