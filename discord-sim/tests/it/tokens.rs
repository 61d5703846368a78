//! Several bots, their tokens, presences and IDENTIFYs of a day.

use std::time::{Duration, Instant};

use discord_sim::ledger::Cause;
use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[tokio::test]
async fn each_bot_has_a_token_an_owner_and_sessions_of_its_own() {
    let house = House::build().await;
    let bots = house.seed.bots(&house.sim, 3);
    for bot in &bots {
        let rest = house.rest(format!("Bot {}", bot.token));
        let application = rest.get("/applications/@me").await.ok();
        assert_eq!((&application["id"], &application["owner"]["id"]), (&json!(bot.application), &json!(bot.owner)));
        let (mut socket, ready) = Socket::shard(&house, &bot.token, [0, 1], ALL).await;
        assert_eq!(ready["user"]["id"], json!(bot.application));
        assert_eq!(socket.event("GUILD_CREATE").await["id"], json!(house.seed.guild));
    }
    assert_eq!(house.state(|state| state.sessions.identifies.len()), 3);
}

#[tokio::test]
async fn a_bot_writes_to_its_owner_once() {
    let house = House::build().await;
    let bot = &house.seed.bots(&house.sim, 1)[0];
    let rest = house.rest(format!("Bot {}", bot.token));
    let direct = rest.post("/users/@me/channels", json!({ "recipient_id": bot.owner })).await.ok();
    let path = format!("/channels/{}/messages", direct["id"].as_str().unwrap());
    let notice = json!({ "content": "your token is refused", "nonce": "1", "enforce_nonce": true });
    let one = rest.post(&path, notice.clone()).await.ok();
    let again = rest.post(&path, notice).await.ok();
    assert_eq!(one["id"], again["id"]);
    house.sim.write(|state| state.users.get_mut(&bot.owner).unwrap().dms_closed = true);
    rest.post(&path, json!({ "content": "x" })).await.refused(403, 50007);
}

#[tokio::test]
async fn an_old_token_is_refused_everywhere_and_ends_its_sessions() {
    let house = House::build().await;
    let (old, other) = (house.bot_token(), house.seed.bots(&house.sim, 1).remove(0));
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    let (mut bystander, _) = Socket::shard(&house, &other.token, [0, 1], 0).await;
    let new = house.sim.write(|state| state.reset_token(house.seed.application));
    assert_ne!(old, new);
    assert_eq!(socket.closed().await, Some(4004));
    assert_eq!(house.rest(format!("Bot {old}")).get("/users/@me").await.status, 401);
    for token in [&old, &new] {
        let mut socket = Socket::greeted(&house).await;
        socket.resume(token, &ready["session_id"], 2).await;
        if token == &old {
            assert_eq!(socket.closed().await, Some(4004));
        } else {
            assert_eq!(socket.next().await["op"], 9);
            socket.identify(token, json!({ "intents": 0 })).await;
            socket.event("READY").await;
        }
    }
    assert_eq!(house.rest(format!("Bot {new}")).get("/users/@me").await.status, 200);
    bystander.is_quiet().await;
    assert!(house.state(|state| state.ledger.identifies.last().is_some_and(|last| last.cause.is_planned())));
}

#[tokio::test]
async fn a_presence_is_that_of_identify_and_then_of_op_3() {
    let house = House::build().await;
    let mut socket = Socket::greeted(&house).await;
    let presence = |status: &str| json!({ "since": null, "activities": [], "status": status, "afk": false });
    socket.identify(&house.bot_token(), json!({ "intents": 0, "presence": presence("idle") })).await;
    socket.event("READY").await;
    let shown = || house.state(|state| state.sessions.of_shard(house.seed.application, 0)?.presence.clone());
    assert_eq!(shown(), Some(presence("idle")));
    socket.send(json!({ "op": 3, "d": presence("dnd") })).await;
    socket.is_quiet().await;
    assert_eq!(shown(), Some(presence("dnd")));
}

#[tokio::test]
async fn the_identifies_of_a_window_count_down_and_are_renewed() {
    let house = House::build().await;
    let change = |began: Instant| {
        house.sim.write(|state| {
            let application = state.applications.get_mut(&house.seed.application).unwrap();
            application.identifies_total = 3;
            application.identifies_remaining = application.identifies_remaining.min(3);
            application.identify_window = Duration::from_secs(600);
            application.window_began = began;
        });
    };
    let limit = async || house.bot().get("/gateway/bot").await.ok()["session_start_limit"].clone();
    let now = Instant::now();
    change(now.checked_sub(Duration::from_secs(60)).unwrap());
    for remaining in [2, 1, 0] {
        drop(Socket::bot(&house, 0).await);
        let limit = limit().await;
        assert_eq!((&limit["total"], &limit["remaining"]), (&json!(3), &json!(remaining)));
        let reset_after = limit["reset_after"].as_u64().unwrap();
        assert!((500_000..=540_000).contains(&reset_after), "{reset_after}");
    }
    // Two windows and a half ago.
    change(now.checked_sub(Duration::from_secs(1500)).unwrap());
    let renewed = limit().await;
    assert_eq!(renewed["remaining"], 3);
    assert!((200_000..=300_000).contains(&renewed["reset_after"].as_u64().unwrap()), "{renewed}");
    drop(Socket::bot(&house, 0).await);
    assert_eq!(limit().await["remaining"], 2);
}

#[tokio::test]
async fn one_identify_too_many_ends_all_sessions_and_resets_the_token() {
    let house = House::build().await;
    house.provokes();
    let old = house.bot_token();
    let (mut first, _) = Socket::shard(&house, &old, [0, 2], 0).await;
    house.sim.write(|state| state.applications.get_mut(&house.seed.application).unwrap().identifies_remaining = 0);
    let mut second = Socket::greeted(&house).await;
    second.identify(&old, json!({ "intents": 0, "shard": [1, 2] })).await;
    assert_eq!(second.closed().await, Some(4004));
    assert_eq!(first.closed().await, Some(4004));
    assert_ne!(house.bot_token(), old);
    let violations = house.state(|state| state.ledger.violations.clone());
    assert!(violations.len() == 1 && violations[0].contains("more than 1000 in a day"), "{violations:?}");
    assert_eq!(
        house.state(|state| state.ledger.identifies.iter().map(|one| one.cause).collect::<Vec<_>>()),
        [Cause::First]
    );
}
