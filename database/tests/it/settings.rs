use database::SetupTurn;
use model::{DEFAULT_TICKET_LIMIT, GuildSettings};
use tokio::task::JoinSet;
use twilight_model::id::{Id, marker::InteractionMarker};

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
        racing.spawn(async move { (by, db.settings().begin_setup(GUILD, BOT, by, LEASE).await.unwrap()) });
    }
    let turns = racing.join_all().await;
    let mut begun = turns.iter().filter(|(_, turn)| *turn != SetupTurn::Taken);
    let (by, turn) = begun.next().unwrap();
    assert_eq!(*turn, begun_by(*by, true));
    assert_eq!(begun.next(), None);
    let mut settings = scratch.database.settings();
    assert_ne!(settings.begin_setup(OTHER_GUILD, BOT, fresh(), LEASE).await.unwrap(), SetupTurn::Taken);
    assert!(settings.end_setup(GUILD, BOT, *by, true).await.unwrap());
    assert_ne!(settings.begin_setup(GUILD, BOT, fresh(), LEASE).await.unwrap(), SetupTurn::Taken);
}

#[tokio::test]
async fn a_turn_at_the_setup_is_given_back_by_its_holder_only() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let [first, second] = [fresh(), fresh()];
    settings.begin_setup(GUILD, BOT, first, ENDED).await.unwrap();
    settings.begin_setup(GUILD, BOT, second, LEASE).await.unwrap();
    assert!(!settings.end_setup(GUILD, BOT, first, true).await.unwrap());
    assert!(!settings.end_setup(OTHER_GUILD, BOT, second, true).await.unwrap());
    assert_eq!(settings.begin_setup(GUILD, BOT, first, LEASE).await.unwrap(), SetupTurn::Taken);
    assert!(settings.end_setup(GUILD, BOT, second, true).await.unwrap());
    assert!(!settings.end_setup(GUILD, BOT, second, true).await.unwrap());
}

#[tokio::test]
async fn the_same_click_gets_its_turn_again_until_everything_is_made() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let by = fresh();
    for fresh in [true, false] {
        assert_eq!(settings.begin_setup(GUILD, BOT, by, LEASE).await.unwrap(), begun_by(by, fresh));
        settings.end_setup(GUILD, BOT, by, false).await.unwrap();
    }
    settings.begin_setup(GUILD, BOT, by, LEASE).await.unwrap();
    assert!(settings.end_setup(GUILD, BOT, by, true).await.unwrap());
    assert_eq!(settings.begin_setup(GUILD, BOT, by, LEASE).await.unwrap(), SetupTurn::Repeated);
    // The guild is free for others meanwhile, and whoever has the turn keeps it.
    let other = fresh();
    assert_eq!(settings.begin_setup(GUILD, BOT, other, LEASE).await.unwrap(), begun_by(other, true));
    assert_eq!(settings.begin_setup(GUILD, BOT, by, LEASE).await.unwrap(), SetupTurn::Repeated);
    assert!(settings.end_setup(GUILD, BOT, other, true).await.unwrap());
}

#[tokio::test]
async fn the_oldest_setup_that_may_have_left_something_is_known_until_all_is_stored() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    let [died, broke_off, third, fourth] = [fresh(), fresh(), fresh(), fresh()];
    assert_eq!(settings.begin_setup(GUILD, BOT, died, ENDED).await.unwrap(), begun_by(died, true));
    assert_eq!(settings.begin_setup(GUILD, BOT, broke_off, LEASE).await.unwrap(), begun_by(died, false));
    settings.end_setup(GUILD, BOT, broke_off, false).await.unwrap();
    assert_eq!(settings.begin_setup(GUILD, BOT, third, LEASE).await.unwrap(), begun_by(died, false));
    settings.end_setup(GUILD, BOT, third, true).await.unwrap();
    assert_eq!(settings.begin_setup(GUILD, BOT, fourth, LEASE).await.unwrap(), begun_by(fourth, true));
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), GuildSettings::unset(GUILD));
}

fn begun_by(since: Id<InteractionMarker>, fresh: bool) -> SetupTurn {
    SetupTurn::Begun { since, fresh }
}
