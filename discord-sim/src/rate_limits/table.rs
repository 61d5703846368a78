//! The limits of the routes. Discord documents none of them, and says that they change.

use std::{borrow::Cow, time::Duration};

use super::windows::Rule;

/// The answer to an interaction has none (community; Discord says so of the global limit only).
pub(super) const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";
/// A change of a channel.
pub(super) const CHANNEL: &str = "/channels/{channel_id}";
/// A message by a webhook, and a follow-up.
pub(super) const WEBHOOK: &str = "/webhooks/{webhook_id}/{webhook_token}";

/// A channel's name and its topic may be changed so often each (community: #1900, #2190, #2761; threads too, discord.js #6651).
pub(super) const NAME_OR_TOPIC: Rule = every(2, 600_000);
/// What all webhooks of a channel may post (community: #367, #1454; the scope is `shared`, #4043).
pub(super) const CHANNEL_OF_WEBHOOKS: Rule = every(30, 60_000);

/// Messages that are older have a bucket of their own when they are deleted.
pub(super) const OLD: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The bucket of a route, without its major parameter, and its limit; `old` messages may be another thing. `None` where there is no bucket.
pub(super) fn bucket(method: &str, template: &str, old: bool) -> Option<(Cow<'static, str>, Rule)> {
    const MESSAGE: &str = "/channels/{channel_id}/messages/{message_id}";
    let (shared, rule) = match (method, template) {
        ("POST", CALLBACK) => return None,
        // Community: #2190.
        ("PATCH", CHANNEL) => (None, every(10, 15_000)),
        // Community: #1442.
        ("POST", "/channels/{channel_id}/messages") | ("PATCH", MESSAGE) => (None, every(5, 5_000)),
        // Community: #8330, and #1295 for the second name. That those between ten seconds and two weeks are a third thing is left out.
        ("DELETE", MESSAGE) if old => (Some("DELETE old message"), every(30, 4_000)),
        ("DELETE", MESSAGE) => (None, every(5, 1_000)),
        // Discord, until it left it out (community: #48).
        ("POST", "/channels/{channel_id}/messages/bulk-delete") => (None, every(1, 1_000)),
        // Community; that they are one bucket, #981.
        ("PUT" | "DELETE", reaction) if reaction.contains("/reactions") => (Some("reactions"), every(1, 250)),
        // Community: #367, #2701: follow-ups have the limits of webhooks.
        (_, webhook) if webhook.starts_with(WEBHOOK) => (None, every(5, 2_000)),
        // A guess, that they are one bucket too.
        ("PUT" | "DELETE", "/channels/{channel_id}/permissions/{overwrite_id}") => {
            (Some("permissions"), every(10, 10_000))
        }
        ("PUT" | "DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}") => {
            (Some("member roles"), every(10, 10_000))
        }
        // Guesses.
        ("POST", "/channels/{channel_id}/typing") => (None, every(5, 5_000)),
        ("GET", _) => (None, every(50, 1_000)),
        _ => (None, every(10, 10_000)),
    };
    Some((shared.map_or_else(|| Cow::Owned(format!("{method} {template}")), Cow::Borrowed), rule))
}

const fn every(limit: u32, millis: u64) -> Rule {
    Rule { limit, period: Duration::from_millis(millis) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::Judge;

    #[track_caller]
    fn check(method: &str, path: &str, name: &str, limit: u32, millis: u64) {
        let template = Judge::shared().template(&method.parse().unwrap(), path).expect("a route of Discord's");
        let (bucket, rule) = bucket(method, template, false).unwrap();
        assert_eq!((&*bucket, rule), (name, every(limit, millis)), "{method} {template}");
    }

    #[test]
    fn routes_of_the_description_have_their_limits() {
        check("PATCH", "/channels/1", "PATCH /channels/{channel_id}", 10, 15_000);
        check("POST", "/channels/1/messages", "POST /channels/{channel_id}/messages", 5, 5_000);
        check("PATCH", "/channels/1/messages/2", "PATCH /channels/{channel_id}/messages/{message_id}", 5, 5_000);
        check("DELETE", "/channels/1/messages/2", "DELETE /channels/{channel_id}/messages/{message_id}", 5, 1_000);
        check("POST", "/channels/1/messages/bulk-delete", "POST /channels/{channel_id}/messages/bulk-delete", 1, 1_000);
        for reaction in ["/channels/1/messages/2/reactions/x/@me", "/channels/1/messages/2/reactions/x/3"] {
            check("DELETE", reaction, "reactions", 1, 250);
        }
        check("PUT", "/channels/1/messages/2/reactions/x/@me", "reactions", 1, 250);
        check("DELETE", "/channels/1/messages/2/reactions", "reactions", 1, 250);
        check("POST", "/webhooks/1/t", "POST /webhooks/{webhook_id}/{webhook_token}", 5, 2_000);
        let original = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";
        check("PATCH", "/webhooks/1/t/messages/@original", &format!("PATCH {original}"), 5, 2_000);
        check("PUT", "/channels/1/permissions/2", "permissions", 10, 10_000);
        check("DELETE", "/channels/1/permissions/2", "permissions", 10, 10_000);
        check("PUT", "/guilds/1/members/2/roles/3", "member roles", 10, 10_000);
        check("POST", "/channels/1/typing", "POST /channels/{channel_id}/typing", 5, 5_000);
        check("GET", "/channels/1/messages", "GET /channels/{channel_id}/messages", 50, 1_000);
        check("POST", "/guilds/1/channels", "POST /guilds/{guild_id}/channels", 10, 10_000);
    }

    #[test]
    fn the_answer_to_an_interaction_has_no_bucket() {
        let template = Judge::shared().template(&"POST".parse().unwrap(), "/interactions/1/t/callback").unwrap();
        assert_eq!((template, bucket("POST", template, false)), (CALLBACK, None));
    }

    #[test]
    fn old_messages_are_deleted_in_a_bucket_of_their_own() {
        let message = "/channels/{channel_id}/messages/{message_id}";
        assert_eq!(bucket("DELETE", message, true), Some(("DELETE old message".into(), every(30, 4_000))));
        assert_eq!(bucket("PATCH", message, true), bucket("PATCH", message, false));
    }
}
