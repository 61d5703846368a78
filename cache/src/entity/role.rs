use serde::{Deserialize, Serialize};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{IntegrationMarker, RoleMarker, RoleSubscriptionSkuMarker, UserMarker},
    },
    util::ImageHash,
};

use super::{Interner, Text, text};
use crate::wire;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id; that of @everyone is the guild's.
    #[serde(with = "wire::id")]
    pub id: Id<RoleMarker>,
    /// What it grants.
    #[serde(with = "wire::permissions")]
    pub permissions: Permissions,
    /// Its name.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: Text,
    /// RGB; 0 is none.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub color: u32,
    /// Height in the order; roles of one height are ordered by their ids.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub position: i32,
    /// Whether its members stand apart.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub hoist: bool,
    /// Whether an integration owns it.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub managed: bool,
    /// Whether everybody may mention it.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub mentionable: bool,
    /// Its icon.
    #[serde(default, with = "wire::image")]
    pub icon: Option<ImageHash>,
    /// Or its Unicode emoji.
    #[serde(default, with = "text::or_null")]
    pub unicode_emoji: Text,
    /// Whose it is.
    #[serde(default)]
    pub tags: Option<Box<RoleTags>>,
}

impl Role {
    pub(crate) fn intern(&mut self, interner: &Interner) {
        interner.intern([&mut self.name, &mut self.unicode_emoji]);
    }
}

/// Whose role it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleTags {
    /// A bot's own role.
    #[serde(default, with = "wire::id_opt")]
    pub bot_id: Option<Id<UserMarker>>,
    /// An integration's.
    #[serde(default, with = "wire::id_opt")]
    pub integration_id: Option<Id<IntegrationMarker>>,
    /// A subscription's.
    #[serde(default, with = "wire::id_opt")]
    pub subscription_listing_id: Option<Id<RoleSubscriptionSkuMarker>>,
    /// That of who boosts the guild.
    #[serde(default, with = "wire::presence")]
    pub premium_subscriber: bool,
}
