//! What only a person can change is said once, and not asked again soon.

use std::time::Duration;

use discord_sim::RestFault;
use twilight_model::id::Id;

use crate::house::House;

#[tokio::test]
async fn a_channel_that_does_not_exist_is_asked_for_once() {
    let mut house = House::new("soon", 5).await;
    house.config.channel = Id::new(404);
    let updater = house.start();
    let reason = updater.until_missing("CHANNEL_ID").await;
    assert!(reason.contains("channel 404 does not exist") && reason.contains("10003"), "{reason}");
    house.counter.read_again(10).await;
    assert_eq!((house.asked("GET"), house.asked("PATCH")), (vec![404], vec![]));
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_channel_that_is_deleted_meanwhile_is_tried_once_more() {
    let house = House::new("soon", 5).await;
    let updater = house.start();
    house.until_shown("Servers: 5").await;
    house.sim.write(|state| state.channels.remove(&house.channel));
    house.counter.tells(6);
    updater.until_missing("CHANNEL_ID").await;
    house.counter.tells(7);
    house.counter.read_again(10).await;
    assert_eq!(house.asked("PATCH"), [200, 404]);
    assert_eq!(updater.renames("refused"), 1.0);
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_missing_permission_is_named_and_not_tried_again_soon() {
    let house = House::new("soon", 5).await;
    house.fault("PATCH", 100, RestFault::Refuse(403, 50013));
    let updater = house.start();
    let reason = updater.until_missing("Manage Channels").await;
    assert!(reason.contains("50013"), "{reason}");
    house.counter.tells(6);
    house.counter.read_again(10).await;
    assert_eq!(house.asked("PATCH"), [403]);
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn after_the_pause_it_is_tried_again_with_the_newest_text() {
    let mut house = House::new("soon", 5).await;
    house.config.pace.pause = Duration::from_secs(2);
    // Only the end of the pause brings it back.
    house.config.pace.interval = Duration::from_secs(600);
    house.fault("PATCH", 1, RestFault::Refuse(403, 50013));
    let updater = house.start();
    updater.until_missing("Manage Channels").await;
    house.counter.tells(6);
    house.until_asked("PATCH", 2).await;
    updater.until_missing("").await;
    assert_eq!((house.asked("PATCH"), house.name().as_str()), (vec![403, 200], "Servers: 6"));
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_name_that_discord_refuses_leads_to_the_template() {
    let house = House::new("soon", 5).await;
    house.fault("PATCH", 100, RestFault::Refuse(400, 50035));
    let updater = house.start();
    updater.until_missing("CHANNEL_NAME_TEMPLATE").await;
    house.counter.read_again(10).await;
    assert_eq!(house.asked("PATCH"), [400]);
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_token_that_discord_refuses_fails_the_process() {
    let mut house = House::new("soon", 5).await;
    house.config.token = "not.a.token".into();
    let error = house.start().ended().await.unwrap_err().to_string();
    assert!(error.contains("DISCORD_TOKEN") && error.contains("developer portal"), "{error}");
    assert!(!error.contains("not.a.token"), "{error}");
    assert_eq!(house.asked("GET"), [401]);
    house.finish();
}
