//! What the cache should hold, by reading Discord's JSON in the simplest way there is.
//!
//! Written apart from the crate, of which it uses nothing: what both say is not one mistake made twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A guild of a bot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Naive {
    /// The bot is not in it.
    #[default]
    Absent,
    /// Nothing but an outage is known of it.
    Dark(Value),
    Known(Box<Known>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    guild: Value,
    channels: BTreeMap<u64, Value>,
    threads: BTreeMap<u64, Value>,
    roles: BTreeMap<u64, Value>,
    emojis: BTreeMap<u64, Value>,
    /// Without their users.
    members: BTreeMap<u64, Value>,
}

/// Users, each as told of last, with the time of that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(pub(crate) BTreeMap<u64, (i64, Value)>);

impl Told {
    pub(crate) fn tell(&mut self, d: &Value, at_ms: i64) {
        let of = self.0.entry(id(d)).or_insert((i64::MIN, Value::Null));
        if of.0 < at_ms {
            *of = (at_ms, user(d));
        }
    }

    /// What an event tells of users.
    pub(crate) fn hear(&mut self, kind: &str, d: &Value, at_ms: i64) {
        let told: Vec<&Value> = match kind {
            "GUILD_CREATE" if d["unavailable"] == true => vec![],
            "GUILD_CREATE" | "GUILD_MEMBERS_CHUNK" => {
                array(&d["members"]).iter().map(|member| &member["user"]).collect()
            }
            "GUILD_MEMBER_ADD" | "GUILD_MEMBER_UPDATE" => vec![&d["user"]],
            "MESSAGE_CREATE" if d["webhook_id"].is_null() && d["member"].is_object() => vec![&d["author"]],
            "INTERACTION_CREATE" => vec![&d["member"]["user"]],
            _ => vec![],
        };
        told.into_iter().filter(|user| user.is_object()).for_each(|user| self.tell(user, at_ms));
    }
}

impl Naive {
    pub(crate) fn is_held(&self) -> bool {
        *self != Naive::Absent
    }

    /// What an event changes; READY is one that does not name the guild.
    pub(crate) fn apply(&mut self, kind: &str, d: &Value) {
        match kind {
            "READY" => *self = Naive::Absent,
            "GUILD_DELETE" if d["unavailable"] != true => *self = Naive::Absent,
            "GUILD_CREATE" if d["unavailable"] != true => *self = Naive::Known(Box::new(Known::whole(d))),
            "GUILD_CREATE" | "GUILD_DELETE" => match self {
                Naive::Absent => *self = Naive::Dark(guild(&json!({ "id": d["id"], "unavailable": true }))),
                Naive::Dark(_) => {}
                Naive::Known(known) => known.guild["unavailable"] = json!(true),
            },
            _ => {
                if let Naive::Known(known) = self {
                    known.apply(kind, d);
                }
            }
        }
    }

    /// As the cache writes it for people, with the users in their members.
    pub(crate) fn json(&self, told: &Told) -> Option<Value> {
        let list = |of: &BTreeMap<u64, Value>| of.values().cloned().collect::<Value>();
        match self {
            Naive::Absent => None,
            Naive::Dark(guild) => Some(json!({
                "guild": guild, "channels": [], "threads": [], "roles": [], "emojis": [], "members": [],
            })),
            Naive::Known(known) => {
                let members = known.members.iter().map(|(id, member)| {
                    let mut member = member.clone();
                    member["user"] = told.0.get(id).map_or(Value::Null, |(_, user)| user.clone());
                    member
                });
                Some(json!({
                    "guild": known.guild,
                    "channels": list(&known.channels),
                    "threads": list(&known.threads),
                    "roles": list(&known.roles),
                    "emojis": list(&known.emojis),
                    "members": members.collect::<Value>(),
                }))
            }
        }
    }
}

impl Known {
    fn whole(d: &Value) -> Self {
        let mut members = BTreeMap::new();
        for one in array(&d["members"]).iter().filter(|one| one["user"].is_object()) {
            members.entry(id(&one["user"])).or_insert_with(|| member(one));
        }
        Self {
            guild: with_owner(guild(d)),
            channels: listed(&d["channels"], channel),
            threads: active(&d["threads"]),
            roles: listed(&d["roles"], role),
            emojis: listed(&d["emojis"], emoji),
            members,
        }
    }

