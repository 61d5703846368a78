//! Limits as clients see them, and what the ledger makes of those who do not keep to them.

use std::time::Duration;

use discord_sim::{
    RestFault, RestMatch,
    ledger::Verdict,
    rate_limits::{Mode, RateLimits, Scope},
};
use serde_json::json;

use crate::house::{Answer, House};

/// A house with Discord's limits, changed by `change`.
async fn limited(change: impl FnOnce(&mut RateLimits)) -> House {
    let house = House::build().await;
    house.sim.write(|state| {
        state.rate_limits.mode = Mode::Real;
        change(&mut state.rate_limits);
    });
    house
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn has_limits(&self) -> bool {
        self.headers.keys().any(|name| name.as_str().starts_with("x-ratelimit"))
    }
}

async fn say(house: &House) -> Answer {
    house.bot().post(format!("/channels/{}/messages", house.seed.general), json!({ "content": "x" })).await
}

#[tokio::test]
async fn a_bucket_counts_down_in_its_headers_and_then_refuses() {
    let house = limited(|_| ()).await;
    let path = format!("/channels/{}", house.seed.general);
    let edit = async || house.bot().patch(&path, json!({ "nsfw": false })).await;
    let mut hash = None;
    for remaining in (0..10).rev() {
        let edited = edit().await;
        assert_eq!(edited.header("x-ratelimit-limit"), Some("10"));
        assert_eq!(edited.header("x-ratelimit-remaining"), Some(remaining.to_string().as_str()));
        assert_eq!(edited.header("x-ratelimit-scope"), None);
        hash = edited.header("x-ratelimit-bucket").map(str::to_owned);
        edited.ok();
    }
    let limited = edit().await;
    assert_eq!((limited.status, limited.header("x-ratelimit-scope")), (429, Some("user")));
    let retry_after = limited.json["retry_after"].as_f64().unwrap();
    assert!(retry_after > 0.0 && retry_after <= 15.0, "{retry_after}");
    assert_eq!(limited.header("retry-after"), Some(retry_after.ceil().to_string().as_str()));
    assert_eq!(limited.header("x-ratelimit-reset-after"), Some(format!("{retry_after:.3}").as_str()));
    let expected = json!({ "message": "You are being rate limited.", "retry_after": retry_after, "global": false });
    assert_eq!(limited.json, expected);
    assert_eq!((limited.header("x-ratelimit-remaining"), limited.header("x-ratelimit-global")), (Some("0"), None));
    assert_eq!((limited.header("x-ratelimit-bucket"), limited.header("via").is_some()), (hash.as_deref(), true));
    house.state(|state| {
        let ledger = &state.ledger;
        assert_eq!((ledger.count(Verdict::Served), ledger.count(Verdict::Limited(Scope::User))), (10, 1));
        let last = ledger.requests.last().unwrap();
        let bucket = format!("{}:{}", hash.unwrap(), house.seed.general);
        assert_eq!((last.verdict, &last.bucket), (Verdict::Limited(Scope::User), &Some(bucket)));
    });
}

#[tokio::test]
async fn a_third_rename_is_told_by_retry_after_alone() {
    let house = limited(|_| ()).await;
    let rename =
        async |name| house.bot().patch(format!("/channels/{}", house.seed.general), json!({ "name": name })).await;
    rename("one").await.ok();
    rename("two").await.ok();
    let third = rename("three").await;
    assert_eq!(third.status, 429);
    let retry_after: u64 = third.header("retry-after").unwrap().parse().unwrap();
    assert!((580..=600).contains(&retry_after), "{retry_after}");
    assert_eq!((third.header("x-ratelimit-scope"), third.header("x-ratelimit-remaining")), (Some("user"), Some("7")));
    let reset_after: f64 = third.header("x-ratelimit-reset-after").unwrap().parse().unwrap();
    assert!(reset_after <= 15.0);
    assert_eq!(house.state(|state| state.ledger.count(Verdict::Limited(Scope::Inner))), 1);
    assert_eq!(house.state(|state| state.channels[&house.seed.general].name.clone()), "two");
}

#[tokio::test]
async fn a_refusal_of_the_api_counts_too_and_a_stranger_has_no_bucket() {
    let house = limited(|_| ()).await;
    let unknown = house.bot().get("/channels/1").await;
    assert_eq!((unknown.status, unknown.header("x-ratelimit-remaining")), (404, Some("49")));
    let stranger = house.rest("Bot nonsense".to_owned()).get("/channels/1").await;
    assert_eq!((stranger.status, stranger.has_limits()), (401, false));
    assert_eq!(house.state(|state| state.ledger.count(Verdict::Refused)), 2);
}

