use std::{collections::BTreeSet, time::Duration};

use discord_sim::{
    chaos::{Chaos, Strike},
    state::State,
};
use serde_json::{Value, json};

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[test]
fn a_seed_strikes_always_in_the_same_way() {
    let plan = |seed| Chaos::new(seed).plan().take(500).collect::<Vec<_>>();
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7), plan(8));
    for strike in Strike::ALL {
        assert!(plan(7).iter().any(|step| step.strike == strike), "{strike:?} never comes");
    }
    let sparing = Chaos::new(7).sparing_sessions().without(&[Strike::Reset]).plan();
    assert!(sparing.take(500).all(|step| !step.strike.ends_sessions() && step.strike != Strike::Reset));
}

#[tokio::test]
async fn chaos_tells_what_it_did_and_leaves_nothing_behind() {
    let house = House::build().await;
    let strikes = [Strike::HelloMissing, Strike::Held, Strike::Slow, Strike::Outage, Strike::HeartbeatRequest];
    let (socket, _) = Socket::bot(&house, ALL).await;
    let chaos = Chaos::new(3).every(Duration::from_millis(1)).longest(Duration::from_secs(60)).only(&strikes);
    let running = chaos.start(&house.sim);
    house.sim.wait_for("some strikes", |state| (state.ledger.chaos.len() >= 30).then_some(())).await;
    let log = running.stop().await;
    assert!(log.len() >= 30 && log.windows(2).all(|pair| pair[0].at <= pair[1].at));
    for strike in strikes {
        assert!(log.iter().any(|blow| blow.what.starts_with(&format!("{strike:?} of"))), "{strike:?}: {log:#?}");
    }
    house.state(|state| {
        assert!(state.sessions.faults.rules.is_empty());
        assert!(!state.guilds[&house.seed.guild].unavailable);
    });
    drop(socket);
}

#[tokio::test]
async fn a_client_that_goes_by_the_rules_loses_nothing_in_chaos() {
    for seed in 0..3 {
        let house = House::build().await;
        house.sim.write(|state| state.sessions.heartbeat_interval = Some(Duration::from_millis(200)));
        let mut client = tokio::spawn(client(house.sim.gateway_url(), house.bot_token()));
        house.sim.wait_for("the session", |state| (state.sessions.identifies.len() == 1).then_some(())).await;
        let chaos = Chaos::new(seed).every(Duration::from_millis(8)).longest(Duration::from_millis(40));
        let running = chaos.start(&house.sim);
        for number in 0..300 {
            house.sim.write(|state| state.say(house.seed.general, house.seed.member, &number.to_string()));
            house.sim.wait_for("a while", |state| (state.ledger.chaos.len() >= number / 3).then_some(())).await;
        }
        running.stop().await;
        // It hears this one last, on whatever session it has then.
        let heard = tokio::select! {
            heard = &mut client => heard.unwrap(),
            () = say_the_end(&house) => unreachable!("it is said again and again"),
        };
        house.state(|state| {
            let heard: BTreeSet<_> = heard.into_iter().collect();
            for sent in state.ledger.dispatches.iter().filter(|sent| sent.kind == "MESSAGE_CREATE") {
                let payload: Value = serde_json::from_str(&sent.frame).unwrap();
                let key = (sent.session_id.clone(), payload["s"].as_u64().unwrap());
                let is_end = payload["d"]["content"] == "the end";
                assert!(
                    is_end || heard.contains(&key) || state.sessions.expired(sent),
                    "seed {seed}: {key:?} is lost; {:#?}",
                    state.ledger.chaos
                );
            }
        });
    }
}

async fn say_the_end(house: &House) {
    let bot = house.seed.application;
    loop {
        let connected = |state: &State| state.sessions.of_shard(bot, 0)?.connected().then_some(());
        house.sim.wait_for("a session", connected).await;
        house.sim.write(|state| state.say(house.seed.general, house.seed.member, "the end"));
        let told = |state: &State| state.ledger.dispatches.last().is_some_and(|last| last.delivered());
        house.sim.wait_for("its delivery", |state| (told(state) || connected(state).is_none()).then_some(())).await;
    }
}

/// Keeps its session and resumes it, begins a new one when it must, and heartbeats; what it heard until the end.
async fn client(url: String, token: String) -> Vec<(String, u64)> {
    let mut heard = Vec::new();
    let mut session: Option<(String, u64)> = None;
    loop {
        let Ok(mut socket) = Socket::to(&url).await else { continue };
        let Some(hello) = socket.soon().await else { continue };
        assert_eq!(hello["op"], 10);
        match &session {
            Some((id, sequence)) => socket.resume(&token, &json!(id), *sequence).await,
            None => socket.identify(&token, json!({ "intents": ALL })).await,
        }
        let mut acknowledged = true;
        loop {
            let Some(payload) = socket.soon().await else {
                if std::mem::take(&mut acknowledged) && socket.heartbeat(session.as_ref().map(|(_, at)| *at)).await {
                    continue;
                }
                break;
            };
            match payload["op"].as_u64() {
                Some(0) if payload["s"].is_u64() => {
                    let sequence = payload["s"].as_u64().unwrap();
                    match payload["t"].as_str() {
                        Some("READY") => {
                            session = Some((payload["d"]["session_id"].as_str().unwrap().to_owned(), sequence));
                        }
                        Some("MESSAGE_CREATE") => {
                            heard.push((session.as_ref().unwrap().0.clone(), sequence));
                            if payload["d"]["content"] == "the end" {
                                return heard;
                            }
                        }
                        _ => {}
                    }
                    // A replay may begin too early.
                    let newest = &mut session.as_mut().unwrap().1;
                    *newest = sequence.max(*newest);
                }
                Some(1) => {
                    socket.heartbeat(session.as_ref().map(|(_, at)| *at)).await;
                }
                Some(7) => break,
                Some(9) => {
                    if payload["d"] == false {
                        session = None;
                    }
                    break;
                }
                Some(11) => acknowledged = true,
                _ => {}
            }
        }
    }
}
