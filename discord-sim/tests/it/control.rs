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
