//! Discord's objects with chance in every field: missing, `null`, of odd form, or as the documentation has it.

use serde_json::{Map, Value, json};

use crate::chance::Chance;

/// Few of each, so that events meet; one id is beyond what a signed number holds.
pub(crate) const CHANNELS: [u64; 5] = [11, 12, 13, 14, u64::MAX - 9];
pub(crate) const THREADS: [u64; 5] = [21, 22, 23, 24, u64::MAX - 8];
pub(crate) const ROLES: [u64; 4] = [31, 32, 33, u64::MAX - 7];
pub(crate) const EMOJIS: [u64; 3] = [41, 42, 43];

const TEXTS: [&str; 7] = [
    "",
    "general",
    "fifteen-letters",
    "announcements-and-news",
    "größe ✓ 名前 \u{1f3ab}",
    "\"quoted\\\" \n",
    "the longest of these topics, which is shared by all who have it",
];

/// A user as everybody sees them; a change gives another form, and no form comes twice.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) form: u32,
}

impl Person {
    pub(crate) fn json(&self) -> Value {
        let Self { id, form } = self;
        let mut user = json!({
            "id": id.to_string(),
            "username": format!("person-{form}"),
            "discriminator": "0",
            "avatar": format!("{:032x}", u128::from(*form)),
            "primary_guild": null,
        });
        // What is told of a person is the same wherever it is told.
        if form % 3 > 0 {
            user["global_name"] = if form % 3 == 1 { Value::Null } else { json!("Person") };
        }
        if form % 2 == 0 {
            user["public_flags"] = json!(u64::from(*form) << 20);
        }
        user
    }
}

/// Makes objects.
pub(crate) struct Make<'a> {
    pub(crate) chance: &'a mut Chance,
    pub(crate) guild: u64,
    pub(crate) people: &'a [Person],
}

