//! The channel has the name, and is renamed for nothing else.

use discord_sim::state::kind;

use crate::house::House;

#[tokio::test]
async fn it_renames_when_the_text_changes_and_only_then() {
    let house = House::new("soon", 1234).await;
    let updater = house.start();
    house.until_shown("Servers: 1234").await;
    house.counter.read_again(5).await;
    assert_eq!(house.asked("PATCH"), [200]);
    house.counter.tells(1235);
    house.until_shown("Servers: 1235").await;
    house.counter.read_again(5).await;
    assert_eq!((house.asked("PATCH"), house.asked("GET")), (vec![200, 200], vec![200]));
    updater.until_missing("").await;
    assert_eq!(updater.renames("renamed"), 2.0);
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn another_count_with_the_same_text_renames_nothing() {
    let mut house = House::new("Servers: 1.2K", 1234).await;
    house.config.template = "Servers: {count_short}".parse().unwrap();
    let updater = house.start();
    house.counter.read_again(3).await;
    house.counter.tells(1299);
    house.counter.read_again(3).await;
    assert_eq!(house.asked("PATCH"), Vec::<u16>::new());
    house.counter.tells(1300);
    house.until_shown("Servers: 1.3K").await;
    updater.stop().await;
    house.finish();
}

#[tokio::test]
async fn a_restart_renames_nothing() {
    for (kind, name) in [(kind::VOICE, "Servers: 1234"), (kind::TEXT, "servers-1234")] {
        let house = House::with_channel(kind, "soon", 1234).await;
        let updater = house.start();
        house.until_shown(name).await;
        updater.stop().await;
        let updater = house.start();
        house.until_asked("GET", 2).await;
        house.counter.read_again(5).await;
        assert_eq!(house.asked("PATCH"), [200], "{name}");
        house.counter.tells(1235);
        house.until_asked("PATCH", 2).await;
        updater.stop().await;
        house.finish();
    }
}

#[tokio::test]
async fn a_name_that_discord_made_anew_is_not_asked_for_again() {
    let mut house = House::with_channel(kind::TEXT, "soon", 1234).await;
    house.config.template = "Servers! {count_grouped}".parse().unwrap();
    let updater = house.start();
    house.until_shown("servers-1234").await;
    house.counter.read_again(5).await;
    house.counter.tells(1235);
    house.until_shown("servers-1235").await;
    house.counter.read_again(5).await;
    assert_eq!(house.asked("PATCH"), [200, 200]);
    updater.stop().await;
    house.finish();
}
