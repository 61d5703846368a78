use sentry::{Breadcrumb, protocol::Event};
use serde_json::Value;

const SCRUBBED: &str = "[scrubbed]";

/// Removes the request and everything that looks like a secret.
pub(super) fn event(mut event: Event<'static>) -> Event<'static> {
    event.request = None;
    event.user = None;
    event.server_name = None;
    if let Some(message) = &mut event.message {
        *message = text(message);
    }
    if let Some(entry) = &mut event.logentry {
        entry.message = text(&entry.message);
        entry.params.iter_mut().for_each(value);
    }
    for exception in &mut event.exception.values {
        exception.value = exception.value.as_deref().map(text);
    }
    event.breadcrumbs.values = std::mem::take(&mut event.breadcrumbs.values).into_iter().map(breadcrumb).collect();
    for (key, extra) in &mut event.extra {
        field(key, extra);
    }
    for (key, tag) in &mut event.tags {
        *tag = if names_secret(key) { SCRUBBED.to_owned() } else { text(tag) };
    }
    for context in event.contexts.values_mut() {
        if let sentry::protocol::Context::Other(fields) = context {
            for (key, extra) in fields {
                field(key, extra);
            }
        }
    }
    event
}

/// Removes everything that looks like a secret.
pub(super) fn breadcrumb(mut crumb: Breadcrumb) -> Breadcrumb {
    crumb.message = crumb.message.as_deref().map(text);
    for (key, data) in &mut crumb.data {
        field(key, data);
    }
    crumb
}

fn field(key: &str, content: &mut Value) {
    if names_secret(key) {
        *content = SCRUBBED.into();
    } else {
        value(content);
    }
}

fn value(content: &mut Value) {
    match content {
        Value::String(string) => *string = text(string),
        Value::Array(items) => items.iter_mut().for_each(value),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, content)| field(key, content)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a field of that name holds a secret or what a member wrote.
fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["token", "secret", "password", "authorization", "cookie", "dsn", "body", "content", "api_key"]
        .iter()
        .any(|word| key.contains(word))
}

/// Replaces the tokens of bots, interactions and webhooks, credentials after "Bot", "Bearer" and "Basic", and passwords
/// in URLs.
fn text(original: &str) -> String {
    let mut result = String::with_capacity(original.len());
    let mut after_scheme_word = false;
    let mut rest = original;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            let separator = rest.chars().next().map_or(1, char::len_utf8);
            let (text, next) = rest.split_at(separator);
            after_scheme_word &= text == " " || text == ":";
            result.push_str(text);
            rest = next;
            continue;
        }
        let (word, next) = rest.split_at(end);
        let in_url = result.ends_with("://") && next.split(['/', ' ']).next().is_some_and(|host| host.contains('@'));
        if in_url {
            // user:password@host
            let at = next.find('@').unwrap_or(0);
            result.push_str(SCRUBBED);
            rest = &next[at..];
        } else {
            result.push_str(if after_scheme_word || is_token(word) { SCRUBBED } else { word });
            rest = next;
        }
        after_scheme_word = matches!(word, "Bot" | "Bearer" | "Basic");
    }
    result
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '=' | '%')
}

/// Long, and mixed as base64 is. Ids, UUIDs, paths and hosts are not.
fn is_token(word: &str) -> bool {
    word.len() >= 40
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(original: &str, expected: &str) {
        assert_eq!(text(original), expected);
    }

    #[test]
    fn tokens_are_replaced_and_the_rest_stays() {
        let token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789_x";
        check(&format!("GET failed with {token}: 401"), "GET failed with [scrubbed]: 401");
        check(&format!("/webhooks/1/{token}/messages/@original"), "/webhooks/1/[scrubbed]/messages/@original");
        check("Authorization: Bearer abc", "Authorization: Bearer [scrubbed]");
        check("ticket 1234567890123456789 of guild 42", "ticket 1234567890123456789 of guild 42");
        check("an id d9428888-122b-11e1-b85c-61cd3cbb3210", "an id d9428888-122b-11e1-b85c-61cd3cbb3210");
        check("übergroß …", "übergroß …");
    }

    #[test]
    fn passwords_in_urls_are_replaced() {
        check("postgres://tickets:hunter2@db:5432/tickets is away", "postgres://[scrubbed]@db:5432/tickets is away");
        check("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x");
    }

    #[test]
    fn fields_that_are_named_like_secrets_are_replaced_whole() {
        let mut fields = serde_json::json!({"bot_token": "short", "deep": {"Authorization": 1}, "count": 2});
        value(&mut fields);
        assert_eq!(fields, serde_json::json!({"bot_token": SCRUBBED, "deep": {"Authorization": SCRUBBED}, "count": 2}));
    }
}
