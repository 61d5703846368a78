use std::net::SocketAddr;

use axum::{Json, Router, routing::post};
use common::{discord::DiscordConfig, service::Service};
use database::DatabaseConfig;
use discord_sim::{RestFault, RestMatch};
use event_stream::{GatewayEvents, KafkaConfig, LateInteractions, ensure_topics, testing};
use model::topics::LateInteraction;
use serde_json::json;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use twilight_model::id::{Id, marker::InteractionMarker};
use worker::Config;

use crate::{
    events::event,
    house::{House, PATIENCE},
};

/// The worker as a process runs it, in the same house.
struct Running {
    house: House,
    addr: SocketAddr,
    kafka: KafkaConfig,
    producer: event_stream::Producer,
    service: Service,
    worker: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start() -> Running {
        Running::start_in(House::furnished().await).await
    }

    async fn start_in(house: House) -> Running {
        Running::start_on(house, testing::config()).await
    }

    async fn start_on(house: House, kafka: KafkaConfig) -> Running {
        ensure_topics(&kafka).await.unwrap();
        let producer = testing::producer(&kafka).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = Service::unattended("worker").with_listener(listener);
        let config = Config {
            server_addr: addr,
            token: house.seed.token(&house.sim).into(),
            bot: None,
            shared_key: None,
            database: DatabaseConfig { uri: house.scratch.uri.clone(), threads: 4 },
            kafka: kafka.clone(),
            discord: DiscordConfig { api_url: house.sim.api_url().parse().unwrap() },
            cache: crate::house::no_cache(),
        };
        let worker = tokio::spawn(worker::run(config, service.clone()));
        Running { house, addr, kafka, producer, service, worker }
    }

    async fn stop(self) {
        self.service.stop();
        let ended = tokio::time::timeout(PATIENCE, self.worker).await.expect("the worker stops");
        ended.unwrap().unwrap();
        for topic in [&self.kafka.events_topic, &self.kafka.interactions_topic] {
            let dead = testing::read_raw(&self.kafka, &testing::dead_letters_of(topic)).await.unwrap();
            assert!(dead.is_empty(), "{dead:?}");
        }
        self.house.leave().await;
    }

    /// The text that answers an interaction by the gateway. The first may come too late for Discord while the consumer joins its
    /// group; then it is made again.
    async fn by_gateway(&self, make: impl Fn() -> Id<InteractionMarker>) -> String {
        loop {
            let id = make();
            let created = event(&self.house, "INTERACTION_CREATE", &self.payload(id));
            self.producer.send::<GatewayEvents>(&created).await.unwrap();
            if !self.house.sim.answered(id).await.failed {
                return self.house.sim.response(id).await.content;
            }
        }
    }

    fn payload(&self, id: Id<InteractionMarker>) -> serde_json::Value {
        self.house.sim.read(|state| state.interactions[&id].payload.clone())
    }
}

