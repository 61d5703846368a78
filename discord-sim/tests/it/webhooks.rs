use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[tokio::test]
async fn a_webhook_posts_under_its_own_name_without_a_token_of_a_bot() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let made =
        house.bot().post(format!("/channels/{}/webhooks", house.seed.general), json!({ "name": "News" })).await.ok();
    socket.event("WEBHOOKS_UPDATE").await;
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let (by_token, anybody) = (format!("/webhooks/{id}/{token}"), house.rest(String::new()));
    let silent = anybody.post(&by_token, json!({ "content": "silent" })).await;
    assert_eq!(silent.status, 204);
    assert_eq!(socket.event("MESSAGE_CREATE").await["author"]["username"], "News");
    let sent =
        anybody.post(format!("{by_token}?wait=true"), json!({ "content": "x", "username": "Herald" })).await.ok();
    assert_eq!(
        (&sent["author"]["username"], &sent["author"]["id"], &sent["webhook_id"]),
        (&json!("Herald"), &made["id"], &made["id"])
    );
    let message = format!("{by_token}/messages/{}", sent["id"].as_str().unwrap());
    assert_eq!(anybody.patch(&message, json!({ "content": "y" })).await.ok()["content"], "y");
    anybody.delete(&message).await.ok();
    anybody.get(&message).await.refused(404, 10008);

    assert!(anybody.get(&by_token).await.ok().get("user").is_none());
    let renamed = house.bot().patch(format!("/webhooks/{id}"), json!({ "name": "Old news" })).await.ok();
    assert_eq!((&renamed["name"], &renamed["user"]["username"]), (&json!("Old news"), &json!("Tickets")));
    house.person(house.seed.member).get(format!("/webhooks/{id}")).await.refused(403, 50013);
    house.bot().delete(format!("/webhooks/{id}")).await.ok();
    anybody.post(&by_token, json!({ "content": "x" })).await.refused(404, 10015);
}

#[tokio::test]
async fn a_wrong_webhook_token_is_refused() {
    let house = House::build().await;
    let made =
        house.bot().post(format!("/channels/{}/webhooks", house.seed.general), json!({ "name": "News" })).await.ok();
    let path = format!("/webhooks/{}/wrong", made["id"].as_str().unwrap());
    house.rest(String::new()).post(path, json!({ "content": "x" })).await.refused(401, 50027);
}

#[tokio::test]
async fn a_webhook_posts_in_a_thread_of_its_channel() {
    let house = House::build().await;
    let made =
        house.bot().post(format!("/channels/{}/webhooks", house.seed.general), json!({ "name": "News" })).await.ok();
    let path = format!("/webhooks/{}/{}?wait=true", made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let thread = house
        .bot()
        .post(format!("/channels/{}/threads", house.seed.general), json!({ "name": "t", "type": 11 }))
        .await
        .ok();
    let thread = thread["id"].as_str().unwrap();
    let sent =
        house.rest(String::new()).post(format!("{path}&thread_id={thread}"), json!({ "content": "x" })).await.ok();
    assert_eq!(sent["channel_id"], thread);
    let elsewhere = format!("{path}&thread_id={}", house.seed.support);
    house.rest(String::new()).post(elsewhere, json!({ "content": "x" })).await.refused(404, 10003);
}
