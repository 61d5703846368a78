//! What Discord sends when somebody uses a command, presses a button, or submits a form.
//!
//! Only what the handlers read is decoded: an odd field elsewhere must not lose a click.

use serde::Deserialize;
use serde_json::{Value, error::Category};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ApplicationMarker, ChannelMarker, GuildMarker, InteractionMarker, RoleMarker, UserMarker},
    },
};

/// An interaction.
#[derive(Clone, Deserialize)]
pub struct Interaction {
    /// Its id, which also tells when it was made.
    pub id: Id<InteractionMarker>,
    /// The application that it is for.
    pub application_id: Id<ApplicationMarker>,
    #[serde(rename = "type")]
    kind: u8,
    /// By which it is answered, for 15 minutes.
    pub token: String,
    /// The guild that it came from; signed by Discord, hence the only scope that is believed.
    pub guild_id: Option<Id<GuildMarker>>,
    channel_id: Option<Id<ChannelMarker>>,
    channel: Option<Channel>,
    member: Option<Member>,
    user: Option<User>,
    #[serde(default)]
    data: Option<Data>,
    /// What the bot may do in that channel.
    pub app_permissions: Option<Permissions>,
}

/// Something of Discord's that is not what it should be.
///
/// Says where, not what stands there: serde's own text quotes values, which may be people's words or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{category:?} error at line {line} column {column} of the payload")]
pub struct Unreadable {
    category: Category,
    line: usize,
    column: usize,
}

impl Unreadable {
    pub(crate) fn new(error: &serde_json::Error) -> Self {
        Unreadable { category: error.classify(), line: error.line(), column: error.column() }
    }
}

/// What kind of interaction it is, with what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Discord asks whether we live.
    Ping,
    /// A command, by its name.
    Command(&'a str),
    /// A button or menu, by its custom id.
    Component(&'a str),
    /// A command that is being typed, by its name.
    Autocomplete(&'a str),
    /// A form, by its custom id.
    Modal(&'a str),
    /// One that Discord has added since.
    Unknown,
}

impl Kind<'_> {
    /// The name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Ping => "ping",
            Kind::Command(_) => "command",
            Kind::Component(_) => "component",
            Kind::Autocomplete(_) => "autocomplete",
            Kind::Modal(_) => "modal",
            Kind::Unknown => "unknown",
        }
    }
}

/// The member who did it.
#[derive(Clone, Debug, Deserialize)]
pub struct Member {
    user: User,
    /// The member's roles.
    #[serde(default)]
    pub roles: Vec<Id<RoleMarker>>,
    /// What the member may do in the channel; the owner of the guild may do everything.
    #[serde(default = "Permissions::empty")]
    pub permissions: Permissions,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    id: Id<UserMarker>,
}

#[derive(Clone, Debug, Deserialize)]
struct Channel {
    id: Id<ChannelMarker>,
}

#[derive(Clone, Deserialize)]
struct Data {
    name: Option<String>,
    custom_id: Option<String>,
    #[serde(default)]
    options: Vec<DataOption>,
    #[serde(default)]
    components: Vec<Value>,
}

#[derive(Clone, Deserialize)]
struct DataOption {
    name: String,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    focused: bool,
}

