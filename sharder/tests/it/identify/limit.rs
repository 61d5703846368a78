//! Discord's limit of IDENTIFYs per day is never used up.

use std::time::Duration;

use discord_sim::{RestFault, RestMatch};
use tokio::time::timeout;

use super::fleet::{Fleet, timed};

/// Sets how many IDENTIFYs the bot has, and in how much time.
fn limit(fleet: &Fleet, total: u32, remaining: u32, window: Duration) {
    fleet.sim.write(|state| {
        // Only the limit paces.
        state.sessions.identify_interval = Some(Duration::ZERO);
        let application = state.applications.get_mut(&fleet.seed.application).unwrap();
        application.identifies_total = total;
        application.identifies_remaining = remaining;
        application.identify_window = window;
        application.window_began = std::time::Instant::now();
    });
}

async fn fleet() -> Fleet {
    let mut fleet = Fleet::with_buckets(8).await;
    fleet.settings.interval = Duration::ZERO;
    fleet.settings.margin = Duration::from_millis(1);
    fleet.settings.lease = Duration::from_millis(100);
    fleet.settings.fresh = Duration::from_millis(20);
    fleet
}

#[tokio::test]
async fn a_crash_loop_never_uses_up_what_discord_allows() {
    let mut fleet = fleet().await;
    fleet.settings.reserve = 30;
    let window = Duration::from_secs(8);
    limit(&fleet, 20, 20, window);
    let mut started = 0;
    let looping = async {
        loop {
            // Each time a new process that remembers nothing, and whose session is lost.
            fleet.process().connect([started % 8], 8).await;
            started += 1;
        }
    };
    let _elapsed = timeout(window.mul_f64(0.95), looping).await;
    let left = fleet.sim.read(|state| state.applications[&fleet.seed.application].identifies_remaining);
    let violations = fleet.sim.read(|state| state.ledger.violations.clone());
    assert!(violations.is_empty(), "{violations:?}");
    assert!(left > 0, "{started} were started");
    assert!(started > 14, "the reserve is there to be used, slowly: {started} were started");
}

#[tokio::test]
async fn below_the_reserve_identifies_are_spread_over_the_rest_of_the_period() {
    let mut fleet = fleet().await;
    fleet.settings.reserve = 50;
    // So long that one that comes late on a slow machine leaves the others their gaps.
    let window = Duration::from_secs(15);
    limit(&fleet, 20, 10, window);
    let (first, second) = (fleet.process(), fleet.process());
    let (refused, took) = timed(async { tokio::join!(first.connect(0..4, 8), second.connect(4..8, 8)) }).await;
    assert_eq!(refused, (0, 0));
    // Eight of nine, in any bucket and of any process.
    assert!(took >= window.mul_f64(0.6) && took <= window, "{took:?}");
    let identifies = fleet.identifies();
    let gaps: Vec<_> = identifies.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.iter().all(|gap| *gap >= window.mul_f64(0.06)), "{gaps:?}");
    fleet.finish(8);
    assert_eq!(first.gauge("gateway_identify_low"), 1.0);
    assert_eq!(first.gauge("gateway_identify_reserve"), 10.0);
    assert!(first.gauge("gateway_identify_remaining") <= 10.0);
}

#[tokio::test]
async fn with_none_left_nobody_identifies_until_the_period_ends() {
    let fleet = fleet().await;
    let window = Duration::from_secs(2);
    let begun = std::time::Instant::now();
    limit(&fleet, 1_000, 0, window);
    let process = fleet.process();
    assert_eq!(process.connect([0], 1).await, 0);
    assert!(begun.elapsed() >= window.mul_f64(0.9), "{:?}", begun.elapsed());
    fleet.finish(1);
    // The alert ends with the shortage.
    assert_eq!(process.gauge("gateway_identify_low"), 0.0);
    assert_eq!(process.gauge("gateway_identify_remaining"), 999.0);
}

#[tokio::test]
async fn discord_is_asked_once_for_all_and_nobody_identifies_before_it_has_answered() {
    let mut fleet = fleet().await;
    fleet.settings.fresh = Duration::from_secs(60);
    let process = fleet.process();
    let asked = || {
        fleet.sim.read(|state| {
            let asked = state.ledger.requests.iter().filter(|request| request.path == "/gateway/bot");
            asked.map(|request| request.status).collect::<Vec<_>>()
        })
    };
    fleet.sim.write(|state| state.sessions.identify_interval = Some(Duration::ZERO));
    assert_eq!(process.connect(0..16, 17).await, 0);
    assert_eq!(asked(), [200]);

    let other = fleet.process();
    let question = RestMatch { method: "GET", template: "/gateway/bot", times: 5 };
    fleet.sim.write(|state| state.rest_faults.push((question, RestFault::Refuse(503, 0))));
    assert_eq!(other.connect([16], 17).await, 0);
    let asked = asked();
    assert_eq!(asked, [200, 503, 503, 503, 503, 503, 200]);
    fleet.finish(17);
}
