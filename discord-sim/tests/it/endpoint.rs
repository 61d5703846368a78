//! Interactions that are POSTed to an endpoint of the application, with Discord's signature.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    house::House,
    interactions::{Reply, with_command},
    socket::Socket,
};

/// An application's server: it checks signatures unless told not to, and answers with what it is given.
#[derive(Clone)]
struct Endpoint {
    key: VerifyingKey,
    strict: bool,
    answer: Arc<Mutex<Answer>>,
    came: mpsc::UnboundedSender<Value>,
}

#[derive(Clone)]
enum Answer {
    Json(Value),
    Status(StatusCode),
    Never,
}

async fn interact(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signature: [u8; 64] = hex::decode(header("x-signature-ed25519")).unwrap().try_into().unwrap();
    let signed = [header("x-signature-timestamp").as_bytes(), &body].concat();
    if endpoint.strict && endpoint.key.verify_strict(&signed, &Signature::from_bytes(&signature)).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let interaction: Value = serde_json::from_slice(&body).unwrap();
    if interaction["type"] == 1 {
        return Json(json!({ "type": 1 })).into_response();
    }
    endpoint.came.send(interaction).unwrap();
    let answer = endpoint.answer.lock().unwrap().clone();
    match answer {
        Answer::Json(json) => Json(json).into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Never => std::future::pending().await,
    }
}

impl Endpoint {
    async fn serve(house: &House, strict: bool) -> (Self, String, mpsc::UnboundedReceiver<Value>) {
        let key: [u8; 32] = hex::decode(house.seed.public_key(&house.sim)).unwrap().try_into().unwrap();
        let (came, inbox) = mpsc::unbounded_channel();
        let endpoint = Self {
            key: VerifyingKey::from_bytes(&key).unwrap(),
            strict,
            answer: Arc::new(Mutex::new(Answer::Status(StatusCode::ACCEPTED))),
            came,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/interactions", listener.local_addr().unwrap());
        let router = Router::new().route("/interactions", post(interact)).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (endpoint, url, inbox)
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

async fn set(house: &House, url: &str) -> crate::house::Answer {
    house.bot().patch("/applications/@me", json!({ "interactions_endpoint_url": url })).await
}

fn ask(house: &House) -> twilight_model::id::Id<twilight_model::id::marker::InteractionMarker> {
    let options = json!([{ "name": "topic", "type": 3, "value": "x" }]);
    house.sim.command(house.seed.member, house.seed.general, "ask", &options).unwrap()
}

#[tokio::test]
async fn an_endpoint_is_taken_when_it_answers_a_ping_and_refuses_a_forged_one() {
    let house = House::build().await;
    let (_, good, _good) = Endpoint::serve(&house, true).await;
    let (_, careless, _careless) = Endpoint::serve(&house, false).await;
    let error = "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID";
    set(&house, &careless).await.form_error("interactions_endpoint_url", error);
    set(&house, "http://127.0.0.1:1/").await.form_error("interactions_endpoint_url", error);
    assert_eq!(set(&house, &good).await.ok()["interactions_endpoint_url"], json!(good));
    assert_eq!(
        house.bot().patch("/applications/@me", json!({ "interactions_endpoint_url": null })).await.ok()["interactions_endpoint_url"],
        json!(null)
    );
}

#[tokio::test]
async fn with_an_endpoint_interactions_are_posted_and_not_dispatched() {
    let house = House::build().await;
    let mut socket = with_command(&house).await;
    let (endpoint, url, mut inbox) = Endpoint::serve(&house, true).await;
    set(&house, &url).await.ok();
    endpoint.answers(Answer::Json(json!({ "type": 4, "data": { "content": "by http" } })));
    let id = ask(&house);
    assert_eq!(house.sim.response(id).await.content, "by http");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "by http");
    socket.is_quiet().await;
    let came = inbox.recv().await.unwrap();
    assert_eq!((&came["id"], &came["member"]["user"]["username"]), (&json!(id), &json!("mia")));
    // Follow-ups are as ever.
    let more = format!("/webhooks/{}/{}", house.seed.application, came["token"].as_str().unwrap());
    house.rest(String::new()).post(more, json!({ "content": "more" })).await.ok();
}

#[tokio::test]
async fn an_endpoint_may_accept_and_answer_by_a_callback() {
    let house = House::build().await;
    with_command(&house).await;
    let (_endpoint, url, mut inbox) = Endpoint::serve(&house, true).await;
    set(&house, &url).await.ok();
    let id = ask(&house);
    let came = inbox.recv().await.unwrap();
    Reply::to(&house, &came).callback(4, json!({ "content": "later" })).await.ok();
    assert_eq!(house.sim.response(id).await.content, "later");
}

#[tokio::test]
async fn a_wrong_answer_fails_the_interaction_and_is_written_down() {
    let house = House::build().await;
    with_command(&house).await;
    let (endpoint, url, _inbox) = Endpoint::serve(&house, true).await;
    set(&house, &url).await.ok();
    let mut mia = Socket::person(&house, house.seed.member).await;
    let wrong = [
        (Answer::Status(StatusCode::INTERNAL_SERVER_ERROR), "answered 500"),
        (Answer::Json(json!({ "type": 4, "data": {} })), "not valid"),
        (Answer::Json(json!({ "type": 7, "data": { "content": "x" } })), "not valid"),
    ];
    for (number, (answer, why)) in wrong.into_iter().enumerate() {
        endpoint.answers(answer);
        let id = ask(&house);
        assert!(house.sim.answered(id).await.failed);
        assert_eq!(mia.until("INTERACTION_FAILURE").await["id"], json!(id));
        let failed = house.state(|state| state.ledger.failed_interactions[number].clone());
        assert_eq!(failed.0, id);
        assert!(failed.1.contains(why), "{}", failed.1);
    }
    endpoint.answers(Answer::Never);
    house.sim.write(|state| state.interaction_deadline = Some(Duration::from_millis(20)));
    assert!(house.sim.answered(ask(&house)).await.failed);
}