impl Interaction {
    /// Reads Discord's body.
    ///
    /// # Errors
    ///
    /// When it is no interaction.
    pub fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice(body).map_err(|error| Unreadable::new(&error))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind<'_> {
        let data = self.data.as_ref();
        let name = data.and_then(|data| data.name.as_deref());
        let custom_id = data.and_then(|data| data.custom_id.as_deref());
        match (self.kind, name, custom_id) {
            (1, ..) => Kind::Ping,
            (2, Some(name), _) => Kind::Command(name),
            (3, _, Some(id)) => Kind::Component(id),
            (4, Some(name), _) => Kind::Autocomplete(name),
            (5, _, Some(id)) => Kind::Modal(id),
            _ => Kind::Unknown,
        }
    }

    /// The member, where it came from a guild.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// The person who did it.
    #[must_use]
    pub fn user(&self) -> Option<Id<UserMarker>> {
        self.member.as_ref().map(|member| member.user.id).or_else(|| self.user.as_ref().map(|user| user.id))
    }

    /// The channel that it came from.
    #[must_use]
    pub fn channel(&self) -> Option<Id<ChannelMarker>> {
        self.channel.as_ref().map(|channel| channel.id).or(self.channel_id)
    }

    /// The text given for a command's option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let options = &self.data.as_ref()?.options;
        options.iter().find(|option| option.name == name)?.value.as_str()
    }

    /// The option that is being typed, and what stands in it so far.
    #[must_use]
    pub fn focused(&self) -> Option<(&str, &str)> {
        let options = &self.data.as_ref()?.options;
        let option = options.iter().find(|option| option.focused)?;
        Some((&option.name, option.value.as_str().unwrap_or_default()))
    }

    /// What was written into a form's field; the field may stand in a row or under a label.
    #[must_use]
    pub fn field(&self, custom_id: &str) -> Option<&str> {
        fn find<'a>(component: &'a Value, custom_id: &str) -> Option<&'a str> {
            if component["custom_id"] == custom_id {
                return component["value"].as_str();
            }
            let rows = component["components"].as_array().into_iter().flatten();
            rows.chain(component.get("component")).find_map(|inner| find(inner, custom_id))
        }
        let components = &self.data.as_ref()?.components;
        components.iter().find_map(|component| find(component, custom_id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: Value) -> Interaction {
        Interaction::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_press_in_a_guild_tells_who_where_and_what() {
        let press = parse(json!({
            "id": "11", "application_id": "1", "type": 3, "token": "t", "guild_id": "5",
            "channel": {"id": "6", "type": 0}, "version": 1, "something_new": {"odd": []},
            "member": {"user": {"id": "7", "username": "ann"}, "roles": ["8"], "permissions": "8"},
            "message": {"id": "12", "channel_id": "6"},
            "data": {"component_type": 2, "custom_id": "t1:close:3"},
        }));
        assert_eq!(press.kind(), Kind::Component("t1:close:3"));
        assert_eq!(press.user(), Some(Id::new(7)));
        assert_eq!(press.channel(), Some(Id::new(6)));
        let member = press.member().unwrap();
        assert_eq!(member.roles, [Id::new(8)]);
        assert!(member.permissions.contains(Permissions::ADMINISTRATOR));
    }

    #[test]
    fn options_are_found_by_name_and_the_one_being_typed_by_its_mark() {
        let typing = parse(json!({
            "id": "11", "application_id": "1", "type": 4, "token": "t", "user": {"id": "7"},
            "data": {"id": "2", "name": "close", "type": 1, "options": [
                {"name": "reason", "type": 3, "value": "so", "focused": true},
                {"name": "count", "type": 4, "value": 3},
            ]},
        }));
        assert_eq!(typing.kind(), Kind::Autocomplete("close"));
        assert_eq!(typing.focused(), Some(("reason", "so")));
        assert_eq!(typing.option("reason"), Some("so"));
        assert_eq!(typing.option("count"), None);
        assert_eq!(typing.user(), Some(Id::new(7)));
    }

    #[test]
    fn fields_of_a_form_are_found_in_rows_and_under_labels() {
        for components in [
            json!([{"type": 1, "components": [{"type": 4, "custom_id": "reason", "value": "done"}]}]),
            json!([{"type": 18, "component": {"type": 4, "custom_id": "reason", "value": "done"}}]),
        ] {
            let form = parse(json!({
                "id": "11", "application_id": "1", "type": 5, "token": "t",
                "data": {"custom_id": "t1:close-form:3", "components": components},
            }));
            assert_eq!(form.kind(), Kind::Modal("t1:close-form:3"));
            assert_eq!(form.field("reason"), Some("done"));
            assert_eq!(form.field("other"), None);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let body = json!({"id": "11", "application_id": "hush", "type": 2, "token": "t"});
        let error = Interaction::parse(body.to_string().as_bytes()).err().unwrap();
        assert!(error.to_string().starts_with("Data error at line 1 column "), "{error}");
    }

    #[test]
    fn a_kind_that_discord_adds_is_unknown_rather_than_an_error() {
        let odd = parse(json!({"id": "11", "application_id": "1", "type": 77, "token": "t"}));
        assert_eq!(odd.kind(), Kind::Unknown);
    }
}