#[tokio::test]
async fn a_click_by_the_gateway_is_answered_by_callback_once() {
    let running = Running::start().await;
    let (house, seed) = (&running.house, running.house.seed);
    house.set_endpoint(None);
    let click = house.click(seed.member, seed.support, "t1:open:1");
    let created = event(house, "INTERACTION_CREATE", &running.payload(click));
    for _ in 0..2 {
        running.producer.send::<GatewayEvents>(&created).await.unwrap();
    }
    let text = if house.sim.answered(click).await.failed {
        running.by_gateway(|| house.click(seed.member, seed.support, "t1:open:1")).await
    } else {
        house.sim.response(click).await.content
    };
    assert!(text.starts_with("Ticket opened"), "{text}");
    assert_eq!(house.ticket_channels().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_slow_command_by_the_gateway_is_finished_from_kafka() {
    let running = Running::start().await;
    let (house, seed) = (&running.house, running.house.seed);
    house.set_endpoint(None);
    let setup = || house.sim.command(seed.admin, seed.support, "setup", &json!([])).unwrap();
    let text = running.by_gateway(setup).await;
    assert_eq!(text.matches("reused: ").count(), 4, "{text}");
    let topic = &running.kafka.interactions_topic;
    assert_eq!(testing::read_all::<LateInteractions>(&running.kafka, topic).await.unwrap().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_late_click_is_finished_in_the_place_of_its_deferral() {
    let running = Running::start().await;
    let (house, seed) = (&running.house, running.house.seed);
    // As http-gateway answers when no worker does.
    let gateway = Router::new().route("/", post(async || Json(json!({"type": 5, "data": {"flags": 64}}))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, gateway).await });
    house.set_endpoint(Some(endpoint));

    let click = house.click(seed.member, seed.support, "t1:open:1");
    let late = |id| LateInteraction {
        bot: seed.application,
        interaction: id,
        guild: Some(seed.guild),
        received_at: OffsetDateTime::now_utc(),
        trace: None,
        payload: running.payload(id).to_string().into(),
    };
    for _ in 0..2 {
        running.producer.send::<LateInteractions>(&late(click)).await.unwrap();
    }
    let answer = house.sim.response(click).await.content;
    assert!(answer.starts_with("Ticket opened"), "{answer}");

    let channel = house.ticket(1).await.channel.unwrap();
    let ask = house.click(seed.member, channel, "t1:close:1");
    running.producer.send::<LateInteractions>(&late(ask)).await.unwrap();
    house.sim.response(ask).await;
    let form = house.click(seed.member, channel, "t1:close-reason:1");
    running.producer.send::<LateInteractions>(&late(form)).await.unwrap();
    assert_eq!(house.sim.response(form).await.content, "That took too long. Please press again.");
    assert_eq!(house.ticket_channels().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn workers_of_two_bots_share_the_topics_and_each_handles_all_of_its_own() {
    const MESSAGES: usize = 20;
    // Of one partition only one member of a group hears.
    let kafka = KafkaConfig { partitions: 1, ..testing::config() };
    let mut bots = Vec::new();
    for _ in 0..2 {
        let house = House::furnished().await;
        let ticket = house.opened().await;
        bots.push((Running::start_on(house, kafka.clone()).await, ticket));
    }
    for _ in 0..MESSAGES {
        for (running, ticket) in &bots {
            let (house, channel) = (&running.house, ticket.channel.unwrap());
            let said = house.sim.write(|state| state.say(channel, house.seed.member, "hello")).unwrap();
            let frame = house.sim.read(|state| state.message_event_json(state.message(channel, said).unwrap()));
            running.producer.send::<GatewayEvents>(&event(house, "MESSAGE_CREATE", &frame)).await.unwrap();
        }
    }
    for (running, ticket) in &bots {
        let mut messages = running.house.cx.db.messages();
        let all = async {
            while messages.list(ticket.key).await.unwrap().len() < MESSAGES {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("every message is kept");
        // Slow, and so by way of the topic of late clicks.
        running.house.set_endpoint(None);
        let (sim, seed) = (&running.house.sim, running.house.seed);
        let setup = || sim.command(seed.admin, seed.support, "setup", &json!([])).unwrap();
        assert!(running.by_gateway(setup).await.contains("reused: "));
    }
    for (running, _) in bots {
        running.stop().await;
    }
}

#[tokio::test]
async fn it_waits_for_discord_and_is_ready_then() {
    let house = House::furnished().await;
    house.sim.write(|state| {
        let template = "/applications/{application_id}/commands";
        let away = RestMatch { method: "GET", template, times: 5 };
        state.rest_faults.push((away, RestFault::Refuse(503, 0)));
    });
    let running = Running::start_in(house).await;
    let client = common::http::client("test").unwrap();
    let ready = format!("http://{}/readyz", running.addr);
    let becoming = async {
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, becoming).await.expect("it becomes ready");
    assert!(running.house.sim.read(|state| state.rest_faults.is_empty()));
    let told = running.house.count("PUT", "/applications/{application_id}/commands");
    assert_eq!(told, 1, "discord knew the commands already");
    running.stop().await;
}

#[tokio::test]
async fn a_token_that_dies_ends_the_worker_and_names_its_variable() {
    let running = Running::start().await;
    let (house, seed) = (&running.house, running.house.seed);
    house.set_endpoint(None);
    running.by_gateway(|| house.click(seed.member, seed.support, "t1:open:1")).await;
    house.sim.write(|state| {
        let bot = state.users.get_mut(&seed.application.cast()).unwrap();
        bot.token = "another".to_owned();
    });
    // An interaction is answered without the bot's token; a channel is not made without it.
    let click = house.click(seed.other_member, seed.support, "t1:open:1");
    let created = event(house, "INTERACTION_CREATE", &running.payload(click));
    running.producer.send::<GatewayEvents>(&created).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, running.worker).await.expect("the worker ends").unwrap();
    let error = format!("{:#}", ended.unwrap_err());
    assert!(error.contains("DISCORD_TOKEN") && error.contains("developer portal"), "{error}");
}

#[tokio::test]
async fn first_answers_are_measured_by_kind_whichever_way_the_click_came() {
    let running = Running::start().await;
    let (house, seed) = (&running.house, running.house.seed);
    house.set_endpoint(None);
    running.by_gateway(|| house.click(seed.member, seed.support, "t1:open:1")).await;
    // It was answered by the callback, and http-gateway would pass on what the worker says.
    let click = house.click(seed.member, seed.support, "t1:open:1");
    let http = common::http::client("test").unwrap();
    let ping = json!({"id": "1", "application_id": seed.application, "type": 1, "token": "t"});
    for body in [running.payload(click), ping] {
        let response = http.post(format!("http://{}/interactions", running.addr)).body(body.to_string()).send().await;
        assert_eq!(response.unwrap().status(), 200);
    }

    let counted = async || {
        let text = http.get(format!("http://{}/metrics", running.addr)).send().await.unwrap().text().await.unwrap();
        let answers = text.contains(r#"bot_interaction_ack_ms_count{kind="component",service="worker"} 2"#);
        let kind = r#"event_type="INTERACTION_CREATE",priority="interactive",result="handled""#;
        (answers && text.contains(&format!("bot_events_total{{{kind}"))).then_some(text)
    };
    let text = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(text) = counted().await {
                break text;
            }
            tokio::task::yield_now().await;
        }
    });
    let text = text.await.expect("both are counted");
    assert!(!text.contains(r#"kind="ping""#), "{text}");
    // Both consumers of the process count in one place.
    assert!(text.contains(r#"consumer_partitions{topic="interactions",service="worker"}"#), "{text}");
    // Nobody at Discord waits for that answer.
    house.sim.write(|state| state.interactions.get_mut(&click).unwrap().failed = true);
    running.stop().await;
}
