use model::{DEFAULT_TICKET_LIMIT, GuildSettings};
use tokio::task::JoinSet;

use crate::support::*;

#[tokio::test]
async fn a_guild_that_set_nothing_has_the_defaults() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), GuildSettings::unset(GUILD));
    settings.set_category(GUILD, None).await.unwrap();
    let stored = settings.by_guild(GUILD).await.unwrap();
    assert_eq!(stored.ticket_limit, DEFAULT_TICKET_LIMIT);
    assert_eq!(stored, GuildSettings::unset(GUILD));
}

#[tokio::test]
async fn each_setting_is_set_and_cleared_alone() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let mut expected = GuildSettings {
        guild: GUILD,
        staff_role: Some(fresh()),
        category: Some(fresh()),
        transcript_channel: Some(fresh()),
        ticket_limit: DEFAULT_TICKET_LIMIT,
    };
    settings.set_staff_role(GUILD, expected.staff_role).await.unwrap();
    settings.set_category(GUILD, expected.category).await.unwrap();
    settings.set_transcript_channel(GUILD, expected.transcript_channel).await.unwrap();
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), expected);

    settings.set_staff_role(GUILD, None).await.unwrap();
    expected.staff_role = None;
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_setups_at_once_one_has_the_turn() {
    let scratch = scratch().await;
    let mut racing = JoinSet::new();
    for _ in 0..10 {
        let (db, by) = (scratch.database.clone(), fresh());
        racing
            .spawn(async move { db.settings().begin_setup(GUILD, by, LEASE).await.unwrap().map(|since| (by, since)) });
    }
    let turns: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0].0, turns[0].1);
    let mut settings = scratch.database.settings();
    assert!(settings.begin_setup(OTHER_GUILD, fresh(), LEASE).await.unwrap().is_some());
    assert!(settings.end_setup(GUILD, turns[0].0, true).await.unwrap());
    assert!(settings.begin_setup(GUILD, fresh(), LEASE).await.unwrap().is_some());
}

#[tokio::test]
async fn a_turn_at_the_setup_is_given_back_by_its_holder_only() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let [first, second] = [fresh(), fresh()];
    settings.begin_setup(GUILD, first, ENDED).await.unwrap().unwrap();
    settings.begin_setup(GUILD, second, LEASE).await.unwrap().unwrap();
    assert!(!settings.end_setup(GUILD, first, true).await.unwrap());
    assert!(!settings.end_setup(OTHER_GUILD, second, true).await.unwrap());
    assert_eq!(settings.begin_setup(GUILD, first, LEASE).await.unwrap(), None);
    assert!(settings.end_setup(GUILD, second, true).await.unwrap());
    assert!(!settings.end_setup(GUILD, second, true).await.unwrap());
}

#[tokio::test]
async fn the_same_click_gets_its_turn_again() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let by = fresh();
    for _ in 0..2 {
        assert_eq!(settings.begin_setup(GUILD, by, LEASE).await.unwrap(), Some(by));
    }
}

#[tokio::test]
async fn the_oldest_setup_that_may_have_left_something_is_known_until_all_is_stored() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let [died, broke_off, third, fourth] = [fresh(), fresh(), fresh(), fresh()];
    assert_eq!(settings.begin_setup(GUILD, died, ENDED).await.unwrap(), Some(died));
    assert_eq!(settings.begin_setup(GUILD, broke_off, LEASE).await.unwrap(), Some(died));
    settings.end_setup(GUILD, broke_off, false).await.unwrap();
    assert_eq!(settings.begin_setup(GUILD, third, LEASE).await.unwrap(), Some(died));
    settings.end_setup(GUILD, third, true).await.unwrap();
    assert_eq!(settings.begin_setup(GUILD, fourth, LEASE).await.unwrap(), Some(fourth));
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), GuildSettings::unset(GUILD));
}