impl Make<'_> {
    /// With all of `must`, and each of `may` unless it is left out or `null`.
    fn object(&mut self, must: Value, may: Value) -> Value {
        let (Value::Object(mut object), Value::Object(may)) = (must, may) else { panic!("objects") };
        for (name, value) in may {
            match self.chance.below(14) {
                0 => {}
                1 => drop(object.insert(name, Value::Null)),
                _ => drop(object.insert(name, value)),
            }
        }
        if self.chance.one_in(6) {
            object.insert("of_tomorrow".to_owned(), json!({ "id": 5, "list": [null, { "type": "x" }] }));
        }
        Value::Object(object)
    }

    pub(crate) fn text(&mut self) -> &'static str {
        TEXTS[self.chance.below(TEXTS.len())]
    }

    fn flags(&mut self) -> u64 {
        self.chance.bits() >> 33
    }

    fn permissions(&mut self) -> String {
        (self.chance.bits() >> self.chance.below(40)).to_string()
    }

    fn image(&mut self) -> Value {
        let hash = self.chance.wide_bits();
        match self.chance.below(5) {
            0 => json!(format!("a_{hash:032x}")),
            1 => json!("not-a-hash"),
            2 => Value::Null,
            _ => json!(format!("{hash:032x}")),
        }
    }

    fn at(&mut self) -> Value {
        let (day, micros) = (self.chance.between(10, 28), self.chance.between(0, 999_999));
        match self.chance.below(5) {
            0 => json!("soon"),
            1 => Value::Null,
            _ => json!(format!("2024-05-{day}T07:08:09.{micros:06}+00:00")),
        }
    }

    fn id_of(&mut self, ids: &[u64]) -> Value {
        json!(self.chance.pick(ids).to_string())
    }

    fn ids_of(&mut self, ids: &[u64]) -> Value {
        self.chance.some(ids).iter().map(u64::to_string).collect()
    }

    pub(crate) fn channel(&mut self, id: u64) -> Value {
        let overwrites: Vec<Value> = (0..self.chance.below(3)).map(|_| self.overwrite()).collect();
        let tags: Vec<Value> = (0..self.chance.below(2)).map(|_| self.tag()).collect();
        let may = json!({
            "type": *self.chance.pick(&[0, 2, 4, 5, 13, 15, 16]),
            "nsfw": self.chance.coin(),
            "rate_limit_per_user": self.chance.between(0, 21_600),
            "position": self.chance.between(-1, 500),
            "flags": self.flags(),
            "parent_id": self.id_of(&CHANNELS),
            "name": self.text(),
            "topic": self.text(),
            "permission_overwrites": overwrites,
            "available_tags": tags,
            "last_message_id": "77",
        });
        let must = json!({ "id": id.to_string(), "guild_id": self.guild.to_string() });
        self.object(must, may)
    }

    fn overwrite(&mut self) -> Value {
        let kind = self.chance.below(2);
        json!({ "id": self.id_of(&ROLES), "type": kind, "allow": self.permissions(), "deny": self.permissions() })
    }

    fn tag(&mut self) -> Value {
        let may = json!({
            "name": self.text(),
            "moderated": self.chance.coin(),
            "emoji_id": self.id_of(&EMOJIS),
            "emoji_name": self.text(),
        });
        self.object(json!({ "id": "51" }), may)
    }

    pub(crate) fn thread(&mut self, id: u64) -> Value {
        let metadata = json!({
            "archived": self.chance.one_in(4),
            "locked": self.chance.coin(),
            "invitable": self.chance.coin(),
            "auto_archive_duration": *self.chance.pick(&[60, 1_440, 10_080]),
            "archive_timestamp": self.at(),
            "create_timestamp": self.at(),
        });
        let metadata = self.object(json!({}), metadata);
        let owner = self.chance.pick(self.people).id.to_string();
        let may = json!({
            "type": *self.chance.pick(&[10, 11, 12]),
            "rate_limit_per_user": self.chance.between(0, 21_600),
            "flags": self.flags(),
            "parent_id": self.id_of(&CHANNELS),
            "name": self.text(),
            "applied_tags": ["51", "52"],
            "owner_id": owner,
            "thread_metadata": metadata,
            "member_count": 3,
        });
        let must = json!({ "id": id.to_string(), "guild_id": self.guild.to_string() });
        self.object(must, may)
    }

    pub(crate) fn role(&mut self, id: u64) -> Value {
        let tags = match self.chance.below(4) {
            0 => json!({ "bot_id": "77", "integration_id": null }),
            1 => json!({ "premium_subscriber": null }),
            2 => json!({ "integration_id": "78", "subscription_listing_id": "79", "available_for_purchase": null }),
            _ => Value::Null,
        };
        let may = json!({
            "name": self.text(),
            "color": self.chance.between(0, 0xff_ffff),
            "position": self.chance.between(-1, 250),
            "hoist": self.chance.coin(),
            "managed": self.chance.coin(),
            "mentionable": self.chance.coin(),
            "icon": self.image(),
            "unicode_emoji": self.text(),
            "tags": tags,
        });
        let must = json!({ "id": id.to_string(), "permissions": self.permissions() });
        self.object(must, may)
    }

    pub(crate) fn emoji(&mut self, id: u64) -> Value {
        let may = json!({
            "name": self.text(),
            "animated": self.chance.coin(),
            "available": self.chance.coin(),
            "managed": self.chance.coin(),
            "roles": self.ids_of(&ROLES),
        });
        self.object(json!({ "id": id.to_string() }), may)
    }

    /// Without the user.
    pub(crate) fn bare_member(&mut self) -> Value {
        let may = json!({
            "nick": self.text(),
            "avatar": self.image(),
            "roles": self.ids_of(&ROLES),
            "joined_at": self.at(),
            "premium_since": self.at(),
            "communication_disabled_until": self.at(),
            "flags": self.flags(),
            "pending": self.chance.coin(),
            "deaf": false,
        });
        self.object(json!({}), may)
    }

    pub(crate) fn member(&mut self) -> Value {
        let mut member = self.bare_member();
        // Discord always tells who it is; what if not?
        if !self.chance.one_in(30) {
            member["user"] = self.chance.pick(self.people).json();
        }
        member
    }

    /// Without lists.
    pub(crate) fn guild(&mut self) -> Map<String, Value> {
        let owner = self.chance.pick(self.people).id.to_string();
        let level = self.chance.between(0, 4);
        let may = json!({
            "name": self.text(),
            "icon": self.image(),
            "owner_id": owner,
            "description": self.text(),
            "features": self.chance.some(&["COMMUNITY", "NEWS", "A_FEATURE_OF_TOMORROW"]),
            "preferred_locale": *self.chance.pick(&["en-US", "de"]),
            "verification_level": level,
            "explicit_content_filter": level,
            "default_message_notifications": self.chance.between(0, 1),
            "mfa_level": self.chance.between(0, 1),
            "nsfw_level": level,
            "premium_tier": level,
            "afk_channel_id": self.id_of(&CHANNELS),
            "system_channel_id": self.id_of(&CHANNELS),
            "rules_channel_id": self.id_of(&CHANNELS),
            "public_updates_channel_id": self.id_of(&CHANNELS),
            "vanity_url_code": self.text(),
            "stickers": [{ "id": "61" }],
        });
        let must = json!({ "id": self.guild.to_string() });
        let Value::Object(guild) = self.object(must, may) else { panic!("an object") };
        guild
    }

    /// Some of these, each made; now and then one of them twice, and differently.
    pub(crate) fn list(&mut self, ids: &[u64], make: fn(&mut Self, u64) -> Value) -> Value {
        let mut ids = self.chance.some(ids);
        if self.chance.one_in(15) {
            ids.extend_from_within(..);
        }
        self.chance.shuffle(&mut ids);
        ids.into_iter().map(|id| make(self, id)).collect()
    }
}
