use std::{borrow::Cow, time::Duration};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, MessageMarker, WebhookMarker},
};

use super::{
    refusal::Scope,
    table::{self, CHANNEL, CHANNEL_OF_WEBHOOKS, NAME_OR_TOPIC, OLD, WEBHOOK},
    windows::Rule,
};
use crate::{
    snowflake::unix_ms,
    state::{Principal, State},
};

/// What a request counts against.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Whose global limit; nobody's where a token in the path is what authorises it.
    pub(super) bot: Option<Id<ApplicationMarker>>,
    /// Method and template.
    pub(super) route: String,
    pub(super) bucket: Bucket,
    /// The limit of the bucket, where it has one.
    pub(super) rule: Option<Rule>,
    /// Limits within the bucket.
    pub(super) inner: Vec<Inner>,
}

/// A bucket: its name and the major parameter, for one bot or for whoever has the token in the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    pub(super) bot: Option<Id<ApplicationMarker>>,
    pub(super) name: Cow<'static, str>,
    pub(super) major: String,
}

/// A limit within a bucket, which no header shows.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) name: &'static str,
    /// What it is counted for.
    pub(super) object: String,
    pub(super) rule: Rule,
    pub(super) scope: Scope,
}

impl Place {
    /// Where a request of a bot, or with a token in its path, counts. `None` for people and for whoever is refused with 401.
    ///
    /// Buckets are for each major parameter: a channel, a guild, or a webhook with its token (Discord: "Rate Limits"). `path` is below
    /// `/api/v10`, `json` the body.
    pub(crate) fn of(
        state: &State,
        principal: Option<Principal>,
        method: &str,
        template: Option<&str>,
        path: &str,
        json: Option<&Value>,
    ) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let by_token = matches!(parts.first(), Some(&("webhooks" | "interactions"))) && parts.len() > 2;
        let bot = match principal {
            Some(Principal::Person(_)) => return None,
            _ if by_token => None,
            Some(Principal::Bot(bot)) => Some(bot),
            None => return None,
        };
        let major = match parts[..] {
            ["webhooks" | "interactions", id, token, ..] => format!("{id}/{token}"),
            ["channels" | "guilds" | "webhooks", id, ..] => id.to_owned(),
            _ => String::new(),
        };
        let template = template.unwrap_or("an unknown route");
        let found = table::bucket(method, template, is_old(state, &parts));
        let route = format!("{method} {template}");
        let name = found.as_ref().map_or_else(|| Cow::Owned(route.clone()), |(name, _)| name.clone());
        Some(Self {
            bot,
            route,
            inner: inner(state, method, template, &parts, json),
            bucket: Bucket { bot, name, major },
            rule: found.map(|(_, rule)| rule),
        })
    }

    /// Whether a token in the path is what authorises it.
    pub(crate) fn is_by_token(&self) -> bool {
        self.bot.is_none()
    }

    /// Whether it answers an interaction, the one thing that has no bucket.
    pub(crate) fn is_callback(&self) -> bool {
        self.rule.is_none()
    }

    /// The bucket's name as `X-RateLimit-Bucket` has it: without the major parameter.
    pub(crate) fn hash(&self) -> String {
        hash(&self.bucket.name)
    }

    /// The bucket for a ledger that people read: no tokens.
    pub(crate) fn bucket(&self) -> String {
        let major = self.bucket.major.split_once('/').map_or(self.bucket.major.as_str(), |(id, _)| id);
        format!("{}:{major}", self.hash())
    }

    /// Whose request it is, and of which route, in words.
    pub(super) fn what(&self) -> String {
        match self.bot {
            Some(bot) => format!("{} of bot {bot}", self.route),
            None => self.route.clone(),
        }
    }
}

/// A name as `X-RateLimit-Bucket` has it.
pub(super) fn hash(name: &str) -> String {
    hex::encode(&Sha256::digest(name.as_bytes())[..16])
}

