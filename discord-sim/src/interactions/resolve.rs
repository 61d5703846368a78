//! `resolved`: the objects behind the ids that options and select menus name.

use serde_json::{Map, Value, json};
use twilight_model::id::{
    Id,
    marker::{GuildMarker, UserMarker},
};

use crate::state::State;

/// What an id may stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    User,
    Role,
    Mentionable,
    Channel,
    Attachment,
}

/// Collects resolved objects by their kinds.
#[derive(Default)]
pub(super) struct Resolved(Map<String, Value>);

impl Resolved {
    /// Adds what `id` stands for; false when there is no such thing in the guild.
    pub(super) fn add(
        &mut self,
        state: &State,
        guild: Option<Id<GuildMarker>>,
        viewer: Id<UserMarker>,
        of: Of,
        id: &str,
    ) -> bool {
        let user = matches!(of, Of::User | Of::Mentionable) && self.user(state, guild, id);
        let role = matches!(of, Of::Role | Of::Mentionable) && self.role(state, guild, id);
        user || role
            || match of {
                Of::Channel => self.channel(state, guild, viewer, id),
                Of::Attachment => self.attachment(state, id),
                _ => false,
            }
    }

    fn user(&mut self, state: &State, guild: Option<Id<GuildMarker>>, id: &str) -> bool {
        let Some(user) = id.parse().ok().and_then(|id| state.users.get(&id)) else { return false };
        self.put("users", id, user.to_json());
        if let Some(member) =
            guild.and_then(|guild| state.guilds.get(&guild)).and_then(|guild| guild.members.get(&user.id))
        {
            let mut member = member.to_json(None);
            let permissions =
                guild.and_then(|guild| state.guilds.get(&guild)).map(|guild| state.guild_permissions(guild, user.id));
            member["permissions"] = json!(permissions.map(|permissions| permissions.bits().to_string()));
            for field in ["mute", "deaf"] {
                member.as_object_mut().map(|fields| fields.remove(field));
            }
            self.put("members", id, member);
        }
        true
    }

    fn role(&mut self, state: &State, guild: Option<Id<GuildMarker>>, id: &str) -> bool {
        let role =
            guild.and_then(|guild| state.guilds.get(&guild)).and_then(|guild| guild.roles.get(&id.parse().ok()?));
        role.map(|role| self.put("roles", id, role.to_json())).is_some()
    }

    fn channel(&mut self, state: &State, guild: Option<Id<GuildMarker>>, viewer: Id<UserMarker>, id: &str) -> bool {
        let Some(channel) =
            id.parse().ok().and_then(|id| state.channels.get(&id)).filter(|channel| channel.guild_id == guild)
        else {
            return false;
        };
        let mut json = state.channel_json(channel, Some(viewer));
        json["permissions"] = json!(state.channel_permissions(channel, viewer).bits().to_string());
        self.put("channels", id, json);
        true
    }

    fn attachment(&mut self, state: &State, id: &str) -> bool {
        let Some((attachment, _)) = id.parse().ok().and_then(|id| state.files.get(&id)) else { return false };
        self.put("attachments", id, attachment.to_json());
        true
    }

    fn put(&mut self, kind: &str, id: &str, json: Value) {
        let group = self.0.entry(kind).or_insert_with(|| json!({}));
        group[id] = json;
    }

    /// The object, if anything was resolved.
    pub(super) fn into_json(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}
