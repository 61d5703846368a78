use std::time::Duration;

use database::{Database, DatabaseConfig};
use discord_sim::{
    RestFault,
    state::{Overwrite, OverwriteKind, kind},
};
use serde_json::json;
use twilight_model::{guild::Permissions, id::Id};
use worker::{
    Context,
    setup::{Preset, Setup, set_up},
};

use crate::house::{House, option};

const CREATE_ROLE: &str = "/guilds/{guild_id}/roles";
const CREATE_CHANNEL: &str = "/guilds/{guild_id}/channels";
const CREATE_MESSAGE: &str = "/channels/{channel_id}/messages";
const PUT_OVERWRITE: &str = "/channels/{channel_id}/permissions/{overwrite_id}";

#[tokio::test]
async fn setup_makes_role_category_transcript_channel_and_a_working_panel() {
    let house = House::new().await;
    let seed = house.seed;
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.only_for, Some(seed.admin));
    assert_eq!(answer.content.matches("made: ").count(), 4, "{}", answer.content);

    let settings = house.settings().await;
    let (role, category) = (settings.staff_role.unwrap(), settings.category.unwrap());
    let transcripts = settings.transcript_channel.unwrap();
    assert!(answer.content.contains(&format!("Give <@&{role}> to")), "{}", answer.content);
    house.sim.read(|state| {
        assert_eq!(state.guilds[&seed.guild].roles[&role].name, "Support");
        let category = &state.channels[&category];
        assert_eq!((category.kind, category.name.as_str()), (kind::CATEGORY, "Tickets"));
        let transcripts = &state.channels[&transcripts];
        assert_eq!(transcripts.parent_id, Some(category.id));
        for channel in [category, transcripts] {
            assert!(!state.can_view(channel, seed.member));
            assert!(state.can_view(channel, seed.application.cast()));
        }
    });
    let panel = house.messages(seed.support).pop().unwrap();
    assert_eq!(panel.author_id, seed.application.cast());
    assert_eq!(panel.embeds[0]["title"], "Support");
    assert!(house.button(seed.support, "t1:open:1").is_some());

    assert!(house.open_as(seed.member).await.starts_with("Ticket opened: <#"));
    house.leave().await;
}

#[tokio::test]
async fn a_second_setup_makes_nothing_twice() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channels = house.sim.read(|state| state.guild_channels(seed.guild).len());
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.content.matches("reused: ").count(), 4, "{}", answer.content);
    assert_eq!(house.sim.read(|state| state.guild_channels(seed.guild).len()), channels);
    assert_eq!(house.messages(seed.support).len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn two_setups_at_once_make_one_of_each() {
    let house = House::new().await;
    let seed = house.seed;
    let (one, other) = tokio::join!(
        house.command(seed.admin, seed.support, "setup", json!([])),
        house.command(seed.admin, seed.support, "setup", json!([])),
    );
    let mut made = [&one, &other].map(|answer| answer.content.matches("made: ").count());
    made.sort_unstable();
    assert_eq!(made, [0, 4], "{}\n{}", one.content, other.content);
    house.leave().await;
}

#[tokio::test]
async fn another_preset_is_another_panel_in_the_same_rooms() {
    let house = House::furnished().await;
    let seed = house.seed;
    let answer = house.command(seed.admin, seed.support, "setup", option("preset", "bug")).await;
    assert_eq!(answer.content.matches("made: ").count(), 1, "{}", answer.content);
    let panel = house.messages(seed.support).pop().unwrap();
    assert_eq!(panel.embeds[0]["title"], "Report a bug");
    assert!(house.button(seed.support, "t1:open:2").is_some());
    house.leave().await;
}

#[tokio::test]
async fn what_was_deleted_is_made_anew_and_a_new_staff_role_is_let_in() {
    let house = House::furnished().await;
    let seed = house.seed;
    let before = house.settings().await;
    let panel = house.button(seed.support, "t1:open:1").unwrap();
    house.sim.write(|state| {
        state.guilds.get_mut(&seed.guild).unwrap().roles.remove(&before.staff_role.unwrap());
        state.remove_message(seed.support, panel);
    });
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("made: staff role"), "{}", answer.content);
    assert!(answer.content.contains("made: panel"), "{}", answer.content);
    assert!(answer.content.contains("reused: ticket category"), "{}", answer.content);
    let role = house.settings().await.staff_role.unwrap();
    house.sim.write(|state| state.give_role(seed.guild, seed.staff, role));
    house.sim.read(|state| {
        assert!(state.can_view(&state.channels[&before.category.unwrap()], seed.staff));
        assert!(state.can_view(&state.channels[&before.transcript_channel.unwrap()], seed.staff));
    });
    house.leave().await;
}

#[tokio::test]
async fn setup_names_the_permission_that_is_missing() {
    let house = House::new().await;
    let seed = house.seed;
    house.sim.write(|state| {
        let bot = seed.application.cast();
        let roles = &mut state.guilds.get_mut(&seed.guild).unwrap().roles;
        let role = roles.values_mut().find(|role| role.bot_id == Some(bot)).unwrap();
        role.permissions.remove(Permissions::MANAGE_CHANNELS);
    });
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("I lack: **Manage Channels**"), "{}", answer.content);
    // The role was made before that, and the next run uses it.
    assert!(house.settings().await.staff_role.is_some());
    house.leave().await;
}