    fn apply(&mut self, kind: &str, d: &Value) {
        match kind {
            "GUILD_UPDATE" => {
                let before = std::mem::replace(&mut self.guild, with_owner(guild(d)));
                self.guild["unavailable"] = before["unavailable"].clone();
                for kept in ["member_count", "joined_at"] {
                    if self.guild[kept].is_null() {
                        self.guild[kept] = before[kept].clone();
                    }
                }
                if d["roles"].is_array() {
                    self.roles = listed(&d["roles"], role);
                }
                if d["emojis"].is_array() {
                    self.emojis = listed(&d["emojis"], emoji);
                }
            }
            "GUILD_EMOJIS_UPDATE" => self.emojis = listed(&d["emojis"], emoji),
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" => drop(self.channels.insert(id(d), channel(d))),
            "CHANNEL_DELETE" => {
                self.channels.remove(&id(d));
                self.threads.retain(|_, thread| thread["parent_id"] != d["id"]);
            }
            "THREAD_CREATE" | "THREAD_UPDATE" if is_archived(d) => drop(self.threads.remove(&id(d))),
            "THREAD_CREATE" | "THREAD_UPDATE" => drop(self.threads.insert(id(d), channel(d))),
            "THREAD_DELETE" => drop(self.threads.remove(&id(d))),
            "THREAD_LIST_SYNC" => {
                match &d["channel_ids"] {
                    Value::Array(parents) => self.threads.retain(|_, thread| !parents.contains(&thread["parent_id"])),
                    _ => self.threads.clear(),
                }
                self.threads.extend(active(&d["threads"]));
            }
            "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" => drop(self.roles.insert(id(&d["role"]), role(&d["role"]))),
            "GUILD_ROLE_DELETE" => drop(self.roles.remove(&number(&d["role_id"]))),
            "GUILD_MEMBER_ADD" => {
                self.see(d, &d["user"]);
                self.count(1);
            }
            "GUILD_MEMBER_UPDATE" => self.see(d, &d["user"]),
            "GUILD_MEMBER_REMOVE" => {
                self.members.remove(&id(&d["user"]));
                self.count(-1);
            }
            // The first of doubles counts, as in every list.
            "GUILD_MEMBERS_CHUNK" => array(&d["members"]).iter().rev().for_each(|one| self.see(one, &one["user"])),
            "MESSAGE_CREATE" if d["webhook_id"].is_null() && d["member"].is_object() => {
                self.see(&d["member"], &d["author"]);
            }
            "INTERACTION_CREATE" => self.see(&d["member"], &d["member"]["user"]),
            _ => {}
        }
    }

    fn see(&mut self, d: &Value, user: &Value) {
        if user.is_object() {
            self.members.insert(id(user), member(d));
        }
    }

