use serde::{Deserialize, de::IgnoredAny};
use twilight_http::request::Method;

/// What a request counts against.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The method and the path with placeholders: fit for logs and metrics.
    pub(super) label: String,
    /// What Discord's limits are per: the route and the major parameter (channel, guild, webhook with its token).
    pub(super) key: String,
    /// Limits within the route: a change of a channel's name or topic may happen twice in ten minutes each, of which
    /// only `Retry-After` tells. They must not hold up another change of the channel.
    pub(super) inner_keys: Vec<String>,
    /// Whether it is authorised by the token in its path (interactions, webhooks): then it carries no bot token and is
    /// exempt from the bot's global limit.
    pub(super) by_path_token: bool,
}

impl Route {
    /// `path` has no leading slash and may have a query.
    pub(super) fn new(method: Method, path: &str, body: Option<&[u8]>) -> Route {
        let path = path.split('?').next().unwrap_or(path);
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let first = segments.first().copied().unwrap_or_default();
        let has_token_at_2 = matches!(first, "webhooks" | "interactions");
        let has_major_at_1 = has_token_at_2 || matches!(first, "channels" | "guilds");

        let (mut label, mut key) = (method.name().to_owned() + " ", method.name().to_owned() + " ");
        for (index, segment) in segments.iter().enumerate() {
            let before = index.checked_sub(1).map_or("", |before| segments[before]);
            let token = has_token_at_2 && index == 2;
            let shown = if token { "{token}" } else { placeholder(before, segment) };
            if index > 0 {
                label.push('/');
                key.push('/');
            }
            label.push_str(shown);
            key.push_str(if token || (has_major_at_1 && index == 1) { segment } else { shown });
        }

        let inner_keys = match method {
            Method::Patch if first == "channels" && segments.len() == 2 => {
                changed_limited_fields(body).map(|field| format!("{key} {field}")).collect()
            }
            _ => Vec::new(),
        };
        let by_path_token = has_token_at_2 && segments.len() > 2;
        Route { label, key, inner_keys, by_path_token }
    }
}

fn placeholder<'segment>(before: &str, segment: &'segment str) -> &'segment str {
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'@');
    match before {
        _ if segment.bytes().all(|byte| byte.is_ascii_digit()) => "{id}",
        "reactions" => "{emoji}",
        "invites" | "templates" => "{code}",
        _ if segment.bytes().all(plain) || segment == "oauth2" => segment,
        _ => "{other}",
    }
}

fn changed_limited_fields(body: Option<&[u8]>) -> impl Iterator<Item = &'static str> {
    #[derive(Default, Deserialize)]
    struct Change {
        name: Option<IgnoredAny>,
        topic: Option<IgnoredAny>,
    }
    let change: Change = body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    [change.name.map(|_| "name"), change.topic.map(|_| "topic")].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, label: &str, key: &str) {
        let route = Route::new(method, path, None);
        assert_eq!((route.label.as_str(), route.key.as_str()), (label, key));
    }

    #[test]
    fn labels_have_no_ids_and_no_tokens() {
        check(Method::Get, "users/@me", "GET users/@me", "GET users/@me");
        check(Method::Get, "guilds/5/members/6?x=1", "GET guilds/{id}/members/{id}", "GET guilds/5/members/{id}");
        check(
            Method::Patch,
            "webhooks/1/aW50ZXJhY3Rpb24/messages/@original",
            "PATCH webhooks/{id}/{token}/messages/@original",
            "PATCH webhooks/1/aW50ZXJhY3Rpb24/messages/@original",
        );
        check(
            Method::Post,
            "interactions/1/tok/callback",
            "POST interactions/{id}/{token}/callback",
            "POST interactions/1/tok/callback",
        );
        check(
            Method::Put,
            "channels/1/messages/2/reactions/party/@me",
            "PUT channels/{id}/messages/{id}/reactions/{emoji}/@me",
            "PUT channels/1/messages/{id}/reactions/{emoji}/@me",
        );
        check(Method::Get, "invites/abc", "GET invites/{code}", "GET invites/{code}");
    }

    #[test]
    fn requests_with_a_token_in_the_path_carry_no_bot_token() {
        assert!(Route::new(Method::Post, "interactions/1/tok/callback", None).by_path_token);
        assert!(Route::new(Method::Post, "webhooks/1/tok", None).by_path_token);
        assert!(!Route::new(Method::Get, "webhooks/1", None).by_path_token);
        assert!(!Route::new(Method::Get, "channels/1/webhooks", None).by_path_token);
    }

    #[test]
    fn a_rename_has_a_limit_of_its_own() {
        let rename = Route::new(Method::Patch, "channels/1", Some(br#"{"name":"closed"}"#));
        assert_eq!(rename.inner_keys, ["PATCH channels/1 name"]);
        let lock = Route::new(Method::Patch, "channels/1", Some(br#"{"permission_overwrites":[]}"#));
        assert!(lock.inner_keys.is_empty());
    }
}
