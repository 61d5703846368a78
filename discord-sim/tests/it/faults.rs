use std::time::{Duration, Instant};

use discord_sim::{RestFault, RestMatch, ledger::Verdict};
use reqwest::header::HeaderMap;
use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn sending(fault: RestFault) -> (RestMatch, RestFault) {
    (RestMatch { method: "POST", template: "/channels/{channel_id}/messages", times: 1 }, fault)
}

#[tokio::test]
async fn bots_are_asked_to_reconnect_and_told_of_invalid_sessions() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    house.sim.write(|state| state.sessions.ask_bots_to_reconnect());
    assert_eq!(socket.next().await["op"], 7);
    house.sim.write(|state| state.sessions.invalidate_bots(true));
    let invalid = socket.next().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(true)));
    house.sim.write(|state| state.sessions.invalidate_bots(false));
    assert_eq!(socket.next().await["d"], false);
    // The connection may begin a new session; the old one is gone.
    socket.resume(&house.bot_token(), &ready["session_id"], 2).await;
    assert_eq!(socket.next().await["op"], 9);
    socket.identify(&house.bot_token(), json!({ "intents": 0 })).await;
    socket.event("READY").await;
}

#[tokio::test]
async fn a_connection_ends_with_a_code_or_without_a_word_and_its_session_stays() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    for code in [Some(4000), None] {
        house.sim.write(|state| state.sessions.disconnect_bots(code));
        assert_eq!(socket.closed().await, code);
        socket = Socket::greeted(&house).await;
        socket.resume(&house.bot_token(), &ready["session_id"], 2).await;
        socket.until("RESUMED").await;
    }
}

#[tokio::test]
async fn a_session_that_timed_out_cannot_be_resumed() {
    let house = House::build().await;
    let (mut socket, ready) = Socket::bot(&house, 1).await;
    house.sim.write(|state| state.sessions.time_out_bots());
    assert_eq!(socket.closed().await, Some(4009));
    let mut socket = Socket::greeted(&house).await;
    socket.resume(&house.bot_token(), &ready["session_id"], 2).await;
    assert_eq!(socket.next().await["op"], 9);
}

#[tokio::test]
async fn a_resume_is_refused_as_often_as_wished() {
    let house = House::build().await;
    let (socket, ready) = Socket::bot(&house, 1).await;
    drop(socket);
    house.sim.write(|state| state.sessions.faults.refuse_resumes = 1);
    let mut socket = Socket::greeted(&house).await;
    socket.resume(&house.bot_token(), &ready["session_id"], 2).await;
    assert_eq!(socket.next().await["d"], false);
    assert_eq!(house.state(|state| state.sessions.faults.refuse_resumes), 0);
}

#[tokio::test]
async fn a_replay_comes_twice_when_wished() {
    let house = House::build().await;
    let (socket, ready) = Socket::bot(&house, ALL).await;
    let seen = socket.sequence;
    drop(socket);
    house.sim.write(|state| {
        state.sessions.faults.replay_twice = true;
        state.say(house.seed.general, house.seed.member, "again");
    });
    let mut socket = Socket::greeted(&house).await;
    socket.resume(&house.bot_token(), &ready["session_id"], seen).await;
    let (one, two) = (socket.next().await, socket.next().await);
    assert_eq!(one, two);
    assert_eq!(one["d"]["content"], "again");
    socket.event("RESUMED").await;
}

