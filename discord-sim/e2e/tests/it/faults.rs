use e2e::faults::{ALL, Dose, Fault, table};

/// A small dose, which must leave nothing broken.
async fn survives(fault: &str) {
    let fault = Fault::named(fault).expect("a fault of this name");
    let report = fault.run(Dose::Small, 1).await;
    assert!(report.violations.is_empty() && report.strikes > 0, "{}", table(&[report]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_sharder_is_killed() {
    survives("kill_sharder").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_kafka_is_killed() {
    survives("kafka_killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_kafka_stands_still() {
    survives("kafka_frozen").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_kafka_is_away() {
    survives("kafka_away").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_one_broker_of_three_is_killed() {
    survives("brokers_in_turn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_answers_by_errors_has_each_record_once_and_in_order() {
    survives("producer_errors").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_shards_resume_when_all_connections_end() {
    survives("shards_dropped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_members_come_and_go_keeps_order_and_loses_nothing() {
    survives("rebalance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_dies_alone() {
    survives("poison").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cache_knows_what_discord_has_whoever_died_or_was_cut_off() {
    survives("cache_killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_by_a_gateway_that_misbehaves() {
    survives("gateway_chaos").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ticket_comes_right_in_a_storm_of_refusals_and_nothing_is_asked_early() {
    survives("rest_storm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_identifies_anew_while_everything_is_restarted() {
    survives("rolling_restart").await;
}

#[test]
fn the_readme_names_every_fault_and_what_happens() {
    let readme = include_str!("../../README.md").replace("`kill -9`", "kill -9");
    for Fault { name, about, .. } in ALL {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        assert!(row.is_some_and(|row| row.contains(about)), "{name}: {about}");
    }
    let faults = readme.split("\n## ").find(|part| part.starts_with("Faults\n")).expect("the part about faults");
    assert_eq!(faults.lines().filter(|line| line.starts_with("| `")).count(), ALL.len());
}
