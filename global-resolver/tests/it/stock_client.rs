//! A client that repeats a 429 as fast as it can (twilight-http 0.18, see the design's facts about Discord), sent through the gate: Discord
//! sees one request for each 429.

use std::time::Duration;

use common::service::Service;
use discord_sim::{RestFault, RestMatch, Sim, seed::Seed};
use global_resolver::{Config, config::Upstream};
use tokio::{net::TcpListener, time::timeout};

const TEMPLATE: &str = "/channels/{channel_id}/messages";
const WAIT: Duration = Duration::from_secs(2);

/// What a 429 may look like.
fn kinds() -> [(&'static str, RestFault); 5] {
    let scoped = |scope| RestFault::RateLimited { retry_after: WAIT, scope };
    [
        ("user", scoped("user")),
        ("shared", scoped("shared")),
        ("global", scoped("global")),
        ("sub-limit", RestFault::InnerLimited { retry_after: WAIT }),
        ("Cloudflare's page", RestFault::BanPage { retry_after: WAIT }),
    ]
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Sends a message to a Discord that refuses all for as long as it said; tells how many requests came in that time.
async fn requests(fault: RestFault, through_the_gate: bool) -> usize {
    common::tls::install_provider();
    let sim = Sim::start(listener().await).unwrap();
    let seed = Seed::plant(&sim);
    let upstream = Upstream::at(sim.api_url().parse().unwrap());
    let service = Service::unattended("global-resolver");
    let listener = listener().await;
    let gate = listener.local_addr().unwrap();
    let config = Config { server_addr: gate, upstream: upstream.clone(), fleet: None };
    let running = tokio::spawn(global_resolver::run(config, service.clone().with_listener(listener)));
    let discord = upstream.api_url.socket_addrs(|| None).unwrap()[0];
    let to = if through_the_gate { gate } else { discord };
    let client = twilight_http::Client::builder().token(seed.token(&sim)).proxy(to.to_string(), true).build();

    let all = RestMatch { method: "POST", template: TEMPLATE, times: u32::MAX };
    sim.write(|state| state.rest_faults.push((all, fault)));
    let mut sending = std::pin::pin!(client.create_message(seed.support).content("hello").into_future());
    let refused = timeout(WAIT - Duration::from_millis(100), &mut sending).await;
    assert!(refused.is_err(), "it waits: {refused:?}");
    let posts = |state: &discord_sim::state::State| {
        let requests = state.ledger.requests.iter();
        requests.filter(|request| request.method == "POST" && request.template.as_deref() == Some(TEMPLATE)).count()
    };
    let meanwhile = sim.read(posts);
    sim.write(|state| state.rest_faults.clear());
    if through_the_gate {
        sending.await.unwrap();
        assert_eq!(sim.read(posts), meanwhile + 1, "and goes once when the time is over");
        assert_eq!(sim.read(|state| state.ledger.violations.clone()), Vec::<String>::new());
    }
    service.stop();
    running.await.unwrap().unwrap();
    sim.stop();
    meanwhile
}

#[tokio::test(flavor = "multi_thread")]
async fn discord_sees_one_request_for_each_429_of_a_client_that_would_repeat_it() {
    let sent = kinds().map(|(kind, fault)| async move { (kind, requests(fault, true).await) });
    for (kind, requests) in futures_util::future::join_all(sent).await {
        assert_eq!(requests, 1, "{kind}");
    }
}

/// Why there is a gate. When this fails the client has changed, which is good news for all who have none.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_gate_the_same_client_repeats_most_of_them() {
    let sent = kinds().map(|(kind, fault)| async move { (kind, requests(fault, false).await) });
    for (kind, requests) in futures_util::future::join_all(sent).await {
        let understood = ["user", "shared"].contains(&kind);
        assert_eq!(requests == 1, understood, "{kind}: {requests}");
    }
}