    fn count(&mut self, by: i64) {
        if let Some(count) = self.guild["member_count"].as_i64() {
            self.guild["member_count"] = json!((count + by).max(0));
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

pub(crate) fn id(d: &Value) -> u64 {
    number(&d["id"])
}

fn is_archived(thread: &Value) -> bool {
    thread["thread_metadata"]["archived"] == true
}

/// By ids; the first of doubles counts.
fn listed(d: &Value, read: fn(&Value) -> Value) -> BTreeMap<u64, Value> {
    let mut list = BTreeMap::new();
    for one in array(d) {
        list.entry(id(one)).or_insert_with(|| read(one));
    }
    list
}

/// Threads that are not archived.
fn active(d: &Value) -> BTreeMap<u64, Value> {
    let active: Value = array(d).iter().filter(|thread| !is_archived(thread)).cloned().collect();
    listed(&active, channel)
}

/// A field, or what stands for one that is missing.
fn or(d: &Value, field: &str, default: Value) -> Value {
    if d[field].is_null() { default } else { d[field].clone() }
}

fn text(d: &Value, field: &str) -> Value {
    if d[field] == "" { Value::Null } else { d[field].clone() }
}

fn image(d: &Value, field: &str) -> Value {
    if d[field] == "not-a-hash" { Value::Null } else { d[field].clone() }
}

fn at(d: &Value, field: &str) -> Value {
    if d[field] == "soon" { Value::Null } else { d[field].clone() }
}

fn with_owner(mut guild: Value) -> Value {
    if guild["owner_id"].is_null() {
        guild["owner_id"] = guild["id"].clone();
    }
    guild
}

fn guild(d: &Value) -> Value {
    json!({
        "id": d["id"],
        "unavailable": or(d, "unavailable", json!(false)),
        "name": or(d, "name", json!("")),
        "icon": image(d, "icon"),
        "owner_id": d["owner_id"],
        "description": text(d, "description"),
        "features": or(d, "features", json!([])),
        "preferred_locale": or(d, "preferred_locale", json!("")),
        "verification_level": or(d, "verification_level", json!(0)),
        "explicit_content_filter": or(d, "explicit_content_filter", json!(0)),
        "default_message_notifications": or(d, "default_message_notifications", json!(0)),
        "mfa_level": or(d, "mfa_level", json!(0)),
        "nsfw_level": or(d, "nsfw_level", json!(0)),
        "premium_tier": or(d, "premium_tier", json!(0)),
        "afk_channel_id": d["afk_channel_id"],
        "system_channel_id": d["system_channel_id"],
        "rules_channel_id": d["rules_channel_id"],
        "public_updates_channel_id": d["public_updates_channel_id"],
        "vanity_url_code": text(d, "vanity_url_code"),
        "member_count": d["member_count"],
        "joined_at": at(d, "joined_at"),
    })
}

fn channel(d: &Value) -> Value {
    let overwrite = |d: &Value| json!({ "id": d["id"], "type": d["type"], "allow": d["allow"], "deny": d["deny"] });
    let tag = |d: &Value| {
        json!({
            "id": d["id"],
            "name": or(d, "name", json!("")),
            "moderated": or(d, "moderated", json!(false)),
            "emoji_id": d["emoji_id"],
            "emoji_name": text(d, "emoji_name"),
        })
    };
    let metadata = &d["thread_metadata"];
    let thread = json!({
        "archived": or(metadata, "archived", json!(false)),
        "locked": or(metadata, "locked", json!(false)),
        "invitable": or(metadata, "invitable", json!(false)),
        "auto_archive_duration": or(metadata, "auto_archive_duration", json!(0)),
        "archive_timestamp": at(metadata, "archive_timestamp"),
        "create_timestamp": at(metadata, "create_timestamp"),
    });
    json!({
        "id": d["id"],
        "type": or(d, "type", json!(0)),
        "nsfw": or(d, "nsfw", json!(false)),
        "rate_limit_per_user": or(d, "rate_limit_per_user", json!(0)),
        "position": or(d, "position", json!(0)),
        "flags": or(d, "flags", json!(0)),
        "parent_id": d["parent_id"],
        "name": text(d, "name"),
        "topic": text(d, "topic"),
        "permission_overwrites": array(&d["permission_overwrites"]).iter().map(overwrite).collect::<Value>(),
        "available_tags": array(&d["available_tags"]).iter().map(tag).collect::<Value>(),
        "applied_tags": or(d, "applied_tags", json!([])),
        "owner_id": d["owner_id"],
        "thread_metadata": if metadata.is_null() { Value::Null } else { thread },
    })
}

fn role(d: &Value) -> Value {
    let tags = &d["tags"];
    let whose = json!({
        "bot_id": tags["bot_id"],
        "integration_id": tags["integration_id"],
        "subscription_listing_id": tags["subscription_listing_id"],
        // Discord says `null` where it is so, and leaves it out where not.
        "premium_subscriber": tags.get("premium_subscriber").is_some(),
    });
    json!({
        "id": d["id"],
        "permissions": d["permissions"],
        "name": or(d, "name", json!("")),
        "color": or(d, "color", json!(0)),
        "position": or(d, "position", json!(0)),
        "hoist": or(d, "hoist", json!(false)),
        "managed": or(d, "managed", json!(false)),
        "mentionable": or(d, "mentionable", json!(false)),
        "icon": image(d, "icon"),
        "unicode_emoji": text(d, "unicode_emoji"),
        "tags": if tags.is_null() { Value::Null } else { whose },
    })
}

fn emoji(d: &Value) -> Value {
    json!({
        "id": d["id"],
        "name": or(d, "name", json!("")),
        "animated": or(d, "animated", json!(false)),
        "available": or(d, "available", json!(true)),
        "managed": or(d, "managed", json!(false)),
        "roles": or(d, "roles", json!([])),
    })
}

fn member(d: &Value) -> Value {
    json!({
        "nick": text(d, "nick"),
        "avatar": image(d, "avatar"),
        "roles": or(d, "roles", json!([])),
        "joined_at": at(d, "joined_at"),
        "premium_since": at(d, "premium_since"),
        "communication_disabled_until": at(d, "communication_disabled_until"),
        "flags": or(d, "flags", json!(0)),
        "pending": or(d, "pending", json!(false)),
    })
}

pub(crate) fn user(d: &Value) -> Value {
    json!({
        "id": d["id"],
        "username": or(d, "username", json!("")),
        "global_name": text(d, "global_name"),
        "discriminator": or(d, "discriminator", json!("")),
        "avatar": image(d, "avatar"),
        "bot": or(d, "bot", json!(false)),
        "public_flags": or(d, "public_flags", json!(0)),
    })
}
