use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

/// A person or a bot.
#[derive(Clone, Debug)]
pub struct User {
    /// Id; for a bot the same number as its application's.
    pub id: Id<UserMarker>,
    /// Unique lower-case name.
    pub username: String,
    /// Display name.
    pub global_name: Option<String>,
    /// Whether this is a bot.
    pub bot: bool,
    /// The token that logs in: a bot's stands behind `Bot ` in the `Authorization` header, a person's stands alone.
    pub token: String,
    /// Whether direct messages of others are refused (50007).
    pub dms_closed: bool,
    /// What the page says beside the name, e.g. "Server owner"; `None` keeps the person out of the page's switcher.
    pub note: Option<String>,
}

impl User {
    /// The user object of the REST API and of the gateway.
    pub fn to_json(&self) -> Value {
        let mut user = json!({
            "id": self.id, "username": self.username, "discriminator": "0", "global_name": self.global_name, "avatar": null,
            "public_flags": 0, "flags": 0, "primary_guild": null, "banner": null, "accent_color": null, "avatar_decoration_data": null,
            "collectibles": null,
        });
        if self.bot {
            user["bot"] = json!(true);
        }
        user
    }

    /// The object of `/users/@me`.
    pub fn to_own_json(&self) -> Value {
        let mut user = self.to_json();
        user["mfa_enabled"] = json!(false);
        user["locale"] = json!("en-US");
        user["verified"] = json!(true);
        user["email"] = Value::Null;
        user["premium_type"] = json!(0);
        user
    }

    /// The name that people read.
    pub fn display_name(&self) -> &str {
        self.global_name.as_deref().unwrap_or(&self.username)
    }
}

/// Who makes a call or holds a gateway session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A bot, by its application.
    Bot(Id<ApplicationMarker>),
    /// A person at a client.
    Person(Id<UserMarker>),
}

impl Principal {
    /// The user behind either kind.
    pub fn user(self) -> Id<UserMarker> {
        match self {
            Self::Bot(application) => application.cast(),
            Self::Person(user) => user,
        }
    }
}
