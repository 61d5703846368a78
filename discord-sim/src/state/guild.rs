use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker, UserMarker},
    },
};

/// A guild; its channels stand in [`State::channels`](super::State::channels).
#[derive(Clone, Debug)]
pub struct Guild {
    /// Id; also the id of the role @everyone.
    pub id: Id<GuildMarker>,
    /// Name, 2–100 characters.
    pub name: String,
    /// The owner has every permission.
    pub owner_id: Id<UserMarker>,
    /// Roles by id, @everyone among them.
    pub roles: BTreeMap<Id<RoleMarker>, Role>,
    /// Members by user id.
    pub members: BTreeMap<Id<UserMarker>, Member>,
    /// An outage: sessions see `GUILD_DELETE {unavailable: true}`, which is not a leave.
    pub unavailable: bool,
}

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    /// Id.
    pub id: Id<RoleMarker>,
    /// Name, 1–100 characters.
    pub name: String,
    /// What it grants.
    pub permissions: Permissions,
    /// Height in the order; @everyone is 0.
    pub position: i64,
    /// RGB colour, 0 for none.
    pub color: u32,
    /// Whether its members stand apart in the member list.
    pub hoist: bool,
    /// Whether an integration owns it.
    pub managed: bool,
    /// Whether everybody may mention it.
    pub mentionable: bool,
    /// The bot whose role this is.
    pub bot_id: Option<Id<UserMarker>>,
}

impl Role {
    /// The role object.
    pub fn to_json(&self) -> Value {
        let mut role = json!({
            "id": self.id, "name": self.name, "permissions": self.permissions.bits().to_string(), "position": self.position,
            "color": self.color, "colors": { "primary_color": self.color, "secondary_color": null, "tertiary_color": null },
            "hoist": self.hoist, "managed": self.managed, "mentionable": self.mentionable, "icon": null, "unicode_emoji": null, "flags": 0,
        });
        if let Some(bot) = self.bot_id {
            role["tags"] = json!({ "bot_id": bot });
        }
        role
    }
}

/// A user's place in one guild.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub user_id: Id<UserMarker>,
    /// Name in this guild.
    pub nick: Option<String>,
    /// Roles without @everyone.
    pub roles: Vec<Id<RoleMarker>>,
    /// Since when.
    pub joined_at: OffsetDateTime,
}

impl Member {
    /// The member object; `user` is left out where Discord leaves it out (messages).
    pub fn to_json(&self, user: Option<Value>) -> Value {
        let mut member = json!({
            "avatar": null, "banner": null, "communication_disabled_until": null, "flags": 0, "joined_at": timestamp(self.joined_at),
            "nick": self.nick, "pending": false, "premium_since": null, "roles": self.roles, "mute": false, "deaf": false,
        });
        if let Some(user) = user {
            member["user"] = user;
        }
        member
    }
}

impl Guild {
    /// The guild object without channels, members and threads.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "icon": null, "description": null, "home_header": null, "splash": null, "discovery_splash": null,
            "features": [], "banner": null, "owner_id": self.owner_id, "application_id": null, "region": "deprecated",
            "afk_channel_id": null, "afk_timeout": 300, "system_channel_id": null, "system_channel_flags": 0, "widget_enabled": false,
            "widget_channel_id": null, "verification_level": 0, "roles": self.roles.values().map(Role::to_json).collect::<Vec<_>>(),
            "default_message_notifications": 0, "mfa_level": 0, "explicit_content_filter": 0, "max_presences": null, "max_members": 500_000,
            "max_stage_video_channel_users": 50, "max_video_channel_users": 25, "vanity_url_code": null, "premium_tier": 0,
            "premium_subscription_count": 0, "preferred_locale": "en-US", "rules_channel_id": null, "safety_alerts_channel_id": null,
            "public_updates_channel_id": null, "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0, "emojis": [],
            "stickers": [], "incidents_data": null,
        })
    }
}

/// Discord's way to write an instant.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let micros = at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at);
    micros.format(&Rfc3339).map(|text| text.replace('Z', "+00:00")).unwrap_or_default()
}
