//! What a request counts against, read from its method and path.

use reqwest::Method;

/// Messages that are older count against a bucket of their own when they are deleted
/// (Discord's documentation has none of this; discord.js and nirn-proxy do the same).
const OLD_MESSAGE_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// The first second of 2015, from which snowflakes count milliseconds.
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

/// The route of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method and the path with placeholders: fit for logs and metrics, it holds no id and no token.
    pub label: String,
    /// What the limits of the route are counted for: the channel, guild or webhook (with its token); or nothing.
    pub major: String,
    /// The path itself, without version and query: what a 403 is about.
    pub object: String,
    /// Whether it is authorised by the token in its path (interactions, webhooks): it is exempt from the bot's global
    /// limit.
    pub by_path_token: bool,
    /// Whose turn it uses where guilds take turns: the guild, else the channel or webhook; 0 where there is none.
    pub flow: u64,
}

impl Route {
    /// Reads a path such as `/api/v10/channels/1/messages?limit=1`; `/api` and the version may be missing. `now_ms` is the
    /// time since 1970.
    #[must_use]
    pub fn new(method: &Method, path: &str, now_ms: u64) -> Route {
        let path = path.split('?').next().unwrap_or(path);
        let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
        segments.next_if_eq(&"api");
        segments.next_if(|segment| is_version(segment));
        let segments: Vec<&str> = segments.collect();
        let first = segments.first().copied().unwrap_or_default();
        let has_token = matches!(first, "webhooks" | "interactions");
        let has_major = has_token || matches!(first, "channels" | "guilds");

        let mut label = String::with_capacity(method.as_str().len() + path.len());
        label.push_str(method.as_str());
        label.push(' ');
        for (index, segment) in segments.iter().enumerate() {
            let before = index.checked_sub(1).map_or("", |before| segments[before]);
            if index > 0 {
                label.push('/');
            }
            label.push_str(if has_token && index == 2 { "{token}" } else { placeholder(before, segment) });
        }
        if method == Method::DELETE && label == "DELETE channels/{id}/messages/{id}" {
            let sent = segments.get(3).and_then(|id| id.parse::<u64>().ok()).map(|id| (id >> 22) + DISCORD_EPOCH_MS);
            if sent.is_some_and(|sent| now_ms.saturating_sub(sent) > OLD_MESSAGE_MS) {
                label.push_str(" (old)");
            }
        }

        let of_major = if has_token { 3 } else { 2 };
        let major = match segments.get(..of_major.min(segments.len())) {
            Some(parts) if has_major && parts.len() > 1 => parts.join("/"),
            _ => String::new(),
        };
        let flow = segments.get(1).filter(|_| has_major).and_then(|id| id.parse().ok()).unwrap_or(0);
        let by_path_token = has_token && segments.len() > 2;
        Route { label, major, object: segments.join("/"), by_path_token, flow }
    }

    /// Whether what Discord tells of the route's limit is not to be relied on: emojis have one for each guild besides
    /// (Discord's documentation, "Rate Limits").
    #[must_use]
    pub fn is_shy(&self) -> bool {
        self.label.contains(" guilds/{id}/emojis") && !self.label.starts_with("GET ")
    }

    /// The channel of a request that may change a channel's name or topic.
    #[must_use]
    pub fn changed_channel(&self) -> Option<&str> {
        (self.label == "PATCH channels/{id}").then_some(self.major.as_str())
    }
}

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn placeholder<'segment>(before: &str, segment: &'segment str) -> &'segment str {
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'@');
    match before {
        _ if segment.bytes().all(|byte| byte.is_ascii_digit()) => "{id}",
        "reactions" => "{emoji}",
        "invites" | "templates" => "{code}",
        _ if segment.len() <= 40 && segment.bytes().all(plain) || segment == "oauth2" => segment,
        _ => "{other}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: Method, path: &str) -> Route {
        Route::new(&method, path, DISCORD_EPOCH_MS)
    }

    #[track_caller]
    fn check(method: Method, path: &str, label: &str, major: &str) {
        let route = route(method, path);
        assert_eq!((route.label.as_str(), route.major.as_str()), (label, major));
    }

    #[test]
    fn labels_have_no_ids_and_no_tokens() {
        check(Method::GET, "/api/v10/users/@me", "GET users/@me", "");
        check(Method::GET, "/api/users/@me", "GET users/@me", "");
        check(Method::GET, "users/@me", "GET users/@me", "");
        check(Method::GET, "/api/v9/guilds/5/members/6?x=1", "GET guilds/{id}/members/{id}", "guilds/5");
        check(
            Method::PATCH,
            "/api/v10/webhooks/1/aW50ZXJhY3Rpb24/messages/@original",
            "PATCH webhooks/{id}/{token}/messages/@original",
            "webhooks/1/aW50ZXJhY3Rpb24",
        );
        check(
            Method::POST,
            "/api/v10/interactions/1/tok/callback",
            "POST interactions/{id}/{token}/callback",
            "interactions/1/tok",
        );
        check(
            Method::PUT,
            "/api/v10/channels/1/messages/2/reactions/party/@me",
            "PUT channels/{id}/messages/{id}/reactions/{emoji}/@me",
            "channels/1",
        );
        check(Method::GET, "/api/v10/invites/abc", "GET invites/{code}", "");
        check(Method::GET, "/api/v10/webhooks/1", "GET webhooks/{id}", "webhooks/1");
        check(Method::GET, "/api/v10/Something", "GET {other}", "");
        check(Method::GET, "/", "GET ", "");
    }

    #[test]
    fn requests_with_a_token_in_the_path_are_not_the_bots() {
        assert!(route(Method::POST, "/api/v10/interactions/1/tok/callback").by_path_token);
        assert!(route(Method::POST, "/api/v10/webhooks/1/tok").by_path_token);
        assert!(!route(Method::GET, "/api/v10/webhooks/1").by_path_token);
        assert!(!route(Method::GET, "/api/v10/channels/1/webhooks").by_path_token);
    }

    #[test]
    fn old_messages_are_deleted_on_a_route_of_their_own() {
        let sent = DISCORD_EPOCH_MS + 1_000;
        let path = format!("/api/v10/channels/1/messages/{}", 1_000_u64 << 22);
        let young = Route::new(&Method::DELETE, &path, sent + OLD_MESSAGE_MS);
        let old = Route::new(&Method::DELETE, &path, sent + OLD_MESSAGE_MS + 1);
        assert_eq!(young.label, "DELETE channels/{id}/messages/{id}");
        assert_eq!(old.label, "DELETE channels/{id}/messages/{id} (old)");
    }

    #[test]
    fn changes_of_channels_and_of_emojis_are_known() {
        assert_eq!(route(Method::PATCH, "/api/v10/channels/7").changed_channel(), Some("channels/7"));
        assert_eq!(route(Method::DELETE, "/api/v10/channels/7").changed_channel(), None);
        assert_eq!(route(Method::PATCH, "/api/v10/channels/7/messages/8").changed_channel(), None);
        assert!(route(Method::POST, "/api/v10/guilds/1/emojis").is_shy());
        assert!(route(Method::DELETE, "/api/v10/guilds/1/emojis/2").is_shy());
        assert!(!route(Method::POST, "/api/v10/guilds/1/roles").is_shy());
    }

    #[test]
    fn the_flow_is_the_guild_or_the_channel() {
        assert_eq!(route(Method::GET, "/api/v10/guilds/5/roles").flow, 5);
        assert_eq!(route(Method::GET, "/api/v10/channels/6/messages").flow, 6);
        assert_eq!(route(Method::GET, "/api/v10/users/9").flow, 0);
    }
}
