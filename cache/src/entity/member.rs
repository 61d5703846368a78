use serde::{Deserialize, Serialize};
use twilight_model::{
    id::{
        Id,
        marker::{RoleMarker, UserMarker},
    },
    util::{ImageHash, Timestamp},
};

use super::{Interner, Text, User, text};
use crate::wire;

/// A user's place in one guild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who; missing where the user is told apart (in messages, and in the stores).
    #[serde(default)]
    pub user: Option<Box<User>>,
    /// The name in this guild.
    #[serde(default, with = "text::or_null")]
    pub nick: Text,
    /// The avatar in this guild.
    #[serde(default, with = "wire::image")]
    pub avatar: Option<ImageHash>,
    /// Roles without @everyone.
    #[serde(default, with = "wire::ids")]
    pub roles: Box<[Id<RoleMarker>]>,
    /// Since when.
    #[serde(default, with = "wire::at")]
    pub joined_at: Option<Timestamp>,
    /// Boosts the guild since then.
    #[serde(default, with = "wire::at")]
    pub premium_since: Option<Timestamp>,
    /// May not write until then.
    #[serde(default, with = "wire::at")]
    pub communication_disabled_until: Option<Timestamp>,
    /// Discord's flags.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub flags: u32,
    /// Has not accepted the guild's rules yet.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub pending: bool,
}

impl Member {
    /// The user's id, where the user is told.
    #[must_use]
    pub fn id(&self) -> Option<Id<UserMarker>> {
        self.user.as_ref().map(|user| user.id)
    }

    pub(crate) fn intern(&mut self, interner: &Interner) {
        interner.intern([&mut self.nick]);
    }
}
