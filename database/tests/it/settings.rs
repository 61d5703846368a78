use model::{DEFAULT_TICKET_LIMIT, GuildSettings};

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
        ticket_limit: 255,
    };
    settings.set_staff_role(GUILD, expected.staff_role).await.unwrap();
    settings.set_category(GUILD, expected.category).await.unwrap();
    settings.set_transcript_channel(GUILD, expected.transcript_channel).await.unwrap();
    settings.set_ticket_limit(GUILD, 255).await.unwrap();
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), expected);

    settings.set_staff_role(GUILD, None).await.unwrap();
    expected.staff_role = None;
    assert_eq!(settings.by_guild(GUILD).await.unwrap(), expected);
}

#[tokio::test]
async fn a_limit_of_zero_is_not_stored() {
    let scratch = scratch().await;
    let mut settings = scratch.database.settings();
    assert!(settings.set_ticket_limit(GUILD, 0).await.is_err());
    assert_eq!(settings.by_guild(GUILD).await.unwrap().ticket_limit, DEFAULT_TICKET_LIMIT);
}
