use serde_json::{Value, json};

use crate::{
    house::{Answer, House},
    socket::Socket,
};

async fn post(house: &House, body: Value) -> u16 {
    let url = format!("{}_sim/gateway", house.sim.page_url());
    reqwest::Client::new().post(url).json(&body).send().await.unwrap().status().as_u16()
}

async fn get(house: &House, name: &str) -> Value {
    Answer::of(reqwest::get(format!("{}_sim/{name}", house.sim.page_url())).await.unwrap()).await.ok()
}

#[tokio::test]
async fn another_process_reads_what_went_wrong_and_who_is_there() {
    let house = House::build().await;
    house.provokes();
    house.bot().with_agent("curl/8").get("/users/@me").await.refused(403, 40333);
    let ledger = get(&house, "ledger").await;
    assert_eq!(ledger["violations"].as_array().unwrap().len(), 1);
    assert_eq!((&ledger["requests"], &ledger["resumes"]), (&json!(1), &json!(0)));
    let people = get(&house, "people").await;
    let names: Vec<_> = people.as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada", "sam", "mia", "noah"]);
    assert_eq!(people[2]["token"], json!(house.token(house.seed.member)));
}

#[tokio::test]
async fn another_process_disturbs_the_gateway() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, 0).await;
    assert_eq!(post(&house, json!({ "do": "reconnect" })).await, 204);
    assert_eq!(socket.next().await["op"], 7);
    assert_eq!(post(&house, json!({ "do": "invalidate", "resumable": true })).await, 204);
    assert_eq!(socket.next().await["op"], 9);
    assert_eq!(post(&house, json!({ "do": "close", "code": 4000 })).await, 204);
    assert_eq!(socket.closed().await, Some(4000));
    let (mut socket, _) = Socket::bot(&house, 0).await;
    assert_eq!(post(&house, json!({ "do": "time_out" })).await, 204);
    assert_eq!(socket.closed().await, Some(4009));
    assert_eq!(post(&house, json!({ "do": "dance" })).await, 422);
}

#[tokio::test]
async fn another_process_chooses_whom_it_disturbs_and_how() {
    let house = House::build().await;
    let (mut first, _) = Socket::shard(&house, &house.bot_token(), [0, 2], 0).await;
    let (mut second, ready) = Socket::shard(&house, &house.bot_token(), [1, 2], 0).await;
    let bot = house.seed.application;
    assert_eq!(post(&house, json!({ "do": "heartbeat", "bot": bot, "shard": 1 })).await, 204);
    assert_eq!(second.next().await["op"], 1);
    for payload in [json!({ "op": 77 }), json!("{\"op\":77}")] {
        assert_eq!(
            post(&house, json!({ "do": "send", "session": ready["session_id"], "payload": payload })).await,
            204
        );
        assert_eq!(second.next().await, json!({ "op": 77 }));
    }
    assert_eq!(post(&house, json!({ "do": "dispatch", "shard": 1, "t": "NEW", "d": [1] })).await, 204);
    assert_eq!(second.next().await, json!({ "t": "NEW", "s": 2, "op": 0, "d": [1] }));
    let frame = r#"{"s":{s},"op":0,"t":"ODD"}"#;
    assert_eq!(post(&house, json!({ "do": "dispatch", "shard": 1, "t": "ODD", "frame": frame })).await, 204);
    assert_eq!(second.next().await, json!({ "t": "ODD", "s": 3, "op": 0 }));
    first.is_quiet().await;

    let held = json!({ "do": "fault", "shard": 1, "fault": "held" });
    assert_eq!(post(&house, held).await, 204);
    assert_eq!(post(&house, json!({ "do": "dispatch", "t": "NEW" })).await, 204);
    first.event("NEW").await;
    assert!(second.has_nothing());
    assert_eq!(post(&house, json!({ "do": "calm", "shard": 1 })).await, 204);
    second.event("NEW").await;

    for (fault, lasting) in [
        (json!({ "fault": "hello_late", "ms": 1 }), json!(1)),
        (json!({ "fault": "hello_missing" }), json!(null)),
        (json!({ "fault": "ack_late", "ms": 1 }), json!(null)),
        (json!({ "fault": "ack_missing" }), json!(60_000)),
        (json!({ "fault": "silent" }), json!(1)),
        (json!({ "fault": "resume_refused", "by": "hang_up" }), json!(null)),
        (json!({ "fault": "resume_refused", "by": { "close": 4009 } }), json!(null)),
        (json!({ "fault": "replay_twice" }), json!(null)),
        (json!({ "fault": "close_unanswered" }), json!(null)),
        (json!({ "fault": "replay_earlier", "by": 5 }), json!(null)),
        (json!({ "fault": "slow", "ms": 1, "bytes_per_second": 1000 }), json!(1)),
    ] {
        let mut order = json!({ "do": "fault", "bot": "1", "times": 1, "lasting_ms": lasting });
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        assert_eq!(post(&house, order).await, 204, "{fault}");
    }
    let rules = house.state(|state| state.sessions.faults.rules.clone());
    assert_eq!(rules.len(), 11);
    assert!(rules.iter().all(|rule| rule.times == Some(1)));
    assert_eq!(post(&house, json!({ "do": "calm" })).await, 204);
    assert!(house.state(|state| state.sessions.faults.rules.is_empty()));

    assert_eq!(post(&house, json!({ "do": "silence", "shard": 0 })).await, 204);
    assert_eq!(post(&house, json!({ "do": "reset", "shard": 1 })).await, 204);
    second.broken().await;
    assert_eq!(post(&house, json!({ "do": "cut", "shard": 0 })).await, 204);
    first.send(json!({ "op": 1, "d": null })).await;
    assert!(first.has_nothing());
}

