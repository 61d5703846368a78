//! A channel is renamed no more often than Discord allows, and what waited shows the number of then.

use std::time::{Duration, Instant};

use discord_sim::{
    RestFault,
    ledger::Verdict,
    rate_limits::{Mode, Scope},
};

use crate::house::House;

/// Longer than a test takes.
const TEN_MINUTES: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_third_rename_within_ten_minutes_is_not_tried() {
    let mut house = House::new("soon", 1).await;
    house.config.pace.window = TEN_MINUTES;
    house.sim.write(|state| state.rate_limits.mode = Mode::Real);
    let updater = house.start();
    for count in [1, 2] {
        house.counter.tells(count);
        house.until_shown(&format!("Servers: {count}")).await;
    }
    house.counter.tells(3);
    house.counter.read_again(10).await;
    assert_eq!((house.asked("PATCH"), house.name().as_str()), (vec![200, 200], "Servers: 2"));
    updater.until_missing("").await;
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn what_waited_in_the_updater_shows_the_number_of_then() {
    let mut house = House::new("soon", 1).await;
    house.config.pace.window = Duration::from_secs(4);
    let updater = house.start();
    for count in [1, 2] {
        house.counter.tells(count);
        house.until_shown(&format!("Servers: {count}")).await;
    }
    house.counter.tells(3);
    house.counter.read_again(2).await;
    house.counter.tells(4);
    house.until_shown("Servers: 4").await;
    assert_eq!(house.asked("PATCH"), [200, 200, 200]);
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_limit_that_a_process_before_used_up_is_met_once() {
    let house = House::new("soon", 1).await;
    house.sim.write(|state| state.rate_limits.mode = Mode::Real);
    let updater = house.start();
    for count in [1, 2] {
        house.counter.tells(count);
        house.until_shown(&format!("Servers: {count}")).await;
    }
    updater.stop().await;
    house.counter.tells(3);
    let updater = house.start();
    house.until_asked("PATCH", 3).await;
    house.counter.read_again(10).await;
    assert_eq!(house.asked("PATCH"), [200, 200, 429]);
    assert_eq!(house.sim.read(|state| state.ledger.count(Verdict::Limited(Scope::Inner))), 1);
    assert_eq!(updater.renames("limited"), 1.0);
    updater.until_missing("").await;
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_wait_that_discord_tells_is_kept_exactly_and_then_the_newest_text_is_shown() {
    let mut house = House::new("soon", 1).await;
    // Only the end of the wait brings it back.
    house.config.pace.interval = TEN_MINUTES;
    // Whoever is a millisecond early commits a violation.
    house.sim.write(|state| state.rate_limits.on_the_way = Duration::ZERO);
    house.fault("PATCH", 1, RestFault::InnerLimited { retry_after: Duration::from_secs(2) });
    let updater = house.start();
    house.until_asked("PATCH", 1).await;
    house.counter.tells(2);
    house.until_asked("PATCH", 2).await;
    assert_eq!((house.asked("PATCH"), house.name().as_str()), (vec![429, 200], "Servers: 2"));
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn what_waits_is_dropped_when_the_number_comes_back() {
    let house = House::new("Servers: 1", 2).await;
    let retry_after = Duration::from_millis(1_500);
    house.fault("PATCH", 1, RestFault::InnerLimited { retry_after });
    let updater = house.start();
    house.until_asked("PATCH", 1).await;
    house.counter.tells(1);
    let refused = Instant::now();
    while refused.elapsed() < retry_after * 2 {
        house.counter.read_again(10).await;
    }
    assert_eq!(house.asked("PATCH"), [429]);
    updater.stop().await;
    house.finish();
}
