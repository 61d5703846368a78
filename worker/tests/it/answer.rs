use std::time::Duration;

use common::telemetry::testing::capture;
use database::{Database, DatabaseConfig};
use discord_sim::{RestFault, state::Interaction as Made};
use event_stream::{KafkaConfig, Producer, Profile, embedded::Broker, testing};
use model::{
    TraceParent,
    topics::{GatewayEvent, LateInteraction},
    trace,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use twilight_model::id::{Id, marker::InteractionMarker};
use worker::{
    Context,
    answer::{gateway, late},
    interaction::Interaction,
    reply, routes,
};

use crate::{events::event, house::House};

/// The member's press on the panel, which nobody has answered yet, as an event and as the worker reads it.
async fn pressed(house: &House) -> (Made, GatewayEvent, Interaction) {
    house.set_endpoint(None);
    as_event(house, house.click(house.seed.member, house.seed.support, "t1:open:1"))
}

/// A command that nobody has answered yet, likewise.
async fn commanded(house: &House, name: &str) -> (Made, GatewayEvent, Interaction) {
    house.set_endpoint(None);
    let id = house.sim.command(house.seed.admin, house.seed.support, name, &json!([])).unwrap();
    as_event(house, id)
}

fn as_event(house: &House, id: Id<InteractionMarker>) -> (Made, GatewayEvent, Interaction) {
    let made = house.sim.read(|state| state.interactions[&id].clone());
    let event = event(house, "INTERACTION_CREATE", &made.payload);
    let read = Interaction::parse(made.payload.to_string().as_bytes()).unwrap();
    (made, event, read)
}

/// The click as it lies on Kafka, once.
async fn kept(house: &House, made: &Made) -> LateInteraction {
    let mut kept = house.kept(made).await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    kept.remove(0)
}

/// The same worker, whose database is away.
async fn without_database(house: &House) -> Context {
    let config = DatabaseConfig { uri: house.scratch.uri.clone(), threads: 1 };
    let db = Database::connect(&config).await.unwrap();
    db.close().await;
    Context { db, ..house.cx.clone() }
}

/// The worker's routes as http-gateway sees them: their address.
async fn serve(cx: &Context, key: Option<&str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/interactions", listener.local_addr().unwrap());
    let router = routes::router(cx.clone(), key.map(Into::into));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn status(url: &str, key: Option<&str>, body: String) -> u16 {
    let mut request = common::http::client("test").unwrap().post(url).body(body);
    if let Some(key) = key {
        request = request.header("authorization", key);
    }
    request.send().await.unwrap().status().as_u16()
}

fn ping(house: &House) -> String {
    json!({"id": "1", "application_id": house.seed.application, "type": 1, "token": "t"}).to_string()
}

#[tokio::test]
async fn what_takes_longer_than_two_seconds_is_deferred_and_finished_from_kafka() {
    let house = House::furnished().await;
    let (made, event, read) = pressed(&house).await;
    house.fail("POST", "/guilds/{guild_id}/channels", RestFault::Delay(Duration::from_millis(2_300)));
    gateway::answer(&house.cx, read, &event).await.unwrap();
    assert_eq!(house.sim.answered(made.id).await.acknowledged.unwrap().kind, 5);
    let late = kept(&house, &made).await;
    assert_eq!(serde_json::from_slice::<Value>(&late.payload).unwrap(), made.payload);
    assert_eq!((late.guild, late.received_at), (event.guild, event.received_at));
    assert_eq!(late.trace.unwrap().trace_id(), event.trace.unwrap().trace_id());
    late::answer(&house.cx, &late).await.unwrap();
    let answer = house.sim.response(made.id).await;
    assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
    assert_eq!(house.ticket_channels().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn the_two_seconds_count_from_the_receipt() {
    let house = House::furnished().await;
    let (made, mut event, read) = pressed(&house).await;
    event.received_at -= time::Duration::milliseconds(1_400);
    house.fail("POST", "/guilds/{guild_id}/channels", RestFault::Delay(Duration::from_millis(1_500)));
    gateway::answer(&house.cx, read, &event).await.unwrap();
    assert_eq!(house.sim.answered(made.id).await.acknowledged.unwrap().kind, 5);
    late::answer(&house.cx, &kept(&house, &made).await).await.unwrap();
    house.leave().await;
}

#[tokio::test]
async fn an_answer_that_discord_stumbles_over_is_given_again() {
    let callback = "/interactions/{interaction_id}/{interaction_token}/callback";
    for fault in [RestFault::Refuse(503, 0), RestFault::FailAfterEffect] {
        let house = House::furnished().await;
        let (made, event, read) = pressed(&house).await;
        house.fail("POST", callback, fault);
        gateway::answer(&house.cx, read, &event).await.unwrap();
        let answer = house.sim.response(made.id).await;
        assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
        assert_eq!(house.count("POST", callback), 2);
        assert!(house.kept(&made).await.is_empty());
        house.leave().await;
    }
}

#[tokio::test]
async fn a_command_that_says_it_is_slow_is_kept_before_it_runs() {
    let house = House::new().await;
    let (made, event, read) = commanded(&house, "setup").await;
    gateway::answer(&house.cx, read, &event).await.unwrap();
    assert_eq!(house.sim.answered(made.id).await.acknowledged.unwrap().kind, 5);
    let late = kept(&house, &made).await;
    assert_eq!(house.settings().await.staff_role, None);
    late::answer(&house.cx, &late).await.unwrap();
    assert!(house.sim.response(made.id).await.content.contains("made: "));
    house.leave().await;
}

#[tokio::test]
async fn a_command_that_says_it_is_slow_is_left_to_http_gateway_to_keep() {
    let house = House::new().await;
    let (made, _, _) = commanded(&house, "setup").await;
    let url = serve(&house.cx, None).await;
    assert_eq!(status(&url, None, made.payload.to_string()).await, 202);
    house.cx.tasks.close();
    house.cx.tasks.wait().await;
    assert_eq!(house.settings().await.staff_role, None);
    let client = house.cx.discord.requests().interaction(house.cx.bot);
    let deferred = reply::deferred();
    house.cx.discord.send(client.create_response(made.id, &made.token, &deferred)).await.unwrap();
    house.leave().await;
}

#[tokio::test]
async fn a_click_outlives_a_database_that_is_away_whichever_way_it_came() {
    let house = House::furnished().await;
    let away = without_database(&house).await;
    let (made, event, read) = pressed(&house).await;
    let url = serve(&away, None).await;
    assert_eq!(status(&url, None, made.payload.to_string()).await, 202);
    gateway::answer(&away, read, &event).await.unwrap();
    assert_eq!(house.sim.answered(made.id).await.acknowledged.unwrap().kind, 5);
    let late = kept(&house, &made).await;
    let failure = format!("{:?}", late::answer(&away, &late).await.unwrap_err());
    assert!(failure.contains("then: Wait"), "{failure}");
    late::answer(&house.cx, &late).await.unwrap();
    let answer = house.sim.response(made.id).await;
    assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn a_late_click_whose_token_ends_is_given_an_apology() {
    let house = House::furnished().await;
    let away = without_database(&house).await;
    let (made, event, read) = pressed(&house).await;
    gateway::answer(&away, read, &event).await.unwrap();
    let mut late = kept(&house, &made).await;
    late.received_at -= time::Duration::minutes(14);
    late::answer(&away, &late).await.unwrap();
    let answer = house.sim.response(made.id).await;
    assert!(answer.content.contains("went wrong"), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn a_deferral_that_kafka_does_not_take_soon_is_tried_again_by_the_consumer() {
    let config = testing::config();
    testing::make_with_limit(&config, &config.interactions_topic, 100).await.unwrap();
    let refused = testing::producer(&config).await.unwrap();
    let broker = Broker::start().unwrap();
    let gone = KafkaConfig::at(broker.bootstrap());
    let unheard = Producer::connect(&gone, "test", Profile::Interactive).await.unwrap();
    drop(broker);

    for producer in [refused, unheard] {
        let house = House::new().await;
        let (made, event, read) = commanded(&house, "setup").await;
        let cx = Context { late_clicks: producer, ..house.cx.clone() };
        // Shorter than a producer tries.
        let soon = Duration::from_secs(8);
        let outcome = tokio::time::timeout(soon, gateway::answer(&cx, read.clone(), &event)).await;
        let failure = format!("{:?}", outcome.expect("others have their turn").unwrap_err());
        assert!(failure.contains("then: Wait"), "{failure}");
        assert_eq!(house.sim.answered(made.id).await.acknowledged.unwrap().kind, 5);

        gateway::answer(&house.cx, read, &event).await.unwrap();
        late::answer(&house.cx, &kept(&house, &made).await).await.unwrap();
        assert!(house.sim.response(made.id).await.content.contains("made: "));
        house.leave().await;
    }
}

#[tokio::test]
async fn a_late_click_of_another_bot_is_left_to_it() {
    let house = House::furnished().await;
    let (made, event, read) = commanded(&house, "setup").await;
    gateway::answer(&house.cx, read, &event).await.unwrap();
    let mut late = kept(&house, &made).await;
    let other = Context { bot: Id::new(99), ..house.cx.clone() };
    late::answer(&other, &late).await.unwrap();
    // Whoever wrote it contradicts itself.
    late.bot = other.bot;
    let failure = format!("{:?}", late::answer(&other, &late).await.unwrap_err());
    assert!(failure.contains("then: Discard"), "{failure}");
    let late = kept(&house, &made).await;
    late::answer(&house.cx, &late).await.unwrap();
    assert!(house.sim.response(made.id).await.content.contains("reused: "));
    house.leave().await;
}

#[tokio::test]
async fn an_answer_that_discord_refuses_for_good_is_given_once() {
    let house = House::furnished().await;
    let away = without_database(&house).await;
    let (made, event, read) = pressed(&house).await;
    gateway::answer(&away, read, &event).await.unwrap();
    let late = kept(&house, &made).await;
    let edit = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";
    house.fail("PATCH", edit, RestFault::Refuse(400, 50_035));
    let failure = format!("{:?}", late::answer(&house.cx, &late).await.unwrap_err());
    assert!(failure.contains("then: Discard"), "{failure}");
    house.fail("PATCH", edit, RestFault::Refuse(503, 0));
    house.fail("PATCH", edit, RestFault::Refuse(503, 0));
    let failure = format!("{:?}", late::answer(&house.cx, &late).await.unwrap_err());
    assert!(failure.contains("then: Retry"), "{failure}");
    house.leave().await;
}

#[tokio::test]
async fn with_a_key_the_route_answers_only_those_who_have_it() {
    let house = House::furnished().await;
    let url = serve(&house.cx, Some("open sesame")).await;
    for wrong in [None, Some("open sesame"), Some("Bearer "), Some("Bearer open sesam"), Some("Bearer open sesame!")] {
        assert_eq!(status(&url, wrong, ping(&house)).await, 401, "{wrong:?}");
    }
    assert_eq!(status(&url, Some("Bearer open sesame"), ping(&house)).await, 200);
    house.leave().await;
}

#[tokio::test]
async fn a_click_that_comes_again_keeps_its_first_answer() {
    let house = House::furnished().await;
    let (made, event, read) = pressed(&house).await;
    gateway::answer(&house.cx, read.clone(), &event).await.unwrap();
    let first = house.sim.answered(made.id).await.acknowledged.unwrap();
    gateway::answer(&house.cx, read, &event).await.unwrap();
    let again = house.sim.answered(made.id).await.acknowledged.unwrap();
    assert_eq!(first, again);
    assert_eq!(house.ticket_channels().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_deferral_that_a_crash_left_is_finished_when_the_click_comes_again() {
    let house = House::furnished().await;
    let (made, event, read) = pressed(&house).await;
    let deferred = reply::deferred();
    let client = house.cx.discord.requests().interaction(house.cx.bot);
    house.cx.discord.send(client.create_response(made.id, &made.token, &deferred)).await.unwrap();
    gateway::answer(&house.cx, read, &event).await.unwrap();
    late::answer(&house.cx, &kept(&house, &made).await).await.unwrap();
    let answer = house.sim.response(made.id).await;
    assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn an_old_click_that_nobody_can_answer_has_no_effect() {
    let house = House::furnished().await;
    let (made, mut event, read) = pressed(&house).await;
    event.received_at = OffsetDateTime::now_utc() - time::Duration::seconds(10);
    house.sim.write(|state| state.interactions.get_mut(&made.id).unwrap().failed = true);
    gateway::answer(&house.cx, read, &event).await.unwrap();
    assert!(house.ticket_channels().is_empty());
    assert!(house.cx.db.tickets().by_number(house.key(1)).await.unwrap().is_none());
    house.leave().await;
}

#[tokio::test]
async fn the_route_refuses_what_is_no_interaction_of_our_bot() {
    let house = House::furnished().await;
    let (made, _, _) = pressed(&house).await;
    let url = serve(&house.cx, None).await;
    assert_eq!(status(&url, None, "{}".to_owned()).await, 400);
    let mut foreign = made.payload;
    foreign["application_id"] = json!("99");
    assert_eq!(status(&url, None, foreign.to_string()).await, 421);
    assert_eq!(status(&url, None, ping(&house)).await, 200);
    house.leave().await;
}

// On one thread: only there the lines are captured.
#[tokio::test]
async fn every_line_about_a_click_carries_the_trace_that_http_gateway_sent() {
    let house = House::furnished().await;
    let (made, _, _) = pressed(&house).await;
    let url = serve(&house.cx, None).await;
    let (lines, _captured) = capture("worker");
    let trace = TraceParent::derived("interaction", made.id.get());
    let request = common::http::client("test").unwrap().post(&url).body(made.payload.to_string());
    let response = request.header(trace::HEADER, trace.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    // The work is done in a task of its own, which a busy machine may let outlast the answer.
    house.calm().await;
    let said = lines.with("trace_id", &trace.trace_id().to_string());
    assert!(said.iter().any(|line| line == "button:open by http: ok"), "{said:?}");
    house.sim.write(|state| state.interactions.get_mut(&made.id).unwrap().failed = true);
    house.leave().await;
}