#[tokio::test]
async fn while_a_setup_runs_another_is_told_to_wait() {
    let house = House::new().await;
    let seed = house.seed;
    let mut settings = house.cx.db.settings();
    settings.begin_setup(seed.guild, house.cx.bot, Id::new(1), Duration::from_secs(60)).await.unwrap();
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.starts_with("Another /setup is at work"), "{}", answer.content);
    assert_eq!(house.count("POST", CREATE_ROLE), 0);
    // The one that runs dies, and its lease ends.
    settings.begin_setup(seed.guild, house.cx.bot, Id::new(1), Duration::ZERO).await.unwrap();
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.content.matches("made: ").count(), 4, "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn a_setup_that_waits_for_discord_holds_no_connection_to_the_database() {
    let house = House::new().await;
    let seed = house.seed;
    let config = DatabaseConfig { uri: house.scratch.uri.clone(), threads: 1 };
    let cx = Context { db: Database::connect(&config).await.unwrap(), ..house.cx.clone() };
    let setup = Setup {
        guild: seed.guild,
        channel: seed.support,
        preset: Preset::Support,
        interaction: Id::new(1),
        app_permissions: None,
    };
    set_up(&cx, &setup).await.unwrap();
    assert_eq!(house.messages(seed.support).len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_setup_that_broke_off_before_it_let_the_staff_in_is_finished_by_the_next() {
    let house = House::furnished().await;
    let seed = house.seed;
    let before = house.settings().await;
    house.sim.write(|state| {
        state.guilds.get_mut(&seed.guild).unwrap().roles.remove(&before.staff_role.unwrap());
    });
    house.fail("PUT", PUT_OVERWRITE, RestFault::Refuse(403, 50013));
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("Manage Roles"), "{}", answer.content);
    let role = house.settings().await.staff_role.unwrap();
    assert_ne!(Some(role), before.staff_role);

    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.content.matches("reused: ").count(), 4, "{}", answer.content);
    house.sim.write(|state| state.give_role(seed.guild, seed.staff, role));
    house.sim.read(|state| {
        assert!(state.can_view(&state.channels[&before.category.unwrap()], seed.staff));
        assert!(state.can_view(&state.channels[&before.transcript_channel.unwrap()], seed.staff));
    });
    house.leave().await;
}

#[tokio::test]
async fn what_an_administrator_has_set_for_staff_that_sees_the_room_stays() {
    let house = House::furnished().await;
    let seed = house.seed;
    let settings = house.settings().await;
    let narrowed = Overwrite {
        id: settings.staff_role.unwrap().cast(),
        kind: OverwriteKind::Role,
        allow: Permissions::VIEW_CHANNEL,
        deny: Permissions::SEND_MESSAGES,
    };
    house.sim.write(|state| {
        let category = state.channels.get_mut(&settings.category.unwrap()).unwrap();
        category.overwrites.retain(|overwrite| overwrite.id != narrowed.id);
        category.overwrites.push(narrowed.clone());
    });
    house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(house.count("PUT", PUT_OVERWRITE), 0);
    house.leave().await;
}

#[tokio::test]
async fn what_discord_made_and_did_not_answer_is_not_made_twice() {
    let house = House::new().await;
    let seed = house.seed;
    let channels = house.sim.read(|state| state.guild_channels(seed.guild).len());
    for (made, template) in [CREATE_ROLE, CREATE_CHANNEL, CREATE_CHANNEL, CREATE_MESSAGE].into_iter().enumerate() {
        house.fail("POST", template, RestFault::FailAfterEffect);
        let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
        assert!(answer.content.starts_with("Discord does not answer"), "{made}: {}", answer.content);
        // A run that Discord refuses clearly knows nothing of what the one before it left.
        house.fail("GET", CREATE_ROLE, RestFault::Refuse(403, 50013));
        let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
        assert!(answer.content.contains("Manage Roles"), "{made}: {}", answer.content);
    }
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.content.matches("reused: ").count(), 4, "{}", answer.content);
    house.sim.read(|state| {
        let roles = state.guilds[&seed.guild].roles.values();
        assert_eq!(roles.filter(|role| role.name == "Support").count(), 1);
        assert_eq!(state.guild_channels(seed.guild).len(), channels + 2);
    });
    assert_eq!(house.messages(seed.support).len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_role_of_the_same_name_that_no_setup_made_is_not_taken() {
    let house = House::new().await;
    let seed = house.seed;
    let by_hand = house.sim.write(|state| state.add_role(seed.guild, "Support", Permissions::empty(), false, None));
    house.fail("POST", CREATE_ROLE, RestFault::Refuse(500, 0));
    house.command(seed.admin, seed.support, "setup", json!([])).await;
    // Made after the setup that broke off, but it may something.
    house.sim.write(|state| state.add_role(seed.guild, "Support", Permissions::KICK_MEMBERS, false, None));
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("made: staff role"), "{}", answer.content);
    let role = house.settings().await.staff_role.unwrap();
    assert_ne!(role, by_hand);
    house.sim.read(|state| assert_eq!(state.guilds[&seed.guild].roles[&role].permissions, Permissions::empty()));
    house.leave().await;
}

#[tokio::test]
async fn open_before_setup_says_who_is_to_do_what() {
    let house = House::new().await;
    let seed = house.seed;
    let answer = house.command(seed.member, seed.general, "open", json!([])).await;
    assert!(answer.content.contains("ask an administrator to use **/setup**"), "{}", answer.content);
    assert!(house.ticket_channels().is_empty());
    assert_eq!(house.cx.db.tickets().by_number(house.key(1)).await.unwrap(), None);
    house.leave().await;
}