#[tokio::test]
async fn heartbeats_go_unanswered_and_sockets_fall_silent() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    house.sim.write(|state| state.sessions.faults.withhold_acks = true);
    socket.send(json!({ "op": 1, "d": 2 })).await;
    // A command that is answered tells that the heartbeat was read.
    socket.send(json!({ "op": 8, "d": { "guild_id": house.seed.guild, "user_ids": ["1"] } })).await;
    socket.event("GUILD_MEMBERS_CHUNK").await;
    house.sim.write(|state| {
        state.sessions.faults.withhold_acks = false;
        state.sessions.faults.silent = true;
        state.say(house.seed.general, house.seed.member, "unheard");
    });
    socket.send(json!({ "op": 8, "d": { "guild_id": house.seed.guild, "user_ids": ["2"] } })).await;
    house
        .sim
        .wait_for("the answer in the ledger", |state| {
            state.ledger.dispatches.last().filter(|sent| sent.frame.contains(r#""not_found":["2"]"#)).map(drop)
        })
        .await;
    house.sim.write(|state| state.sessions.faults.silent = false);
}

#[tokio::test]
async fn hello_comes_late_or_never() {
    let house = House::build().await;
    house.sim.write(|state| state.sessions.faults.hello_delay = Some(Duration::from_millis(50)));
    let began = Instant::now();
    drop(Socket::greeted(&house).await);
    assert!(began.elapsed() >= Duration::from_millis(50));
    house.sim.write(|state| state.sessions.faults.hello_delay = Some(Duration::MAX));
    Socket::open(&house, "v=10&encoding=json").await.close(1000).await;
}

#[tokio::test]
async fn an_outage_is_no_leave() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let path = format!("/guilds/{}", house.seed.guild);
    house.sim.write(|state| state.set_unavailable(house.seed.guild, true));
    assert_eq!(socket.event("GUILD_DELETE").await, json!({ "id": house.seed.guild, "unavailable": true }));
    house.bot().get(&path).await.refused(404, 10004);
    house.sim.write(|state| state.set_unavailable(house.seed.guild, false));
    assert_eq!(socket.event("GUILD_CREATE").await["name"], "Moonlight Games");
    house.bot().delete(format!("/users/@me/guilds/{}", house.seed.guild)).await.ok();
    assert_eq!(socket.event("GUILD_DELETE").await, json!({ "id": house.seed.guild }));
    house.bot().get(&path).await.refused(403, 50001);
}

#[tokio::test]
async fn a_refused_request_has_no_effect_and_one_that_fails_late_has() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    house.sim.write(|state| {
        state.rest_faults = vec![sending(RestFault::Refuse(403, 50013)), sending(RestFault::FailAfterEffect)];
    });
    let send = async |text: &str| house.bot().post(&path, json!({ "content": text })).await;
    send("refused").await.refused(403, 50013);
    assert_eq!(send("unclear").await.status, 500);
    send("clear").await.ok();
    let texts = house.bot().get(format!("{path}?limit=2")).await.ok();
    assert_eq!((&texts[0]["content"], &texts[1]["content"]), (&json!("clear"), &json!("unclear")));
    assert!(house.state(|state| state.rest_faults.is_empty()));
}