fn is_old(state: &State, parts: &[&str]) -> bool {
    let ["channels", _, "messages", message] = *parts else { return false };
    let sent = message.parse().map(|id: Id<MessageMarker>| unix_ms(id)).ok();
    let now = u64::try_from(state.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    sent.is_some_and(|sent| Duration::from_millis(now.saturating_sub(sent)) > OLD)
}

fn inner(state: &State, method: &str, template: &str, parts: &[&str], json: Option<&Value>) -> Vec<Inner> {
    let object = |at: usize| parts.get(at).map_or_else(String::new, |part| (*part).to_owned());
    match (method, template) {
        // A guess: that the field stands in the body is enough, also where it changes nothing.
        ("PATCH", CHANNEL) => ["name", "topic"]
            .into_iter()
            .filter(|field| json.is_some_and(|json| json.get(field).is_some()))
            .map(|name| Inner { name, object: object(1), rule: NAME_OR_TOPIC, scope: Scope::Inner })
            .collect(),
        ("POST", WEBHOOK) => {
            let webhook = parts.get(1).and_then(|id| id.parse::<Id<WebhookMarker>>().ok());
            let channel = webhook.and_then(|id| state.webhooks.get(&id)).map(|webhook| webhook.channel_id.to_string());
            let limit = |object| Inner { name: "webhooks", object, rule: CHANNEL_OF_WEBHOOKS, scope: Scope::Shared };
            channel.map(limit).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;
    use crate::{openapi::Judge, snowflake};

    const BOT: Option<Principal> = Some(Principal::Bot(Id::new(9)));

    fn place(principal: Option<Principal>, method: &str, path: &str, json: &Value) -> Option<Place> {
        let template = Judge::shared().template(&method.parse().unwrap(), path);
        Place::of(&State::default(), principal, method, template, path, Some(json))
    }

    #[track_caller]
    fn check(method: &str, path: &str, route: &str, major: &str, bot: bool) {
        let place = place(BOT, method, path, &json!({})).unwrap();
        assert_eq!((place.route.as_str(), place.bucket.major.as_str()), (route, major));
        assert_eq!(place.bot.is_some(), bot, "{path}");
        assert_eq!(place.bucket.bot, place.bot);
    }

    #[test]
    fn a_bucket_is_for_one_channel_guild_or_webhook() {
        check("GET", "/channels/5/messages/6", "GET /channels/{channel_id}/messages/{message_id}", "5", true);
        check("GET", "/guilds/5/members/6", "GET /guilds/{guild_id}/members/{user_id}", "5", true);
        check("GET", "/webhooks/5", "GET /webhooks/{webhook_id}", "5", true);
        check("POST", "/webhooks/5/t", "POST /webhooks/{webhook_id}/{webhook_token}", "5/t", false);
        let original = "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original";
        check("PATCH", "/webhooks/5/t/messages/@original", original, "5/t", false);
        let callback = "POST /interactions/{interaction_id}/{interaction_token}/callback";
        check("POST", "/interactions/5/t/callback", callback, "5/t", false);
        check("GET", "/users/@me", "GET /users/@me", "", true);
        check("GET", "/nothing", "GET an unknown route", "", true);
    }

    #[test]
    fn people_and_strangers_do_not_count() {
        let person = Some(Principal::Person(Id::new(3)));
        assert!(place(person, "GET", "/users/@me", &json!({})).is_none());
        assert!(place(None, "GET", "/users/@me", &json!({})).is_none());
        assert!(place(None, "POST", "/webhooks/5/t", &json!({})).is_some());
    }

    #[test]
    fn names_and_topics_have_limits_of_their_own_and_the_headers_do_not_show_them() {
        let names = |method, body| {
            let place = place(BOT, method, "/channels/5", &body).unwrap();
            place.inner.iter().map(|inner| inner.name).collect::<Vec<_>>()
        };
        assert_eq!(names("PATCH", json!({ "name": "x", "topic": null, "nsfw": false })), ["name", "topic"]);
        assert_eq!(names("PATCH", json!({ "nsfw": false })), Vec::<&str>::new());
        assert_eq!(names("DELETE", json!({ "name": "x" })), Vec::<&str>::new());
    }

    #[test]
    fn the_hash_leaves_out_the_major_parameter_and_the_ledger_the_token() {
        let hash = |path| place(BOT, "POST", path, &json!({})).unwrap().hash();
        assert_eq!(hash("/channels/5/messages"), hash("/channels/6/messages"));
        assert_ne!(hash("/channels/5/messages"), hash("/channels/5/typing"));
        assert_eq!(hash("/channels/5/messages").len(), 32);
        let webhook = place(None, "POST", "/webhooks/5/secret", &json!({})).unwrap();
        assert_eq!(webhook.bucket(), format!("{}:5", webhook.hash()));
    }

    #[test]
    fn a_message_is_old_after_two_weeks() {
        let ago = |days| {
            let id = snowflake::at(OffsetDateTime::now_utc() - time::Duration::days(days));
            place(BOT, "DELETE", &format!("/channels/5/messages/{id}"), &json!({})).unwrap().bucket.name
        };
        assert_eq!(ago(15), "DELETE old message");
        assert_eq!(ago(13), "DELETE /channels/{channel_id}/messages/{message_id}");
    }
}
