use axum::http::Method;

use super::super::{Judge, document::Content};

#[test]
fn every_schema_of_the_description_compiles() {
    let document = &Judge::shared().document;
    for operation in document.routes.all().flat_map(|route| &route.operations) {
        let answers = operation.answers.iter().filter_map(|answer| match &answer.content {
            Content::Json(schema) => Some(schema),
            Content::Other | Content::Empty => None,
        });
        let queries = operation.query.iter().map(|parameter| &parameter.schema);
        for schema in answers.chain(queries).chain(operation.body.as_ref().map(|body| &body.schema)) {
            document.schemas.validator(schema).unwrap();
        }
    }
}

#[test]
fn a_literal_segment_wins_over_a_parameter() {
    let judge = Judge::shared();
    let check = |method: Method, path: &str, expected: Option<&str>| {
        assert_eq!(judge.template(&method, path), expected, "{method} {path}");
    };
    check(Method::POST, "/channels/123/messages", Some("/channels/{channel_id}/messages"));
    check(
        Method::PATCH,
        "/webhooks/1/token/messages/@original",
        Some("/webhooks/{webhook_id}/{webhook_token}/messages/@original"),
    );
    check(
        Method::PATCH,
        "/webhooks/1/token/messages/2",
        Some("/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"),
    );
    check(Method::GET, "/applications/@me", Some("/applications/@me"));
    check(Method::GET, "/users/@me", Some("/users/@me"));
    check(Method::GET, "/users/1", Some("/users/{user_id}"));
    check(Method::POST, "/channels/1/messages/bulk-delete", Some("/channels/{channel_id}/messages/bulk-delete"));
    check(Method::GET, "/guilds/1/members/search", Some("/guilds/{guild_id}/members/search"));
    // Only the other template has this method, as with Discord.
    check(Method::GET, "/guilds/1/members/@me", Some("/guilds/{guild_id}/members/{user_id}"));
    check(Method::DELETE, "/gateway/bot", None);
    check(Method::GET, "/no/such/route", None);
    check(Method::GET, "/", None);
}