#[tokio::test]
async fn the_global_limit_is_for_what_the_bots_token_authorises() {
    let house = limited(|limits| limits.global = 0).await;
    house.provokes();
    let over = say(&house).await;
    assert_eq!(
        (over.status, &over.json["global"], over.header("x-ratelimit-global")),
        (429, &json!(true), Some("true"))
    );
    assert_eq!((over.header("x-ratelimit-scope"), over.header("x-ratelimit-bucket")), (Some("global"), None));
    assert_eq!(over.header("retry-after"), Some("1"));
    for _ in 0..10 {
        let callback = house.rest(String::new()).post("/interactions/1/x/callback", json!({ "type": 5 })).await;
        assert_eq!((callback.status, callback.has_limits()), (404, false));
    }
    house.state(|state| {
        assert_eq!(state.ledger.count(Verdict::OverGlobal), 1);
        assert!(state.ledger.violations[0].contains("more than 0 in a second"), "{:?}", state.ledger.violations);
    });
}

#[tokio::test]
async fn every_answer_has_a_scope_when_wished() {
    let house = limited(|limits| limits.scope_on_all = true).await;
    assert_eq!(say(&house).await.header("x-ratelimit-scope"), Some("user"));
}

#[tokio::test]
async fn people_have_no_limits() {
    let house = limited(|limits| limits.ban(Duration::from_secs(60), std::time::Instant::now())).await;
    let person = house.person(house.seed.member);
    for _ in 0..10 {
        let said = person.post(format!("/channels/{}/messages", house.seed.general), json!({ "content": "x" })).await;
        assert!(!said.has_limits());
        said.ok();
    }
    assert_eq!(say(&house).await.status, 429);
}

#[tokio::test]
async fn too_many_invalid_requests_ban_the_address() {
    let house = limited(|limits| limits.invalid_limit = 3).await;
    house.provokes();
    // People come from elsewhere.
    for _ in 0..5 {
        let webhooks = format!("/guilds/{}/webhooks", house.seed.guild);
        house.person(house.seed.member).get(webhooks).await.refused(403, 50013);
    }
    let stranger = house.rest("Bot nonsense".to_owned());
    for _ in 0..3 {
        stranger.get("/users/@me").await.refused(401, 0);
    }
    let page = say(&house).await;
    assert_eq!((page.status, page.header("retry-after"), page.has_limits()), (429, Some("3600"), false));
    assert_eq!(page.header("via"), None);
    assert_eq!(stranger.get("/users/@me").await.status, 429);
    house.state(|state| {
        assert_eq!(state.ledger.count(Verdict::Banned), 2);
        assert_eq!(state.ledger.violations, ["3 requests within 600s were answered 401, 403 or 429"]);
    });
}

#[tokio::test]
async fn who_comes_back_early_is_found_out_also_when_limits_are_off() {
    let house = House::build().await;
    house.provokes();
    house.sim.write(|state| {
        state.rate_limits.on_the_way = Duration::ZERO;
        let sending = RestMatch { method: "POST", template: "/channels/{channel_id}/messages", times: 1 };
        let fault = RestFault::RateLimited { retry_after: Duration::from_secs(60), scope: "user" };
        state.rest_faults.push((sending, fault));
    });
    assert_eq!(say(&house).await.status, 429);
    house.bot().get("/users/@me").await.ok();
    say(&house).await.ok();
    house.state(|state| {
        let verdicts: Vec<_> = state.ledger.requests.iter().map(|request| request.verdict).collect();
        assert_eq!(verdicts, [Verdict::Limited(Scope::User), Verdict::Served, Verdict::Early]);
        assert_eq!(state.ledger.violations.len(), 1);
    });
}

#[tokio::test]
async fn requests_are_counted_when_they_are_not_kept() {
    let house = House::build().await;
    house.sim.write(|state| state.ledger.keep_requests = false);
    say(&house).await.ok();
    house.bot().get("/channels/1").await.refused(404, 10003);
    house.state(|state| {
        assert_eq!((state.ledger.requests.len(), state.ledger.requested), (0, 2));
        assert_eq!((state.ledger.count(Verdict::Served), state.ledger.count(Verdict::Refused)), (1, 1));
    });
}

#[tokio::test]
async fn a_late_answer_shows_what_is_left_of_its_period() {
    let house = limited(|_| ()).await;
    let delay = Duration::from_millis(50);
    house.sim.write(|state| {
        let editing = RestMatch { method: "PATCH", template: "/channels/{channel_id}", times: 1 };
        state.rest_faults.push((editing, RestFault::Delay(delay)));
    });
    let late = house.bot().patch(format!("/channels/{}", house.seed.general), json!({ "nsfw": false })).await;
    let reset_after: f64 = late.header("x-ratelimit-reset-after").unwrap().parse().unwrap();
    assert!(reset_after <= 15.0 - 0.05, "{reset_after}");
}
