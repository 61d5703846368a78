//! A storm over real sockets; what it draws is tried beside it.

use std::time::{Duration, Instant};

use discord_sim::{ledger::Verdict, rate_limits::Scope, storm::Storm};
use serde_json::json;
use tokio::task::JoinSet;

use crate::house::House;

/// So many that one of them is stalled for a minute.
const STALLED: u64 = 20;

fn blow(house: &House, storm: Storm) {
    house.sim.write(|state| state.storm = Some(storm));
}

fn calm(house: &House) {
    house.sim.write(|state| state.storm = None);
}

fn messages(house: &House) -> usize {
    house.state(|state| state.messages[&house.seed.general].values().filter(|message| message.content == "x").count())
}

#[tokio::test]
async fn a_storm_of_limits_closes_what_it_names_until_its_time() {
    let house = House::build().await;
    // Every request in turn is one that was on the way.
    house.sim.write(|state| state.rate_limits.on_the_way = Duration::from_secs(60));
    // This seed begins with the global limit, for 2.6 s.
    blow(&house, Storm::empty(14).limits(1.0));
    let path = format!("/channels/{}/messages", house.seed.general);
    let first = house.bot().post(&path, json!({ "content": "x" })).await;
    assert_eq!(first.status, 429);
    // Of people it knows nothing.
    house.person(house.seed.member).post(&path, json!({ "content": "x" })).await.ok();
    calm(&house);
    // The storm is over, the wait is not.
    let second = house.bot().post(&path, json!({ "content": "x" })).await;
    assert_eq!(second.status, 429);
    let wait = |json: &serde_json::Value| json["retry_after"].as_f64().unwrap();
    assert!(wait(&first.json) <= 3.0 && wait(&second.json) <= wait(&first.json), "{first:?} {second:?}");
    assert_eq!((&first.json["global"], &second.json["global"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn a_storm_of_limits_is_of_all_kinds() {
    let house = House::build().await;
    house.sim.write(|state| state.rate_limits.on_the_way = Duration::from_secs(60));
    blow(&house, Storm::empty(1).limits(1.0));
    // Each is for a webhook of its own, so that only a page closes the next one.
    for number in 1..=100 {
        let path = format!("/webhooks/{number}/x/messages/@original");
        assert_eq!(house.rest(String::new()).get(path).await.status, 429);
        if house.state(|state| state.ledger.count(Verdict::Banned)) > 0 {
            break;
        }
    }
    house.state(|state| {
        let kinds = [Scope::User, Scope::Shared, Scope::Inner].map(Verdict::Limited);
        for kind in kinds.into_iter().chain([Verdict::Banned]) {
            assert!(state.ledger.count(kind) > 0, "{kind:?} {:?}", state.ledger.verdicts);
        }
    });
}

#[tokio::test]
async fn a_storm_of_errors_has_no_effect_and_one_of_lost_answers_has() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let send = async || {
        let request = house.bot().request(reqwest::Method::POST, &path).json(&json!({ "content": "x" }));
        let response = request.send().await?;
        let status = response.status().as_u16();
        response.bytes().await.map(|_| status)
    };
    blow(&house, Storm::empty(1).errors(1.0));
    for _ in 0..8 {
        assert!(send().await.unwrap() >= 500);
    }
    assert_eq!(messages(&house), 0);
    blow(&house, Storm::empty(1).lost(1.0));
    let mut lost = Vec::new();
    for _ in 0..8 {
        lost.push(send().await.ok());
    }
    assert_eq!(messages(&house), 8);
    assert!(lost.contains(&Some(500)) && lost.contains(&None), "{lost:?}");
    assert_eq!(house.state(|state| state.ledger.count(Verdict::Failed)), 16);
    calm(&house);
    assert_eq!(send().await.unwrap(), 200);
}

#[tokio::test]
async fn those_that_a_storm_stalls_go_on_when_it_is_over() {
    let house = House::build().await;
    // It stalls some before the effect and some after it, and one of them for a minute.
    blow(&house, Storm::empty(1).stalls(1.0));
    let (began, path) = (Instant::now(), format!("/channels/{}/messages", house.seed.general));
    let mut sent = JoinSet::new();
    for _ in 0..STALLED {
        let (bot, path) = (house.bot(), path.clone());
        sent.spawn(async move { bot.post(path, json!({ "content": "x" })).await.ok() });
    }
    house.sim.wait_for("all of them", |state| (state.storm.as_ref()?.drawn() == STALLED).then_some(())).await;
    calm(&house);
    sent.join_all().await;
    assert_eq!(messages(&house), 20);
    assert!(began.elapsed() < Duration::from_secs(45));
}