#[tokio::test]
async fn another_process_begins_chaos_and_reads_what_it_did() {
    let house = House::build().await;
    let (_socket, _) = Socket::bot(&house, 0).await;
    let order = json!({ "do": "chaos", "seed": 1, "every_ms": 1, "longest_ms": 1, "spare_sessions": true });
    assert_eq!(post(&house, order).await, 204);
    house.sim.wait_for("a strike", |state| state.ledger.chaos.first().map(drop)).await;
    assert_eq!(post(&house, json!({ "do": "calm" })).await, 204);
    let ledger = get(&house, "ledger").await;
    let blows = house.state(|state| state.ledger.chaos.len());
    assert_eq!(ledger["chaos"].as_array().unwrap().len(), blows);
    assert!(ledger["chaos"][0]["what"].is_string() && ledger["chaos"][0]["ms"].is_u64());
}

async fn change(house: &House, body: Value) -> Value {
    let url = format!("{}_sim/world", house.sim.page_url());
    Answer::of(reqwest::Client::new().post(url).json(&body).send().await.unwrap()).await.ok()
}

#[tokio::test]
async fn another_process_makes_a_world_and_reads_every_dispatch() {
    let house = House::build().await;
    let bots = change(&house, json!({ "do": "bots", "count": 2, "guild": house.seed.guild })).await;
    let (bot, token) = (&bots[1]["application"], bots[1]["token"].as_str().unwrap());
    change(&house, json!({ "do": "guilds", "count": 3, "bot": bot })).await;
    change(&house, json!({ "do": "set", "keep_frames": false, "session_life_ms": 0, "heartbeat_interval_ms": 41250 }))
        .await;
    let portal = json!({ "do": "application", "bot": bot, "identifies_total": 5, "identifies_remaining": 5, "max_concurrency": 3 });
    change(&house, portal).await;
    let limit = house.rest(format!("Bot {token}")).get("/gateway/bot").await.ok()["session_start_limit"].clone();
    assert_eq!((&limit["total"], &limit["remaining"], &limit["max_concurrency"]), (&json!(5), &json!(5), &json!(3)));

    let (mut socket, ready) = Socket::shard(&house, token, [0, 1], crate::socket::ALL).await;
    for _ in 0..4 {
        socket.event("GUILD_CREATE").await;
    }
    change(&house, json!({ "do": "chatter", "bot": bot, "messages": 4 })).await;
    change(&house, json!({ "do": "chatter", "channels": [house.seed.general], "messages": 30, "per_second": 10_000 }))
        .await;
    for _ in 0..34 {
        socket.event("MESSAGE_CREATE").await;
    }
    let sessions = get(&house, "sessions").await;
    assert_eq!(
        (&sessions[0]["session"], &sessions[0]["sequence"], &sessions[0]["bot"]),
        (&ready["session_id"], &json!(39), bot)
    );
    change(&house, json!({ "do": "unavailable", "guild": house.seed.guild, "unavailable": true })).await;
    socket.event("GUILD_DELETE").await;
    socket.close(4000).await;

    let new = change(&house, json!({ "do": "reset_token", "bot": bot })).await;
    assert_ne!(new["token"], json!(token));

    let lines = async |query: &str| {
        let url = format!("{}_sim/dispatches{query}", house.sim.page_url());
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let all = lines("").await;
    let kept = house.state(|state| state.ledger.dispatches.clone());
    assert_eq!(all.len(), kept.len());
    for (line, kept) in all.iter().zip(&kept) {
        let told = (&line["session"], &line["sequence"], &line["kind"], &line["sha256"]);
        assert_eq!(told, (&json!(kept.session_id), &json!(kept.sequence), &json!(kept.kind), &json!(kept.digest())));
    }
    assert_eq!(
        (&all[0]["kind"], &all[0]["delivered"], &all[0]["shard"]),
        (&json!("READY"), &json!(true), &json!([0, 1]))
    );
    assert_eq!(lines("?after=38").await, all[38..]);
    house.sim.write(|state| state.ledger.keep_frames = true);
    let (_socket, _) = Socket::bot(&house, 0).await;
    let last = lines(&format!("?after={}&frames=true", all.len())).await;
    assert_eq!(last.len(), 1);
    assert!(last[0]["frame"].as_str().unwrap().starts_with(r#"{"t":"READY","s":1,"op":0,"d":{"#));

    let ledger = get(&house, "ledger").await;
    let shard = &ledger["by_shard"][format!("{}/0/1", bot.as_str().unwrap())];
    assert_eq!(*shard, json!({ "identifies": 1, "unplanned": 0, "resumes": 0, "refused_resumes": 0 }));
    assert_eq!((&ledger["closes"][0]["code"], &ledger["closes"][0]["by_bot"]), (&json!(4000), &json!(true)));
    assert_eq!(ledger["identify_list"][0]["cause"], "First");
}

async fn rest(house: &House, body: Value) -> Value {
    let url = format!("{}_sim/rest", house.sim.page_url());
    Answer::of(reqwest::Client::new().post(url).json(&body).send().await.unwrap()).await.ok()
}

#[tokio::test]
async fn another_process_changes_limits_and_raises_a_storm() {
    let house = House::build().await;
    let before = get(&house, "rest").await;
    let limits = json!({ "mode": "off", "global": 50, "scope_on_all": false, "invalid_limit": 10_000, "ban_ms": 3_600_000, "on_the_way_ms": 250 });
    assert_eq!(before, json!({ "limits": limits, "banned": false, "storm": null }));
    let order = json!({ "do": "limits", "mode": "real", "global": 7, "scope_on_all": true, "invalid_limit": 8, "ban_ms": 9, "on_the_way_ms": 10 });
    let mut expected = order.clone();
    expected.as_object_mut().unwrap().remove("do");
    assert_eq!(rest(&house, order).await["limits"], expected);
    // What is not named stays.
    assert_eq!(rest(&house, json!({ "do": "limits", "mode": "off" })).await["limits"]["global"], 7);

    let storm = rest(&house, json!({ "do": "storm", "seed": 3, "errors": 1.0, "stalls": 0.0, "limits": 0.0 })).await;
    let expected = json!({ "seed": 3, "limits": 0.0, "errors": 1.0, "lost": 0.02, "stalls": 0.0, "callbacks": 0.25 });
    assert_eq!(storm["storm"], expected);
    assert!(house.bot().get("/users/@me").await.status >= 500);
    assert_eq!(rest(&house, json!({ "do": "calm" })).await["storm"], json!(null));
    house.bot().get("/users/@me").await.ok();

    assert_eq!(rest(&house, json!({ "do": "ban", "ms": 60_000 })).await["banned"], true);
    assert_eq!(house.bot().get("/users/@me").await.status, 429);
    assert_eq!(rest(&house, json!({ "do": "ban", "ms": 0 })).await["banned"], false);
}

#[tokio::test]
async fn another_process_reads_every_request_and_the_verdict_on_it() {
    let house = House::build().await;
    house.bot().get("/users/@me").await.ok();
    house.rest(String::new()).get("/webhooks/1/secret").await.refused(404, 10015);
    let ledger = get(&house, "ledger").await;
    assert_eq!((&ledger["requests"], &ledger["verdicts"]), (&json!(2), &json!({ "served": 1, "refused": 1 })));
    let lines = async |query: &str| {
        let url = format!("{}_sim/requests{query}", house.sim.page_url());
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let all = lines("").await;
    let at = |one: &Value| one["at"].as_str().unwrap().to_owned();
    assert!(at(&all[0]) <= at(&all[1]));
    for (field, value) in [
        ("n", json!(0)),
        ("user", json!(house.me())),
        ("method", json!("GET")),
        ("template", json!("/users/@me")),
        ("path", json!("/users/@me")),
        ("status", json!(200)),
        ("verdict", json!("served")),
    ] {
        assert_eq!(all[0][field], value, "{field}");
    }
    assert_eq!((&all[1]["user"], &all[1]["path"]), (&json!(null), &json!("/webhooks/1/…")));
    assert!(all[1]["bucket"].as_str().unwrap().ends_with(":1"), "no token");
    assert_eq!(lines("?after=1").await, all[1..]);
    change(&house, json!({ "do": "set", "keep_requests": false })).await;
    house.bot().get("/users/@me").await.ok();
    assert_eq!((lines("").await.len(), &get(&house, "ledger").await["requests"]), (2, &json!(3)));
}