#[tokio::test]
async fn a_rate_limit_says_how_long_and_whose() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    // It comes back at once, however slow this machine is.
    house.sim.write(|state| state.rate_limits.on_the_way = Duration::from_secs(60));
    for scope in ["user", "shared", "global"] {
        let retry_after = Duration::from_millis(1500);
        house.sim.write(|state| state.rest_faults = vec![sending(RestFault::RateLimited { retry_after, scope })]);
        let limited = house.bot().post(&path, json!({ "content": "x" })).await;
        assert_eq!(limited.status, 429);
        assert_eq!(limited.json["retry_after"], 1.5);
        assert_eq!(limited.json["global"], scope == "global");
        assert_eq!(header(&limited.headers, "retry-after"), Some("2"));
        assert_eq!(header(&limited.headers, "x-ratelimit-scope"), Some(scope));
        assert_eq!(header(&limited.headers, "x-ratelimit-global"), (scope == "global").then_some("true"));
        assert!(limited.headers.contains_key("via"));
    }
    let retry_after = Duration::from_millis(1500);
    house.sim.write(|state| state.rest_faults = vec![sending(RestFault::InnerLimited { retry_after })]);
    let limited = house.bot().post(&path, json!({ "content": "x" })).await;
    assert_eq!((limited.status, &limited.json["retry_after"]), (429, &json!(1.5)));
    assert_eq!(header(&limited.headers, "x-ratelimit-scope"), Some("user"));
    assert_eq!(header(&limited.headers, "x-ratelimit-remaining"), Some("49"));
    let sent = house.bot().post(&path, json!({ "content": "x" })).await;
    for name in ["limit", "remaining", "reset", "reset-after", "bucket"] {
        assert!(sent.headers.contains_key(format!("x-ratelimit-{name}")), "{name}");
    }
    assert!(!sent.headers.contains_key("x-ratelimit-scope"), "only a 429 has a scope");
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let house = House::build().await;
    let delay = Duration::from_millis(50);
    house.sim.write(|state| state.rest_faults = vec![sending(RestFault::Delay(delay))]);
    let began = Instant::now();
    house.bot().post(format!("/channels/{}/messages", house.seed.general), json!({ "content": "x" })).await.ok();
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn the_page_of_a_ban_has_nothing_of_discord() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let retry_after = Duration::from_millis(1500);
    house.sim.write(|state| state.rest_faults = vec![sending(RestFault::BanPage { retry_after })]);
    let request = house.bot().request(reqwest::Method::POST, &path).json(&json!({ "content": "x" }));
    let page = request.send().await.unwrap();
    let headers = page.headers().clone();
    assert_eq!((page.status().as_u16(), header(&headers, "retry-after")), (429, Some("2")));
    assert_eq!(header(&headers, "content-type"), Some("text/html; charset=UTF-8"));
    let of_discord = |name: &str| name == "via" || name.starts_with("x-ratelimit");
    assert!(!headers.keys().any(|name| of_discord(name.as_str())), "{headers:?}");
    assert!(page.text().await.unwrap().contains("error code: 1015"));
}

#[tokio::test]
async fn an_answer_breaks_off_and_the_effect_is_there() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let one = "/channels/{channel_id}/messages/{message_id}";
    house.sim.write(|state| {
        let delete = RestMatch { method: "DELETE", template: one, times: 1 };
        state.rest_faults = vec![sending(RestFault::BreakAfterEffect), (delete, RestFault::BreakAfterEffect)];
    });
    let request = house.bot().request(reqwest::Method::POST, &path).json(&json!({ "content": "there" }));
    let answer = async { request.send().await?.bytes().await };
    assert!(answer.await.is_err());
    let said = house.state(|state| state.find_message(house.seed.general, |_| true).cloned().unwrap());
    assert_eq!(said.content, "there");
    // An answer without a body, too.
    let request = house.bot().request(reqwest::Method::DELETE, &format!("{path}/{}", said.id));
    assert!(request.send().await.is_err());
    assert_eq!(house.bot().get(format!("{path}/{}", said.id)).await.status, 404);
    let verdicts = house.state(|state| state.ledger.requests.iter().map(|one| one.verdict).collect::<Vec<_>>());
    assert_eq!(verdicts, [Verdict::Failed, Verdict::Failed, Verdict::Refused]);
}

#[tokio::test]
async fn what_stands_before_discord_fails_without_effect() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    house.sim.write(|state| state.rest_faults = vec![sending(RestFault::ServerError(502))]);
    let failed = house.bot().post(&path, json!({ "content": "x" })).await;
    assert_eq!((failed.status, failed.json), (502, json!(null)));
    assert!(house.state(|state| state.find_message(house.seed.general, |said| said.content == "x").is_none()));
    assert_eq!(house.state(|state| state.ledger.requests[0].verdict), Verdict::Failed);
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_effect_stands_in_the_ledger() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    house.sim.write(|state| state.rest_faults = vec![sending(RestFault::Hold(Duration::MAX))]);
    let request = house.bot().request(reqwest::Method::POST, &path).json(&json!({ "content": "x" }));
    let sent = tokio::spawn(request.send());
    house.sim.wait_for("the request", |state| state.rest_faults.is_empty().then_some(())).await;
    sent.abort();
    let left = house.sim.wait_for("its end", |state| state.ledger.requests.first().cloned()).await;
    assert_eq!((left.status, left.verdict), (499, Verdict::Failed));
    assert!(house.state(|state| state.find_message(house.seed.general, |said| said.content == "x").is_none()));
}
